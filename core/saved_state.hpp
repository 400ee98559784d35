#pragma once

#include "core/result.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace triage {

/// Named arrays that together are the state of a component: what it writes into a checkpoint and reads back.
/// Components nest by prefix ("sampler/priorities/value"). Order is kept; names are unique.
class saved_state {
public:
  using values = std::variant<std::vector<float>, std::vector<double>, std::vector<std::int32_t>,
                              std::vector<std::uint32_t>, std::vector<std::int64_t>,
                              std::vector<std::uint64_t>, std::vector<std::uint8_t>>;
  struct entry {
    std::string name;
    values data;
  };

  /// Replaces an entry of the same name.
  void put(std::string_view name, values data);
  void put_text(std::string_view name, std::string_view text);
  /// Adds all entries of `other` as `prefix`/name.
  void put_all(std::string_view prefix, saved_state other);

  [[nodiscard]] const values* find(std::string_view name) const;
  /// The array of that name and type, or an error that names it ("the checkpoint has no …").
  template <class T>
  [[nodiscard]] result<std::vector<T>> get(std::string_view name) const {
    const values* v = find(name);
    if (v == nullptr)
      return missing(name);
    if (const auto* typed = std::get_if<std::vector<T>>(v))
      return *typed;
    return wrong_type(name);
  }
  /// The only element of an array of length one.
  template <class T>
  [[nodiscard]] result<T> get_one(std::string_view name) const {
    auto all = get<T>(name);
    if (!all.ok())
      return all.error();
    if (all->size() != 1)
      return wrong_type(name);
    return (*all)[0];
  }
  [[nodiscard]] result<std::string> get_text(std::string_view name) const;
  /// The entries below `prefix`, without it.
  [[nodiscard]] saved_state below(std::string_view prefix) const;

  [[nodiscard]] const std::vector<entry>& entries() const& { return entries_; }
  [[nodiscard]] std::vector<entry> entries() && { return std::move(entries_); }

private:
  [[nodiscard]] static error missing(std::string_view name);
  [[nodiscard]] static error wrong_type(std::string_view name);
  std::vector<entry> entries_;
};

} // namespace triage
