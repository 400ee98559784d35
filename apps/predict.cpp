#include "apps/commands.hpp"
#include "apps/prediction_input.hpp"
#include "apps/support.hpp"
#include "core/files.hpp"
#include "core/formats/csv_tokenizer.hpp"
#include "core/npy.hpp"
#include "nn/workspace.hpp"

#include <algorithm>
#include <cstdio>
#include <filesystem>
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

expected_samples samples_like_training(const run_setup& setup) {
  const json_value& data = *setup.resolved.find("data");
  const json_value* last = data.find("channels_last");
  const json_value* delimiter = data.find("delimiter");
  const json_value* format = data.find("format");
  return {setup.net->input_shape(),
          last != nullptr && last->is_bool() && last->as_bool(),
          delimiter != nullptr ? delimiter->as_string().front() : ',',
          setup.data.names.features,
          setup.data.names.first_index,
          format != nullptr && format->is_string() && format->as_string() == "tsv"};
}

std::string to_csv(const std::vector<float>& rows, const std::vector<std::string>& columns) {
  const std::size_t width = columns.size();
  std::string text;
  for (std::size_t j = 0; j < width; ++j)
    text += (j == 0 ? "" : ",") + csv_cell(columns[j]);
  text += '\n';
  for (std::size_t i = 0; i < rows.size(); ++i)
    fmt::format_to(std::back_inserter(text), "{}{}", rows[i], (i + 1) % width == 0 ? '\n' : ',');
  return text;
}

} // namespace

command_action add_predict_command(CLI::App& program) {
  struct options {
    std::string directory;
    checkpoint_choice which = checkpoint_choice::newest;
    std::string input;
    std::string output;
  };
  auto o = std::make_shared<options>();
  auto* command = program.add_subcommand("predict", "predictions of a run's newest model for new samples");
  command->add_option("DIR", o->directory, "the run directory")->required();
  add_best_option(*command, o->which);
  command
      ->add_option("--input", o->input,
                   "samples: .npy, IDX images, CSV with one sample a row, or LIBSVM where the training data "
                   "is (.gz too); "
                   "columns by their names where the training data has names, others are ignored")
      ->required();
  command->add_option("--output", o->output, "probabilities (or values): .csv or .npy")->required();
  return [o] {
    const bool as_npy = o->output.ends_with(".npy");
    if (!as_npy && !o->output.ends_with(".csv"))
      return complain(
          configuration_error(fmt::format("{}: predictions are written as .csv or .npy", o->output)));
    std::error_code ignored;
    if (std::filesystem::equivalent(o->input, o->output, ignored))
      return complain(configuration_error(fmt::format(
          "{}: the predictions would take the place of the samples; choose another --output", o->output)));
    auto run = open_model(o->directory, o->which);
    if (!run.ok())
      return complain(run.error());
    const auto input = read_prediction_input(o->input, samples_like_training(*run->setup));
    if (!input.ok())
      return complain(input.error());
    if (auto alike = check_same_kind(run->setup->data.kind, input->samples, o->input); !alike.ok())
      return complain(alike.error());
    if (!input->ignored_columns.empty())
      std::fprintf(stderr, "triage: %s: ignores what the model was not trained on: %s\n", o->input.c_str(),
                   join_names(input->ignored_columns).c_str());
    const auto rows = predict(*run, input->samples);
    const auto width = run->setup->net->output_width();
    const auto written =
        as_npy ? write_npy(o->output, {static_cast<std::int64_t>(input->samples.size), width}, rows)
               : write_file_atomic(o->output, to_csv(rows, prediction_names(*run->setup)));
    if (!written.ok())
      return complain(written.error());
    std::printf("%s: %zu predictions\n", o->output.c_str(), input->samples.size);
    return 0;
  };
}

} // namespace triage
