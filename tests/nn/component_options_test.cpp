#include "core/options.hpp"
#include "nn/augmentation.hpp"
#include "nn/layer.hpp"
#include "nn/loss.hpp"
#include "nn/optimizer.hpp"
#include "nn/schedule.hpp"
#include "tests/support/json_text.hpp"

#include <cmath>
#include <doctest/doctest.h>
#include <functional>
#include <set>
#include <string>
#include <vector>

// Every option of every component in every table of nn: its range, its type, its place in messages. The
// options are taken from the components, so that a new one is tested without a line here.

using namespace triage;

namespace {

struct option {
  std::string name;
  char type = 'j'; ///< b, i, d, s, v (vector) or j (JSON, read by the component)
  double min = 0.0;
  double max = 0.0;
  std::vector<std::string> choices;
  bool required = false;
  std::string doc;
};

class option_collector : public option_visitor {
public:
  std::vector<option> options;
  void field(const option_info& i, bool&) override { add(i, 'b'); }
  void field(const option_info& i, std::int64_t&) override { add(i, 'i'); }
  void field(const option_info& i, double&) override { add(i, 'd'); }
  void field(const option_info& i, std::string&) override { add(i, 's'); }
  void field(const option_info& i, std::optional<std::int64_t>&) override { add(i, 'i'); }
  void field(const option_info& i, std::optional<double>&) override { add(i, 'd'); }
  void field(const option_info& i, std::vector<std::string>&) override { add(i, 'v'); }
  void field(const option_info& i, std::vector<std::int64_t>&) override { add(i, 'v'); }
  void field(const option_info& i, json_value&) override { add(i, 'j'); }
  void group(const option_info&, const std::function<void(option_visitor&)>& visit) override { visit(*this); }

private:
  void add(const option_info& i, char type) {
    options.push_back({std::string(i.name),
                       type,
                       i.min,
                       i.max,
                       {i.choices.begin(), i.choices.end()},
                       i.required,
                       std::string(i.doc)});
  }
};

/// One component of a table: its options, and what making it from a description says ("" when it is made).
struct component {
  std::string name;
  std::string summary;
  std::vector<option> options;
  std::function<std::string(const json_value&)> make;
  std::string pointer; ///< where its description stands
};

template <class Made>
std::string message_of(const Made& made) {
  if (made.ok())
    return "";
  CHECK(made.error().kind == error_kind::configuration);
  return made.error().message;
}

template <class Entry>
component component_of(const Entry& entry, const std::string& pointer,
                       std::function<std::string(const json_value&)> make) {
  option_collector c;
  const auto one = entry.make();
  one->visit(c);
  return {std::string(entry.name), std::string(entry.summary), c.options, std::move(make), pointer};
}

std::vector<component> all_components() {
  std::vector<component> all;
  for (const auto& e : optimizers())
    all.push_back(component_of(e, "/x", [](const json_value& d) {
      return message_of(make_optimizer(d, {"run.json", "/x"}));
    }));
  for (const auto& e : schedules())
    all.push_back(component_of(e, "/x", [](const json_value& d) {
      return message_of(make_schedule(d, {"run.json", "/x"}));
    }));
  for (const auto& e : loss_functions())
    all.push_back(component_of(e, "/x", [](const json_value& d) {
      return message_of(make_loss(d, {"run.json", "/x"}));
    }));
  for (const auto& e : augmentations())
    all.push_back(component_of(e, "/x/0", [](const json_value& d) {
      return message_of(make_augmentations(json_value(json_value::array{d}), {"run.json", "/x"}));
    }));
  for (const auto& e : layers())
    all.push_back(component_of(e, "/x/0", [](const json_value& d) {
      return message_of(make_layers(json_value(json_value::array{d}), {"run.json", "/x"}, {4, 8, 8}, {}));
    }));
  return all;
}

/// A description with what the component requires.
json_value minimal(const component& c) {
  json_value d(json_value::object{{"type", json_value(c.name)}});
  for (const auto& o : c.options)
    if (o.required)
      d.set(o.name, o.type == 'j' ? json_value(json_value::array{json_value("tanh")}) : json_value(4));
  return d;
}

json_value number(const option& o, double v) {
  return o.type == 'i' ? json_value(static_cast<std::int64_t>(v)) : json_value(v);
}

template <class Check>
void for_every_component(const Check& check) {
  for (const auto& c : all_components()) {
    CAPTURE(c.name);
    check(c);
  }
}

} // namespace

TEST_CASE("components: names are unique, and every component and option has a sentence") {
  std::set<std::string> names;
  for_every_component([&](const component& c) {
    CHECK(names.insert(c.pointer + c.name).second);
    CHECK(c.summary.size() > 5);
    std::set<std::string> options;
    for (const auto& o : c.options) {
      CAPTURE(o.name);
      CHECK(options.insert(o.name).second);
      CHECK(o.doc.size() > 3);
      CHECK(o.name != "type");
    }
  });
  CHECK(names.size() > 30);
}

TEST_CASE("components: defaults are made, from the bare name too where nothing is required") {
  for_every_component([](const component& c) {
    CHECK(c.make(minimal(c)) == "");
    bool needs = false;
    for (const auto& o : c.options)
      needs = needs || o.required;
    const auto bare = c.make(json_value(c.name));
    if (!needs)
      CHECK(bare == "");
  });
}

TEST_CASE(
    "components: what is beyond a range is refused with pointer, value and range, and its ends are not") {
  int ends = 0;
  for_every_component([&](const component& c) {
    for (const auto& o : c.options) {
      if (o.type != 'i' && o.type != 'd')
        continue;
      CAPTURE(o.name);
      for (const bool low : {true, false}) {
        const double end = low ? o.min : o.max;
        if (std::isinf(end))
          continue;
        ++ends;
        const double step = (low ? -1.0 : 1.0) * (o.type == 'i' ? 1.0 : std::max(1e-9, 1e-6 * std::abs(end)));
        auto d = minimal(c);
        d.set(o.name, number(o, end + step));
        const auto message = c.make(d);
        CAPTURE(message);
        CHECK(message.starts_with("run.json, "));
        CHECK(message.find(c.pointer + "/" + o.name + ": is ") != std::string::npos);
        // The end itself may make no sense together with the rest, but not because of its range.
        d.set(o.name, number(o, end));
        CHECK(c.make(d).find("/" + o.name + ": is ") == std::string::npos);
      }
    }
  });
  CHECK(ends > 60);
}

TEST_CASE("components: values of another type are refused with the pointer, whatever they are") {
  for_every_component([](const component& c) {
    for (const auto& o : c.options)
      for (const auto& [type, value] : std::vector<std::pair<char, json_value>>{
               {'b', json_value(true)},
               {'i', json_value(2)},
               {'d', json_value(0.25)},
               {'s', json_value("x")},
               {'o', json_value(json_value::object{{"a", json_value(1)}})}}) {
        if (o.type == 'j' || o.type == type || (o.type == 'd' && type == 'i'))
          continue;
        CAPTURE(o.name);
        CAPTURE(dump_json(value));
        auto d = minimal(c);
        d.set(o.name, value);
        const auto message = c.make(d);
        CAPTURE(message);
        CHECK(message.find(c.pointer + "/" + o.name + ": must be ") != std::string::npos);
      }
  });
}

TEST_CASE("components: options that are JSON refuse what is none of their forms, and say where and what") {
  // The padding of windows, the layers of a residual block.
  for_every_component([](const component& c) {
    for (const auto& o : c.options)
      if (o.type == 'j')
        for (const auto& value : {json_value(true), json_value(0.5), json_value("no such thing"),
                                  json_value(json_value::object{})}) {
          CAPTURE(o.name);
          CAPTURE(dump_json(value));
          auto d = minimal(c);
          d.set(o.name, value);
          const auto message = c.make(d);
          CAPTURE(message);
          CHECK(message.starts_with("run.json, "));
          CHECK(message.find(c.pointer) != std::string::npos);
          CHECK(message.find(o.name) != std::string::npos);
        }
  });
}

TEST_CASE("components: choices are listed when none of them is given, and each is accepted") {
  for_every_component([](const component& c) {
    for (const auto& o : c.options) {
      if (o.choices.empty())
        continue;
      CAPTURE(o.name);
      auto d = minimal(c);
      d.set(o.name, json_value("no such choice"));
      const auto message = c.make(d);
      for (const auto& choice : o.choices) {
        CHECK_MESSAGE(message.find(choice) != std::string::npos, message);
        d.set(o.name, json_value(choice));
        CHECK(c.make(d) == "");
      }
    }
  });
}

TEST_CASE("components: a slip in a name, of a component or an option, is answered with the right one") {
  for_every_component([](const component& c) {
    for (const auto& o : c.options) {
      if (o.name.size() < 5)
        continue;
      auto slip = o.name;
      std::swap(slip[1], slip[2]);
      if (slip == o.name)
        continue;
      auto d = minimal(c);
      d.set(slip, json_value(1));
      CHECK(c.make(d).find("did you mean \"" + o.name + "\"?") != std::string::npos);
    }
    auto d = minimal(c);
    d.set("type", json_value(c.name + "q"));
    const auto message = c.make(d);
    CHECK_MESSAGE(message.find("did you mean \"" + c.name + "\"?") != std::string::npos, message);
    CHECK_MESSAGE(message.find(c.pointer + "/type") != std::string::npos, message);
  });
}

TEST_CASE("components: null leaves an option at its default") {
  for_every_component([](const component& c) {
    for (const auto& o : c.options) {
      if (o.required)
        continue;
      CAPTURE(o.name);
      auto d = minimal(c);
      d.set(o.name, nullptr);
      CHECK(c.make(d) == "");
    }
  });
}
