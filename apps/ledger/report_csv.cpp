#include "apps/ledger/report.hpp"
#include "core/formats/csv_tokenizer.hpp"

#include <fmt/format.h>

namespace triage {

namespace {

std::string label_text(const data_splits& data, std::size_t id) {
  const dataset& train = data.train;
  if (train.is_classification())
    return csv_cell(data.names.of_class(train.labels[id]));
  return fmt::format("{:g}", train.targets[id * static_cast<std::size_t>(train.outputs)]);
}

} // namespace

std::string ledger_csv(const data_splits& data, const point_ledger& ledger, const ledger_account& account,
                       std::span<const float> priorities) {
  std::string out = "index,row,label,trained,scored,priority,last_loss,mean_loss,lowest_loss,doubt\n";
  for (std::size_t i = 0; i < ledger.size(); ++i) {
    out += fmt::format("{},{},{},{},{},", i, data.train.row_of(i), label_text(data, i),
                       ledger.times_trained(i), ledger.times_scored(i));
    out += priorities.empty() ? "," : fmt::format("{:.6g},", priorities[i]);
    // What was never trained has no losses.
    out += ledger.times_trained(i) == 0
               ? ",,,\n"
               : fmt::format("{:.6g},{:.6g},{:.6g},{:.6g}\n", ledger.last_loss(i), ledger.mean_loss(i),
                             ledger.lowest_loss(i), account.doubt[i]);
  }
  return out;
}

std::string suspects_csv(const data_splits& data, const point_ledger& ledger, const ledger_account& account) {
  std::string out = "rank,index,row,label,model_says,probability,doubt,mean_loss,last_loss,trained\n";
  for (std::size_t r = 0; r < account.suspects.size(); ++r) {
    const suspect& s = account.suspects[r];
    out += fmt::format("{},{},{},{},", r + 1, s.id, data.train.row_of(s.id), label_text(data, s.id));
    out += data.train.is_classification()
               ? fmt::format("{},{:.4f},", csv_cell(data.names.of_class(s.opinion)), s.probability)
               : ",,";
    out += fmt::format("{:.6g},{:.6g},{:.6g},{}\n", s.doubt, ledger.mean_loss(s.id), ledger.last_loss(s.id),
                       ledger.times_trained(s.id));
  }
  return out;
}

} // namespace triage
