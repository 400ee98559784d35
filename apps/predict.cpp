#include "apps/commands.hpp"
#include "apps/prediction_input.hpp"
#include "apps/support.hpp"
#include "core/files.hpp"
#include "core/npy.hpp"
#include "nn/workspace.hpp"

#include <algorithm>
#include <cstdio>
#include <fmt/format.h>
#include <iterator>
#include <memory>
#include <numeric>

namespace triage {

namespace {

constexpr std::size_t chunk_size = 256;

std::vector<float> predict(const opened_run& run, const dataset& samples) {
  const auto& setup = *run.setup;
  const auto width = static_cast<std::size_t>(setup.net->output_width());
  workspace w(setup.net);
  std::vector<float> out;
  std::vector<std::uint32_t> ids;
  for (std::size_t begin = 0; begin < samples.size; begin += chunk_size) {
    ids.resize(std::min(chunk_size, samples.size - begin));
    std::iota(ids.begin(), ids.end(), static_cast<std::uint32_t>(begin));
    const auto batch = static_cast<std::int64_t>(ids.size());
    gather_samples(samples, setup.data.standard, ids, w.input(batch));
    const auto rows = w.infer(run.parameters.view(), batch);
    out.insert(out.end(), rows.begin(), rows.end());
    setup.loss->to_prediction(std::span(out).last(ids.size() * width), setup.net->output_width());
  }
  return out;
}

std::string to_csv(const std::vector<float>& rows, std::size_t width) {
  std::string text;
  for (std::size_t j = 0; j < width; ++j)
    text += fmt::format("{}output_{}", j == 0 ? "" : ",", j);
  text += '\n';
  for (std::size_t i = 0; i < rows.size(); ++i)
    fmt::format_to(std::back_inserter(text), "{}{}", rows[i], (i + 1) % width == 0 ? '\n' : ',');
  return text;
}

} // namespace

command_action add_predict_command(CLI::App& program) {
  struct options {
    std::string directory;
    std::string input;
    std::string output;
  };
  auto o = std::make_shared<options>();
  auto* command = program.add_subcommand("predict", "predictions of a run's newest model for new samples");
  command->add_option("DIR", o->directory, "the run directory")->required();
  command
      ->add_option("--input", o->input,
                   "samples: .npy, IDX images (.gz too), or CSV with one sample a row, no targets")
      ->required();
  command->add_option("--output", o->output, "probabilities (or values): .csv or .npy")->required();
  return [o] {
    const bool as_npy = o->output.ends_with(".npy");
    if (!as_npy && !o->output.ends_with(".csv"))
      return complain(
          configuration_error(fmt::format("{}: predictions are written as .csv or .npy", o->output)));
    auto run = open_run(o->directory);
    if (!run.ok())
      return complain(run.error());
    if (auto same = check_data(*run); !same.ok())
      return complain(same.error());
    const json_value* last = run->setup->resolved.find("data")->find("channels_last");
    const auto samples = read_prediction_input(o->input, run->setup->net->input_shape(),
                                               last != nullptr && last->is_bool() && last->as_bool());
    if (!samples.ok())
      return complain(samples.error());
    const auto rows = predict(*run, *samples);
    const auto width = run->setup->net->output_width();
    const auto written = as_npy
                             ? write_npy(o->output, {static_cast<std::int64_t>(samples->size), width}, rows)
                             : write_file_atomic(o->output, to_csv(rows, static_cast<std::size_t>(width)));
    if (!written.ok())
      return complain(written.error());
    std::printf("%s: %zu predictions\n", o->output.c_str(), samples->size);
    return 0;
  };
}

} // namespace triage
