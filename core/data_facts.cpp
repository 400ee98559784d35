#include "core/data_facts.hpp"

#include "core/json.hpp"

namespace triage {

namespace {

/// Names hold any character, also those that could separate them.
std::string to_text(const std::vector<std::string>& names) {
  json_value::array all;
  for (const auto& name : names)
    all.emplace_back(name);
  return dump_json(json_value(std::move(all)));
}

result<std::vector<std::string>> to_names(const saved_state& state, const char* key) {
  const auto text = state.get_text(key);
  if (!text.ok())
    return text.error();
  const auto all = parse_json(*text, key);
  if (!all.ok())
    return all.error();
  std::vector<std::string> names;
  if (all->is_array())
    for (const auto& name : all->as_array())
      if (name.is_string())
        names.push_back(name.as_string());
  return names;
}

} // namespace

saved_state save_data_facts(const data_splits& data) {
  saved_state state;
  const auto& train = data.train;
  state.put("sizes", std::vector<std::int64_t>{train.shape.channels, train.shape.height, train.shape.width,
                                               train.classes, train.outputs});
  state.put("scale", data.standard.scale);
  state.put("shift", data.standard.shift);
  state.put("bytes", std::vector<std::uint8_t>{data.kind.bytes ? std::uint8_t{1} : std::uint8_t{0}});
  state.put("range", std::vector<float>{data.kind.smallest, data.kind.largest});
  state.put_text("features", to_text(data.names.features));
  state.put_text("classes", to_text(data.names.classes));
  state.put_text("outputs", to_text(data.names.outputs));
  std::vector<std::uint64_t> first;
  if (data.names.first_index)
    first.push_back(*data.names.first_index);
  state.put("first_index", std::move(first));
  return state;
}

result<data_splits> load_data_facts(const saved_state& state) {
  const auto sizes = state.get<std::int64_t>("sizes");
  auto scale = state.get<float>("scale");
  auto shift = state.get<float>("shift");
  const auto bytes = state.get_one<std::uint8_t>("bytes");
  const auto range = state.get<float>("range");
  auto features = to_names(state, "features");
  auto classes = to_names(state, "classes");
  auto outputs = to_names(state, "outputs");
  const auto first = state.get<std::uint64_t>("first_index");
  for (const auto* problem :
       {sizes.ok() ? nullptr : &sizes.error(), scale.ok() ? nullptr : &scale.error(),
        shift.ok() ? nullptr : &shift.error(), bytes.ok() ? nullptr : &bytes.error(),
        range.ok() ? nullptr : &range.error(), features.ok() ? nullptr : &features.error(),
        classes.ok() ? nullptr : &classes.error(), outputs.ok() ? nullptr : &outputs.error(),
        first.ok() ? nullptr : &first.error()})
    if (problem != nullptr)
      return *problem;
  if (sizes->size() != 5 || range->size() != 2 || first->size() > 1)
    return data_error("what it says of its data has an unexpected length");
  data_splits data;
  data.train.shape = {(*sizes)[0], (*sizes)[1], (*sizes)[2]};
  data.train.classes = (*sizes)[3];
  data.train.outputs = (*sizes)[4];
  if (data.train.shape.channels < 1 || data.train.shape.size() < 1 ||
      scale->size() != static_cast<std::size_t>(data.train.shape.channels) || shift->size() != scale->size())
    return data_error("what it says of its data contradicts itself");
  data.standard = {scale.take(), shift.take()};
  data.kind = {*bytes != 0, (*range)[0], (*range)[1]};
  data.names.features = features.take();
  data.names.classes = classes.take();
  data.names.outputs = outputs.take();
  if (!first->empty())
    data.names.first_index = first->front();
  return data;
}

} // namespace triage
