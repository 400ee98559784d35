#include "actors/batch_stock.hpp"

#include "actors/sharded_stock.hpp"

#include <deque>

namespace triage {

namespace {

class common_stock : public batch_stock {
public:
  void put(const shared_batch& batch) override {
    batches_.push_back(batch);
    samples_ += batch->ids.size();
  }
  void put_back(const batch_list& batches) override {
    batches_.insert(batches_.begin(), batches.begin(), batches.end());
    samples_ += samples_of(batches);
  }
  batch_list take(const std::string&, std::size_t count, bool) override {
    if (batches_.size() < count)
      return {};
    const auto end = batches_.begin() + static_cast<std::ptrdiff_t>(count);
    batch_list out(std::make_move_iterator(batches_.begin()), std::make_move_iterator(end));
    batches_.erase(batches_.begin(), end);
    samples_ -= samples_of(out);
    return out;
  }
  [[nodiscard]] std::size_t samples() const override { return samples_; }
  [[nodiscard]] std::size_t batches() const override { return batches_.size(); }
  [[nodiscard]] batch_list contents() const override { return {batches_.begin(), batches_.end()}; }

private:
  std::deque<shared_batch> batches_;
  std::size_t samples_ = 0;
};

} // namespace

std::unique_ptr<batch_stock> make_batch_stock(std::size_t points, std::size_t batch_size,
                                              std::size_t shards) {
  if (shards == 0)
    return std::make_unique<common_stock>();
  return std::make_unique<sharded_stock>(points, shards, batch_size);
}

} // namespace triage
