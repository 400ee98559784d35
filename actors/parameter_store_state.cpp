#include "actors/parameter_store.hpp"
#include "core/registry.hpp"

#include <algorithm>
#include <fmt/format.h>

// What a checkpoint keeps of a parameter_store.

namespace triage {

saved_state parameter_store::save_moments() const {
  saved_state state;
  state.put("version", std::vector<std::uint64_t>{version_});
  state.put("epoch_began", std::vector<std::uint64_t>{epoch_began_});
  state.put("moments_began", std::vector<std::uint64_t>{moments_began_});
  const auto names = rule_.moments();
  state.put_text("moments", join_names(names));
  for (std::size_t i = 0; i < names.size(); ++i)
    state.put(names[i], std::vector<float>(moments_[i].view().begin(), moments_[i].view().end()));
  return state;
}

result<bool> parameter_store::load(std::span<const float> parameters, const saved_state& moments) {
  const auto version = moments.get_one<std::uint64_t>("version");
  if (!version.ok())
    return version.error();
  const auto epoch_began = moments.get_one<std::uint64_t>("epoch_began");
  if (!epoch_began.ok())
    return epoch_began.error();
  const auto moments_began = moments.get_one<std::uint64_t>("moments_began");
  if (!moments_began.ok())
    return moments_began.error();
  const auto saved_names = moments.get_text("moments");
  if (!saved_names.ok())
    return saved_names.error();
  const auto names = rule_.moments();
  const bool others = *saved_names != join_names(names);
  for (std::size_t i = 0; i < names.size() && !others; ++i) {
    const auto saved = moments.get<float>(names[i]);
    if (!saved.ok())
      return saved.error();
    if (saved->size() != moments_[i].size())
      return data_error(fmt::format("the saved moment \"{}\" has {} values, the model needs {}", names[i],
                                    saved->size(), moments_[i].size()));
    std::copy(saved->begin(), saved->end(), moments_[i].values().begin());
  }
  place(parameters);
  version_ = *version;
  // Rules whose steps come in loops begin one, where they note what they need.
  epoch_began_ = others ? version_ : *epoch_began;
  moments_began_ = others ? version_ : *moments_began;
  return others && !names.empty();
}

} // namespace triage
