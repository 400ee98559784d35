#pragma once

#include "core/options.hpp"

#include <cstdint>
#include <string>

namespace triage {

/// Whether samples stay in their file, mapped into memory, or are read once.
struct mapping_option {
  std::string mode = "auto";

  void visit(option_visitor& v) {
    v.field({.name = "map",
             .doc =
                 "samples stay in their file and are read from there when they are needed, so that data may "
                 "be larger than memory; auto: files of 256 MiB and more; the files must not change "
                 "meanwhile",
             .choices = {"auto", "always", "never"}},
            mode);
  }
  [[nodiscard]] bool wanted(std::uint64_t bytes) const {
    constexpr std::uint64_t large = std::uint64_t{256} << 20U;
    return mode == "always" || (mode == "auto" && bytes >= large);
  }
  [[nodiscard]] bool demanded() const { return mode == "always"; }
};

} // namespace triage
