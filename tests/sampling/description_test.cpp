#include "sampling/sampling_description.hpp"

#include "source_support.hpp"

#include "sampling/presets.hpp"
#include "sampling/weights.hpp"

#include <algorithm>
#include <cmath>
#include <cstdlib>

using namespace triage;
using namespace triage::test;

namespace {

std::string refusal_of(const json_value& description) {
  const auto made = make_sampling(description, {"run.json", "/sampling"});
  REQUIRE_MESSAGE(!made.ok(), dump_json(description));
  CHECK(made.error().kind == error_kind::configuration);
  CHECK_MESSAGE(made.error().message.find("run.json") == 0, made.error().message);
  return made.error().message;
}

std::string refusal_of(const char* text) {
  return refusal_of(json_text(text));
}

bool says(const std::string& message, std::string_view part) {
  const bool found = message.find(part) != std::string::npos;
  CHECK_MESSAGE(found, message, " does not say ", part);
  return found;
}

/// The bounds in a row of the reference: "0.01 to 1", "at least 0", "at most 4".
struct bounds {
  std::optional<double> low, high;
};
bounds bounds_of(const option_row& row) {
  const auto number_at = [&](std::size_t at) { return std::strtod(row.range.c_str() + at, nullptr); };
  constexpr std::string_view least = "at least ";
  constexpr std::string_view between = " to ";
  bounds out;
  if (row.range.starts_with(least)) {
    out.low = number_at(least.size());
  } else if (const auto at = row.range.find(between); at != std::string::npos) {
    out.low = number_at(0);
    out.high = number_at(at + between.size());
  }
  return out;
}

} // namespace

TEST_CASE(
    "sampling descriptions: every option of every selector refuses a wrong type, with line and pointer") {
  for (const auto& entry : selectors()) {
    CAPTURE(entry.name);
    const auto made = entry.make();
    sampling_options common;
    const auto rows = describe_options([&](option_visitor& v) {
      common.visit(v);
      made->visit(v);
    });
    CHECK(rows.size() >= 8);
    for (const auto& row : rows) {
      CAPTURE(row.name);
      if (row.name == "gate" || row.type == "component")
        continue; // parts with names of their own, below
      const auto dot = row.name.find('.');
      const std::string bad = row.type == "string" ? "[1]" : "\"text\"";
      const std::string value = dot == std::string::npos ? "\"" + row.name + "\": " + bad
                                                         : "\"" + row.name.substr(0, dot) + "\": {\"" +
                                                               row.name.substr(dot + 1) + "\": " + bad + "}";
      const auto message =
          refusal_of(("{\"type\": \"" + std::string(entry.name) + "\",\n\n " + value + "}").c_str());
      auto pointer = "/sampling/" + row.name;
      std::replace(pointer.begin(), pointer.end(), '.', '/');
      says(message, pointer);
      says(message, "line 3");
    }
  }
}

TEST_CASE("sampling descriptions: every bound that the reference states is kept, on both sides") {
  int checked = 0;
  for (const auto& entry : selectors()) {
    CAPTURE(entry.name);
    const auto made = entry.make();
    for (const auto& row : describe_options([&](option_visitor& v) { made->visit(v); })) {
      CAPTURE(row.name);
      CAPTURE(row.range);
      const auto limit = bounds_of(row);
      const auto with = [&](double v) {
        json_value d;
        d.set("type", json_value(entry.name));
        d.set(row.name, row.type.find("integer") != std::string::npos
                            ? json_value(static_cast<std::int64_t>(v))
                            : json_value(v));
        return d;
      };
      if (limit.low) {
        ++checked;
        says(refusal_of(with(*limit.low - 1.0)), "/sampling/" + row.name);
      }
      if (limit.high) {
        ++checked;
        says(refusal_of(with(*limit.high + 1.0)), "/sampling/" + row.name);
        CHECK(make_sampling(with(*limit.high), {"run.json", "/sampling"}).ok());
      }
    }
  }
  CHECK(checked >= 25);
}

TEST_CASE("sampling descriptions: a slip in the name of any part is met with the right name") {
  const auto check_table = [](const auto& names, const char* member, const char* rest) {
    for (const std::string_view name : names) {
      CAPTURE(name);
      std::string slip(name);
      slip.insert(slip.size() / 2, "x");
      const std::string part = member == std::string_view("type") ? "" : "\"type\": \"multinomial\", ";
      const auto message =
          refusal_of(("{" + part + "\"" + member + "\": \"" + slip + "\"" + rest + "}").c_str());
      says(message, "did you mean \"" + std::string(name) + "\"");
      says(message, std::string("/sampling/") + member);
    }
  };
  check_table(names_of(selectors()), "type", "");
  check_table(names_of(refresh_policies()), "estimator", "");
  check_table(names_of(predictors()), "predictor", "");
  check_table(names_of(weight_policies()), "weights", "");
  check_table(names_of(scores()), "score", "");
  std::vector<std::string_view> presets;
  for (const auto& p : sampling_presets())
    presets.push_back(p.name);
  check_table(presets, "type", "");
}

TEST_CASE("sampling descriptions: parts that cannot work together name the one to change and how") {
  struct wrong {
    const char* description;
    const char* pointer;
    const char* way_out;
  };
  for (
      const auto& w : {
          wrong{R"({"type": "multinomial", "estimator": "presample"})", "/sampling/estimator",
                "\"candidates\""},
          wrong{R"({"type": "topk_shard", "score": "loss", "estimator": "presample"})", "/sampling/estimator",
                "presample_topb"},
          wrong{R"({"type": "rank_exp", "score": "loss", "estimator": {"type": "presample"}})",
                "/sampling/estimator", "pps_epoch"},
          wrong{R"({"type": "pps_epoch", "score": "projection"})", "/sampling/estimator",
                "renew_round_robin"},
          wrong{R"({"type": "multinomial", "score": "projection_last", "estimator": "byproduct"})",
                "/sampling/estimator", "another estimator that measures"},
          wrong{R"({"type": "topk_shard", "gate": {"mode": "gain"}})", "/sampling/gate",
                "{\"mode\": \"off\"}"},
          wrong{R"({"type": "cdf_beta", "gate": {"mode": "measured"}})", "/sampling/gate",
                "{\"mode\": \"off\"}"},
          wrong{R"({"type": "multinomial", "weights": "none", "gate": {"mode": "gain"}})", "/sampling/gate",
                "unbiased"},
          wrong{
              R"({"type": "topk_shard", "score": "projection", "estimator": {"type": "renew_round_robin", "renew_ratio": 0}})",
              "/sampling/estimator", "let it measure"},
          wrong{R"({"type": "topk_shard", "score": "loss", "renewed_gradients": "add"})",
                "/sampling/renewed_gradients", "projection_last"},
          wrong{R"({"type": "uniform", "renewed_gradients": "add"})", "/sampling/renewed_gradients",
                "no effect"},
          wrong{R"({"type": "uniform", "score": "projection"})", "/sampling/score", "leave it out"},
          wrong{R"({"type": "uniform", "estimator": {"type": "exact_sweep", "wait": true}})",
                "/sampling/estimator", "another \"type\""},
          wrong{R"({"type": "uniform", "gate": {"mode": "gain"}})", "/sampling/gate", "no effect"},
          wrong{R"({"type": "uniform", "anneal_fraction": 0.5})", "/sampling/anneal_fraction", "no effect"},
          wrong{R"({"type": "pps_epoch", "kappa": 0.05, "pi_min": 0.5})", "/sampling/kappa",
                "lower \"pi_min\""},
          wrong{R"({"type": "pps_epoch", "max_age_epochs": 2})", "/sampling/max_age_epochs", "2.5"},
          wrong{R"({"type": "rho_loss"})", "/sampling/score", "irreducible_losses"},
          wrong{R"({"type": "multinomial", "score": {"type": "rho", "irreducible_losses": "/nowhere.npy"}})",
                "/sampling/score", "triage irreducible"},
      }) {
    CAPTURE(std::string(w.description));
    const auto made = make_sampling(json_text(w.description), {"run.json", "/sampling"});
    REQUIRE(!made.ok());
    says(made.error().message, w.pointer);
    says(made.error().message, w.way_out);
  }
  // What looks alike and does work.
  for (
      const char* fine : {
          R"({"type": "multinomial", "candidates": 2, "estimator": "presample"})",
          R"({"type": "pps_epoch", "estimator": "presample"})",
          R"({"type": "uniform", "guard": {"mode": "pass_over"}})", // which looks at losses
          R"({"type": "uniform", "score": "gnorm_last", "estimator": {"type": "byproduct"}, "warm_epochs": 0})",
          R"({"type": "pps_epoch", "kappa": 0.1})", R"({"type": "multinomial", "gate": {"mode": "gain"}})",
          R"({"type": "pps_epoch", "weights": "none"})", // its gate looks at the gain of full weights
      })
    CHECK_MESSAGE(make_sampling(json_text(fine), {"run.json", "/sampling"}).ok(), fine);
}

TEST_CASE("sampling descriptions: things that are no description at all") {
  says(refusal_of("3"), "/sampling");
  says(refusal_of("[]"), "/sampling");
  says(refusal_of("{}"), "type");
  says(refusal_of(R"({"type": 4})"), "/sampling");
  says(refusal_of(R"({"type": "uniform", "estimator": 7})"), "/sampling/estimator");
  says(refusal_of(R"({"type": "uniform", "score": {"name": "loss"}})"), "/sampling/score");
  CHECK(make_sampling(json_value("uniform"), {"run.json", "/sampling"}).ok()); // the bare name is one
}

TEST_CASE("sampling descriptions: scores of an embedding program join the table, also in what is suggested") {
  class zero : public score {
  public:
    [[nodiscard]] signal_set needs() const override { return static_cast<signal_set>(signal::loss); }
    void compute(const sample_signals&, std::span<const std::uint32_t>, std::span<float> out) const override {
      std::fill(out.begin(), out.end(), 0.0F);
    }
  };
  static const registry_entry<score_factory> extra[] = {
      {"margin_of_error", "ours", []() -> std::unique_ptr<score> { return std::make_unique<zero>(); }}};
  const auto made = make_sampling(json_text(R"({"type": "multinomial", "score": "margin_of_error"})"),
                                  {"run.json", "/sampling"}, extra);
  REQUIRE(made.ok());
  const auto slip = make_sampling(json_text(R"({"type": "multinomial", "score": "margin_of_eror"})"),
                                  {"run.json", "/sampling"}, extra);
  REQUIRE(!slip.ok());
  says(slip.error().message, "did you mean \"margin_of_error\"");
}

TEST_CASE("presets: each is one of the published methods in every part that its page names") {
  struct expectation {
    const char* preset;
    const char* selector;
    const char* score;
    const char* estimator;
  };
  for (const auto& e : {
           expectation{"auto", "pps_epoch", "gnorm_last_bound", "byproduct"},
           expectation{"pps", "pps_epoch", "gnorm_last", "byproduct"},
           expectation{"random_subset", "pps_epoch", "gnorm_last", "byproduct"},
           expectation{"zhou_gao", "topk_shard", "projection", "renew_round_robin"},
           expectation{"zhou_gao_aggressive", "topk_shard", "projection", "renew_round_robin"},
           expectation{"alain", "multinomial", "gnorm_full", "renew_round_robin"},
           expectation{"katharopoulos", "multinomial", "gnorm_last_bound", "presample"},
           expectation{"selective_backprop", "cdf_beta", "loss", "presample"},
           expectation{"stale_selective_backprop", "cdf_beta", "loss", "oldest_first"},
           expectation{"loshchilov", "rank_exp", "loss", "exact_sweep"},
           expectation{"infobatch", "infobatch", "loss", "byproduct"},
           expectation{"schaul", "multinomial", "loss", "byproduct"},
       }) {
    CAPTURE(std::string(e.preset));
    json_value description;
    description.set("type", json_value(e.preset));
    const auto resolved = describe_sampling(description).resolved;
    const auto name = [](const json_value* v) {
      return v->is_string() ? v->as_string() : v->find("type")->as_string();
    };
    CHECK(name(resolved.find("type")) == e.selector);
    CHECK(name(resolved.find("score")) == e.score);
    CHECK(name(resolved.find("estimator")) == e.estimator);
  }
  const auto schaul = describe_sampling(R"({"type": "schaul"})").resolved;
  CHECK(schaul.find("alpha")->as_number() == 0.6);
  CHECK(schaul.find("weights")->find("beta")->as_number() == 0.4);
  const auto zhou_gao = describe_sampling(R"({"type": "zhou_gao"})");
  CHECK(zhou_gao.resolved.find("share")->as_number() == 0.04);
  // One measured for every four trained: 1 % of the shard for 4 %.
  CHECK(zhou_gao.resolved.find("estimator")->find("renew_ratio")->as_number() == 0.25);
  CHECK(zhou_gao.history->extrapolates());
  // The aggressive variant differs in nothing else.
  auto aggressive = describe_sampling(R"({"type": "zhou_gao_aggressive"})").resolved;
  CHECK(aggressive.find("renewed_gradients")->as_string() == "add");
  aggressive.set("renewed_gradients", json_value("measure"));
  CHECK(dump_json(aggressive) == dump_json(zhou_gao.resolved));
}

TEST_CASE("presets: whatever a description says beside the name wins, in any order, and errors speak of its "
          "lines") {
  for (const auto& preset : sampling_presets()) {
    if (preset.name == "rho_loss")
      continue; // needs a file
    CAPTURE(preset.name);
    json_value d;
    d.set("floor", json_value(0.125));
    d.set("type", json_value(std::string(preset.name)));
    d.set("predictor", json_value("ema"));
    const auto made = describe_sampling(d);
    CHECK(made.resolved.find("floor")->as_number() == 0.125);
    CHECK(made.resolved.find("predictor")->as_string() == "ema");
  }
  const auto message = refusal_of("{\"type\": \"schaul\",\n\n\n\"alpha\": -3}");
  says(message, "line 4");
  says(message, "/sampling/alpha");
}
