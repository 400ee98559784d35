#include "sampling/score.hpp"

#include "sampling/scores/scores.hpp"

#include <algorithm>
#include <array>

namespace triage {

score_table scores() {
  static constexpr std::array table = {
      registry_entry<score_factory>{"loss", "the sample's loss", make_loss_score},
      registry_entry<score_factory>{"gnorm_last_bound",
                                    "norm of the loss gradient at the output (Katharopoulos & Fleuret 2018)",
                                    make_gnorm_last_bound},
      registry_entry<score_factory>{
          "gnorm_last", "exact gradient norm of the last dense layer (Goodfellow 2015)", make_gnorm_last},
      registry_entry<score_factory>{"gnorm_full", "exact gradient norm over all layers (Alain et al. 2015)",
                                    make_gnorm_full},
      registry_entry<score_factory>{
          "projection",
          "the gradient's length along the mean gradient; negative where it opposes it (Zhou & "
          "Gao 2021)",
          make_projection},
      registry_entry<score_factory>{"projection_last", "the same, of the last dense layer only",
                                    make_projection_last},
      registry_entry<score_factory>{
          "rho", "loss minus what a model trained on other data cannot reduce (Mindermann et al. 2022)",
          make_rho},
  };
  return table;
}

result<std::unique_ptr<score>> make_score(const json_value& description, const json_place& place,
                                          score_table extra) {
  const auto type = read_type_name(description, place, "score");
  if (!type.ok())
    return type.error();
  std::vector<registry_entry<score_factory>> all(scores().begin(), scores().end());
  all.insert(all.end(), extra.begin(), extra.end());
  const auto entry = find_entry(score_table(all), "score", *type);
  if (!entry.ok())
    return json_error(place, description, entry.error().message);
  auto made = (*entry)->make();
  if (description.is_object())
    if (auto read = read_options(description, place, [&](option_visitor& v) { made->visit(v); }, {"type"});
        !read.ok())
      return read.error();
  if (auto prepared = made->prepare(place); !prepared.ok())
    return prepared.error();
  return made;
}

} // namespace triage
