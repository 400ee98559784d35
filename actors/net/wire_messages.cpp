#include "actors/net/wire_messages.hpp"

#include "actors/net/harmless.hpp"
#include "core/wire.hpp"

#include <algorithm>
#include <array>
#include <cmath>

namespace triage {

namespace {

constexpr double longest_work = 1e7; ///< seconds for one order; sums of these must stay finite

bool is_duration(double seconds) {
  return seconds >= 0.0 && seconds <= longest_work;
}

error senseless(const char* what) {
  return run_error(std::string("it sent ") + what + " that makes no sense");
}

bool are_points(const std::vector<std::uint32_t>& ids, std::size_t points) {
  return !ids.empty() && std::all_of(ids.begin(), ids.end(), [&](auto id) { return id < points; });
}

bool are_finite(const std::vector<float>& values) {
  return std::all_of(values.begin(), values.end(), [](float v) { return std::isfinite(v); });
}

/// The names of what lanes record are string literals of this program; a peer's are looked up among them.
constexpr std::array event_names = {"gradient", "forward", "backward", "wait",
                                    "score",    "merge",   "evaluate", "save"};
const char* event_name(const std::string& name) {
  const auto at = std::find(event_names.begin(), event_names.end(), name);
  return at == event_names.end() ? "other" : *at;
}

} // namespace

frame to_frame(const join_frame& m) {
  return frame(frame_kind::join,
               wire_writer().number(m.slot).number(static_cast<std::uint8_t>(m.role)).text(m.name).take());
}

result<join_frame> read_join(std::span<const std::uint8_t> head) {
  wire_reader in(head);
  join_frame m;
  m.slot = in.number<slot_number>();
  const auto role = in.number<std::uint8_t>();
  m.role = static_cast<slot_role>(role);
  m.name = harmless(in.text());
  if (!in.complete() || role < 1 || role > 2)
    return senseless("a request to join");
  return m;
}

frame to_frame(const failure_frame& m) {
  return frame(frame_kind::failure, wire_writer().number(m.slot).text(m.reason).take());
}

result<failure_frame> read_failure(std::span<const std::uint8_t> head) {
  wire_reader in(head);
  failure_frame m;
  m.slot = in.number<slot_number>();
  m.reason = harmless(in.text());
  if (!in.complete())
    return senseless("a notice of failure");
  return m;
}

std::vector<std::uint8_t> pair_head(std::uint64_t first, std::uint64_t second) {
  return wire_writer().number(first).number(second).take();
}

result<std::pair<std::uint64_t, std::uint64_t>> read_pair(std::span<const std::uint8_t> head) {
  wire_reader in(head);
  const auto first = in.number<std::uint64_t>();
  const auto second = in.number<std::uint64_t>();
  if (!in.complete())
    return senseless("a number");
  return std::pair{first, second};
}

frame to_frame(const board_frame& m) {
  return frame(frame_kind::board, wire_writer().number(m.version).number(m.place).number(m.end).take());
}

result<board_frame> read_board_frame(std::span<const std::uint8_t> head) {
  wire_reader in(head);
  board_frame m;
  m.version = in.number<std::uint64_t>();
  m.place = in.number<std::uint64_t>();
  m.end = in.number<std::uint64_t>();
  if (!in.complete())
    return senseless("a notice about the board");
  return m;
}

frame to_frame(slot_number slot, const train_order& order) {
  wire_writer out;
  out.number(slot).number(order.lease).number(order.base.version);
  out.flag(!order.batches.front()->direction.empty())
      .flag(!order.batches.front()->added_gradient.empty())
      .number(static_cast<std::uint32_t>(order.batches.size()));
  for (const auto& b : order.batches)
    out.numbers(b->ids).numbers(b->weights);
  out.numbers(order.learning_rates);
  return frame(frame_kind::train_order, out.take());
}

result<received_train_order> read_train_order(std::span<const std::uint8_t> head, std::size_t points) {
  wire_reader in(head);
  received_train_order m;
  m.slot = in.number<slot_number>();
  m.lease = in.number<std::uint64_t>();
  m.version = in.number<std::uint64_t>();
  m.directed = in.flag();
  m.adds_gradient = in.flag();
  const auto batches = in.number<std::uint32_t>();
  for (std::uint32_t i = 0; i < batches && in.good(); ++i) {
    drawn_batch b;
    b.ids = in.numbers<std::uint32_t>();
    b.weights = in.numbers<float>();
    if (!are_points(b.ids, points) || b.weights.size() != b.ids.size() || !are_finite(b.weights))
      return senseless("an order");
    m.batches.push_back(std::move(b));
  }
  m.learning_rates = in.numbers<double>();
  const bool one_gradient = m.learning_rates.empty() && batches == 1;
  if (!in.complete() || batches == 0 || !(one_gradient || m.learning_rates.size() == batches) ||
      !std::all_of(m.learning_rates.begin(), m.learning_rates.end(),
                   [](double rate) { return std::isfinite(rate) && rate >= 0.0; }))
    return senseless("an order");
  return m;
}

frame to_frame(slot_number slot, const gradient_part& part, float_format format) {
  return frame(frame_kind::gradient_part,
               wire_writer().number(slot).number(part.lease).number<std::uint64_t>(part.begin).take(),
               part.gradient, part.begin, part.end - part.begin, format);
}

result<std::pair<slot_number, std::uint64_t>> read_slot_and_lease(std::span<const std::uint8_t> head) {
  wire_reader in(head);
  const auto slot = in.number<slot_number>();
  const auto lease = in.number<std::uint64_t>();
  if (!in.good())
    return senseless("a gradient");
  return std::pair{slot, lease};
}

result<received_gradient_part> read_gradient_part(std::span<const std::uint8_t> head) {
  wire_reader in(head);
  received_gradient_part m;
  m.slot = in.number<slot_number>();
  m.lease = in.number<std::uint64_t>();
  m.begin = in.number<std::uint64_t>();
  if (!in.complete())
    return senseless("a part of a gradient");
  return m;
}

frame change_frame(const snapshot& at) {
  wire_writer out;
  out.number(at.version).number(at.change->from).number(at.change->result).numbers(at.change->bytes);
  return frame(frame_kind::parameters_change, out.take());
}

result<received_change> read_change(std::span<const std::uint8_t> head) {
  wire_reader in(head);
  received_change m;
  m.version = in.number<std::uint64_t>();
  m.change.from = in.number<std::uint64_t>();
  m.change.result = in.number<std::uint64_t>();
  m.change.bytes = in.numbers<std::uint8_t>();
  if (!in.complete())
    return senseless("a change of the parameters");
  return m;
}

frame to_frame(slot_number slot, const train_result& r, float_format format, std::size_t begin) {
  wire_writer out;
  out.number(slot).number(r.lease).number(r.base_version).number(r.loss_sum).number(r.weighted_loss);
  out.number(r.correct);
  out.numbers(r.scores).numbers(r.losses).number(r.busy_seconds).flag(r.finite).numbers(r.suspects);
  out.numbers(r.encoded ? std::span<const std::uint8_t>(*r.encoded) : std::span<const std::uint8_t>());
  if (r.encoded)
    return frame(frame_kind::train_result, out.take());
  return frame(frame_kind::train_result, out.take(), r.gradient, begin, r.gradient.size() - begin, format);
}

result<received_train_result> read_train_result(std::span<const std::uint8_t> head, std::size_t points) {
  wire_reader in(head);
  received_train_result m;
  auto& r = m.result;
  m.slot = in.number<slot_number>();
  r.lease = in.number<std::uint64_t>();
  r.base_version = in.number<std::uint64_t>();
  r.loss_sum = in.number<double>();
  r.weighted_loss = in.number<double>();
  r.correct = in.number<std::uint64_t>();
  r.scores = in.numbers<float>();
  r.losses = in.numbers<float>();
  r.busy_seconds = in.number<double>();
  r.finite = in.flag();
  r.suspects = in.numbers<std::uint32_t>();
  if (auto bytes = in.numbers<std::uint8_t>(); !bytes.empty())
    r.encoded = std::make_shared<const byte_block>(std::move(bytes));
  if (!in.complete() || (!r.suspects.empty() && !are_points(r.suspects, points)) || r.suspects.size() > 5 ||
      !is_duration(r.busy_seconds))
    return senseless("a result");
  r.finite = r.finite && std::isfinite(r.loss_sum) && std::isfinite(r.weighted_loss);
  return m;
}

frame to_frame(slot_number slot, const score_order& order) {
  wire_writer out;
  out.number(slot).number(order.at.version).flag(!order.direction.empty()).numbers(order.ids);
  return frame(frame_kind::score_order, out.take());
}

result<received_score_order> read_score_order(std::span<const std::uint8_t> head, std::size_t points) {
  wire_reader in(head);
  received_score_order m;
  m.slot = in.number<slot_number>();
  m.version = in.number<std::uint64_t>();
  m.directed = in.flag();
  m.ids = in.numbers<std::uint32_t>();
  if (!in.complete() || !are_points(m.ids, points))
    return senseless("an order");
  return m;
}

frame to_frame(slot_number slot, const measured_scores& m, float_format format) {
  wire_writer out;
  out.number(slot).numbers(m.scores).number(m.version).number(m.busy_seconds);
  return frame(frame_kind::scores, out.take(), m.gradient.empty() ? blob() : blob::copy_of(m.gradient),
               format);
}

result<received_scores> read_scores(std::span<const std::uint8_t> head) {
  wire_reader in(head);
  received_scores m;
  m.slot = in.number<slot_number>();
  m.scores.scores = in.numbers<float>();
  m.scores.version = in.number<std::uint64_t>();
  m.scores.busy_seconds = in.number<double>();
  if (!in.complete() || !is_duration(m.scores.busy_seconds))
    return senseless("scores");
  return m;
}

frame to_report_frame(bool warning, const std::string& source, const std::string& text) {
  return frame(frame_kind::report, wire_writer().flag(warning).text(source).text(text).take());
}

result<received_report> read_report(std::span<const std::uint8_t> head) {
  wire_reader in(head);
  received_report m;
  m.warning = in.flag();
  m.source = harmless(in.text());
  m.text = harmless(in.text());
  if (!in.complete())
    return senseless("a report");
  return m;
}

frame to_frame(const trace_lane& lane, double clock_offset) {
  wire_writer out;
  out.text(lane.name).number(lane.lost).number(static_cast<std::uint32_t>(lane.events.size()));
  for (const auto& e : lane.events)
    out.text(e.name)
        .number(e.begin + clock_offset)
        .number(e.end + clock_offset)
        .number(e.version)
        .number(e.floats);
  return frame(frame_kind::lane, out.take());
}

result<trace_lane> read_lane(std::span<const std::uint8_t> head) {
  wire_reader in(head);
  trace_lane lane;
  lane.name = harmless(in.text());
  lane.lost = in.number<std::uint64_t>();
  const auto events = in.number<std::uint32_t>();
  for (std::uint32_t i = 0; i < events && in.good(); ++i) {
    trace_event e;
    e.name = event_name(in.text());
    e.begin = in.number<double>();
    e.end = in.number<double>();
    e.version = in.number<std::uint64_t>();
    e.floats = in.number<std::uint64_t>();
    lane.events.push_back(e);
  }
  const bool finite = std::all_of(lane.events.begin(), lane.events.end(), [](const auto& e) {
    return std::isfinite(e.begin) && std::isfinite(e.end);
  });
  if (!in.complete() || !finite)
    return senseless("a trace");
  return lane;
}

} // namespace triage
