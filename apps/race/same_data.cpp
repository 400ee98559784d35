#include "apps/race/same_data.hpp"

#include "core/dataset.hpp"
#include "core/run_config.hpp"

#include <cstdio>
#include <fmt/format.h>

namespace triage {

result<void> same_data::check(const std::string& run_directory, const std::string& description) {
  const auto about = read_json_file(run_directory + "/description.json");
  const json_value* then = about.ok() ? about->find("data_fingerprint") : nullptr;
  if (then == nullptr || !then->is_string())
    return {};
  const std::string file = run_directory + ".json";
  const auto document = parse_json(description, file);
  const auto config = document.ok() ? read_run_config(*document, file) : result<run_config>(document.error());
  if (!config.ok())
    return {}; // planned runs have one
  const auto [at, is_new] =
      fingerprints_.try_emplace(fmt::format("{} {}", config->seed, dump_json(config->data)));
  if (is_new) {
    const auto data =
        load_data(config->data, {file, "/data"}, static_cast<std::uint64_t>(config->seed), nullptr);
    if (data.ok())
      at->second = data->fingerprint;
    else
      std::fprintf(stderr, "%s is done, but whether its data are as they were cannot be told: %s\n",
                   run_directory.c_str(), data.error().message.c_str());
  }
  if (at->second && *at->second != then->as_string())
    return data_error(fmt::format("{}: the data have changed since it was trained (fingerprint {:.16}, now "
                                  "{:.16}): give another --dir, or delete the runs in this one",
                                  run_directory, then->as_string(), *at->second));
  return {};
}

} // namespace triage
