#include "core/data_split.hpp"
#include "core/dataset.hpp"
#include "core/regimes.hpp"

#include <fmt/format.h>
#include <new>
#include <stdexcept>

namespace triage {

void common_data_options::visit(option_visitor& v) {
  v.field({.name = "format", .doc = "how the data are stored; see Data formats", .required = true}, format);
  v.field(
      {.name = "path",
       .doc =
           "a folder in the format's published layout, or the training file; like all paths relative to the "
           "directory in which triage is started"},
      path);
  v.field(
      {.name = "train", .doc = "an explicit training file; relative to the folder \"path\" if that is given"},
      train);
  v.field({.name = "test", .doc = "an explicit test file"}, test);
  v.field({.name = "standardize",
           .doc = "shift and scale each channel (feature) to mean 0 and deviation 1 of the training set; "
                  "false: bytes "
                  "are divided by 255 and floats are left alone"},
          standardize);
  v.field({.name = "validation_fraction",
           .doc = "share of the training source that is held out for validation, seeded, stratified by class",
           .min = 0.0,
           .max = 0.9},
          validation_fraction);
  v.field(
      {.name = "test_fraction",
       .doc =
           "share of the training source that is held out as test set; used only where the source has none",
       .min = 0.0,
       .max = 0.9},
      test_fraction);
}

namespace {

struct description {
  common_data_options common;
  regime_options regimes;
  std::unique_ptr<dataset_format> format;

  void visit(option_visitor& v) {
    common.visit(v);
    v.group({.name = "regime", .doc = "changes of the training set, for experiments; seeded"},
            [this](option_visitor& g) { regimes.visit(g); });
    format->visit(v);
  }
};

result<description> read_description(const json_value& json, const json_place& place) {
  if (!json.is_object())
    return json_error(place, json, fmt::format("must be an object, not {}", json.type_name()));
  const json_value* name = json.find("format");
  if (name == nullptr || !name->is_string())
    return json_error(place, name == nullptr ? json : *name,
                      "needs a \"format\", one of " + join_names(names_of(dataset_formats())));
  const auto entry = find_entry(dataset_formats(), "data format", name->as_string());
  if (!entry.ok())
    return json_error({place.source, place.pointer + "/format"}, *name, entry.error().message);
  description out;
  out.format = (*entry)->make();
  if (auto read = read_options(json, place, [&](option_visitor& v) { out.visit(v); }); !read.ok())
    return read.error();
  if (out.format->reads_files() && out.common.train.empty() && out.common.path.empty())
    return json_error(
        place, json,
        "names no data: give \"path\" (a folder in the format's published layout) or \"train\" (a file)");
  if (auto checked = out.format->check(); !checked.ok())
    return json_error(place, json, checked.error().message);
  return out;
}

/// Out of memory is a property of the data here, and known before training starts.
result<loaded_data> load_guarded(const dataset_format& format, const data_source& source) {
  const auto too_large = [&] {
    const std::string& file = source.train.empty() ? source.path : source.train;
    return data_error(
        fmt::format("{}: does not fit into memory; take fewer samples, or plain IDX or npy files, "
                    "which may stay on disk",
                    file.empty() ? "the data" : file));
  };
  try {
    return format.load(source);
  } catch (const std::bad_alloc&) {
    return too_large();
  } catch (const std::length_error&) {
    return too_large();
  }
}

result<void> check_loaded(const loaded_data& loaded) {
  if (auto train = check_dataset(loaded.train, "training"); !train.ok())
    return train;
  if (loaded.train.classes == 1)
    return data_error(
        "all training labels are the same, so there is nothing to learn; is the label the right "
        "one? Numbers to predict need \"task\": \"regression\" (CSV) or are stored as floats (npy)");
  if (!loaded.test)
    return {};
  if (auto test = check_dataset(*loaded.test, "test"); !test.ok())
    return test;
  if (loaded.test->shape != loaded.train.shape)
    return data_error(fmt::format("test samples have shape {} and training samples {}; they must agree",
                                  to_string(loaded.test->shape), to_string(loaded.train.shape)));
  if (auto alike = check_same_kind(kind_of(loaded.train), *loaded.test, "the test set"); !alike.ok())
    return alike;
  if (loaded.test->classes != loaded.train.classes || loaded.test->outputs != loaded.train.outputs)
    return data_error(fmt::format("the test set has {} classes and {} outputs, the training set {} and {}",
                                  loaded.test->classes, loaded.test->outputs, loaded.train.classes,
                                  loaded.train.outputs));
  return {};
}

} // namespace

result<data_splits> load_data(const json_value& json, const json_place& place, std::uint64_t seed,
                              json_value* resolved) {
  auto read = read_description(json, place);
  if (!read.ok())
    return read.error();
  description& d = *read;
  if (resolved != nullptr)
    *resolved = write_options([&](option_visitor& v) { d.visit(v); });

  auto loaded = load_guarded(*d.format, {d.common.path, d.common.train, d.common.test, seed});
  if (!loaded.ok())
    return with_context(loaded.error(), fmt::format("data format {}", d.common.format));
  if (auto checked = check_loaded(*loaded); !checked.ok())
    return with_context(checked.error(), fmt::format("data format {}", d.common.format));

  data_splits out;
  out.train = std::move(loaded->train);
  out.names = std::move(loaded->names);
  const auto all = static_cast<double>(out.train.size);
  const double test_share = loaded->test ? 0.0 : d.common.test_fraction;
  if (test_share + d.common.validation_fraction > 0.95)
    return json_error(place, json, "\"validation_fraction\" and \"test_fraction\" leave nothing to train on");
  // An empty set still says what its samples would look like.
  out.test =
      loaded->test
          ? std::move(*loaded->test)
          : take_samples(out.train, choose_held_out(out.train, test_share, {seed, rng_purpose::split, 0}));
  // Both fractions are shares of the source, whatever is taken first.
  const double rest = static_cast<double>(out.train.size);
  out.validation =
      take_samples(out.train, choose_held_out(out.train, d.common.validation_fraction * all / rest,
                                              {seed, rng_purpose::split, 1}));
  if (d.common.validation_fraction > 0.0 && out.validation.size == 0)
    return data_error(
        fmt::format("{}, {}/validation_fraction: {} of {} samples, by class, are none: give more "
                    "samples, a larger share, or 0",
                    place.source, place.pointer, d.common.validation_fraction, all));
  if (auto applied = apply_regimes(out.train, d.regimes, d.regimes.seed(seed)); !applied.ok())
    return with_context(applied.error(), place.source + ", " + place.pointer + "/regime");
  out.kind = kind_of(out.train);
  out.standard = measure_standardisation(out.train, d.common.standardize);
  out.fingerprint = fingerprint_of(out.train, out.validation, out.test, d.common.standardize);
  for (const auto* set : {&out.train, &out.test})
    if (set->is_mapped())
      set->mapped.file->expect_random_access(set->mapped_row_bytes()); // everything has been looked at
  return out;
}

result<json_value> check_data_description(const json_value& json, const json_place& place) {
  auto read = read_description(json, place);
  if (!read.ok())
    return read.error();
  return write_options([&](option_visitor& v) { read->visit(v); });
}

} // namespace triage
