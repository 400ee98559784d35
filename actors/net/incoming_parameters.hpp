#pragma once

#include "actors/net/shared_memory.hpp"
#include "actors/run_records.hpp"
#include "core/result.hpp"

#include <memory>
#include <span>
#include <string>

namespace triage {

/// Parameters as a node receives them: in parts, from the front of the block to its end, of which a part may
/// have come ahead. Orders may start from them as soon as they are announced; who needs more than is there
/// waits for it. Lives on the network's thread.
class incoming_parameters {
public:
  /// `changes`: what compressed them; null: they come whole. Borrowed. `board`: where they may lie instead;
  /// null: nowhere.
  explicit incoming_parameters(std::size_t floats, const compressor* changes = nullptr,
                               std::shared_ptr<const shared_memory> board = nullptr)
      : pool_(floats), changes_(changes), board_(std::move(board)) {}

  /// Where the floats of a part go. An error when it is not the next one.
  [[nodiscard]] result<std::span<float>> place(std::span<const std::uint8_t> head, std::size_t floats);
  /// The part, which was placed, is there; without floats it only announces a version.
  [[nodiscard]] result<void> arrived(std::span<const std::uint8_t> head, std::size_t floats);
  /// The same for parts of the end of a snapshot that is not announced yet, and may never be: then the next
  /// ones take their place.
  [[nodiscard]] result<std::span<float>> place_ahead(std::span<const std::uint8_t> head, std::size_t floats);
  [[nodiscard]] result<void> arrived_ahead(std::span<const std::uint8_t> head, std::size_t floats);
  /// More of them lies on the board, or will.
  [[nodiscard]] result<void> on_board(std::span<const std::uint8_t> head);
  /// The next snapshot came as a change of the last one. An error when that is not there, or another.
  [[nodiscard]] result<void> changed(std::span<const std::uint8_t> head);
  /// What has been announced last; its parameters are empty before anything was.
  [[nodiscard]] const snapshot& latest() const { return latest_; }
  /// The rest will not come.
  void fail(const std::string& reason);

private:
  /// `from`: where what came ahead begins, 0: nothing of it counts.
  [[nodiscard]] result<void> begin(std::uint64_t version, std::size_t from);

  blob_pool pool_;
  const compressor* changes_;
  std::shared_ptr<const shared_memory> board_;
  mutable_blob block_; ///< of `latest_`, while parts are missing that travel
  snapshot latest_;
  struct end_of_next {
    mutable_blob block; ///< empty: nothing has come ahead
    std::uint64_t version = 0;
    std::size_t begin = 0; ///< what has come
    std::size_t end = 0;
  };
  end_of_next next_;
};

} // namespace triage
