#pragma once

#include <bitset>
#include <cstddef>
#include <cstdint>

namespace triage {

/// Which of a member's last results were finite.
class result_record {
public:
  static constexpr std::size_t window = 100;

  void add(bool good) {
    bad_.set(count_++ % window, !good);
    bad_in_a_row_ = good ? 0 : bad_in_a_row_ + 1;
    good_ += good ? 1 : 0;
  }
  [[nodiscard]] int bad_in_a_row() const { return bad_in_a_row_; }
  [[nodiscard]] std::size_t recent() const {
    return count_ < window ? static_cast<std::size_t>(count_) : window;
  }
  [[nodiscard]] std::size_t recent_bad() const { return bad_.count(); }
  [[nodiscard]] std::uint64_t good() const { return good_; }

private:
  std::bitset<window> bad_;
  std::uint64_t count_ = 0;
  std::uint64_t good_ = 0;
  int bad_in_a_row_ = 0;
};

} // namespace triage
