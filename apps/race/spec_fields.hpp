#pragma once

#include "apps/race/spec.hpp"

namespace triage {

// The options of a specification as they stand in the file: reading and the reference follow from them.

struct race_fields {
  race_spec values;
  json_value base;
  json_value arms = json_value(json_value::array{});
  json_value targets = json_value(json_value::array{});
  void visit(option_visitor& v);
};

struct arm_fields {
  std::string name;
  json_value set = json_value(json_value::object{});
  json_value grid = json_value(json_value::object{});
  std::string grid_of;
  void visit(option_visitor& v);
};

struct target_fields {
  std::string metric;
  json_value value;
  void visit(option_visitor& v);
};

} // namespace triage
