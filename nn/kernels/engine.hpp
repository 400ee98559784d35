#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <oneapi/dnnl/dnnl.hpp>
#include <utility>
#include <vector>

namespace triage {

/// A oneDNN engine with its stream and the scratch memory of its kernels, which they share, because they run
/// one after the other. Belongs to one thread at a time.
class kernel_engine {
public:
  kernel_engine();

  [[nodiscard]] const dnnl::engine& engine() const { return engine_; }
  [[nodiscard]] const dnnl::stream& stream() const { return stream_; }
  /// A kernel that is being built needs so much.
  void need_scratch(std::size_t bytes) { needed_ = std::max(needed_, bytes); }
  /// Kernels that run from now on find their scratch memory there; null: in a buffer of the engine's own, as
  /// large as the most that was ever needed.
  void lend_scratch(void* memory) { lent_ = memory; }
  [[nodiscard]] void* scratch() { return lent_ != nullptr ? lent_ : own_scratch(); }

private:
  friend class scratch_meter;
  struct aligned_delete {
    void operator()(std::byte* p) const;
  };
  [[nodiscard]] void* own_scratch();

  dnnl::engine engine_;
  dnnl::stream stream_;
  void* lent_ = nullptr;
  std::unique_ptr<std::byte[], aligned_delete> own_;
  std::size_t own_bytes_ = 0;
  std::size_t needed_ = 0;
};

/// How much scratch memory the kernels need that are built during its life. Meters may lie within each other.
class scratch_meter {
public:
  explicit scratch_meter(kernel_engine& engine)
      : engine_(engine), before_(std::exchange(engine.needed_, std::size_t{0})) {}
  ~scratch_meter() { engine_.need_scratch(before_); }
  scratch_meter(const scratch_meter&) = delete;
  scratch_meter& operator=(const scratch_meter&) = delete;
  [[nodiscard]] std::size_t bytes() const { return engine_.needed_; }

private:
  kernel_engine& engine_;
  std::size_t before_;
};

/// oneDNN runs on as many OpenMP threads as the calling thread asks for. Every actor is one thread: call this
/// on the thread before kernels are built or run.
void use_one_kernel_thread();

/// Whether this processor multiplies bfloat16 numbers itself (AVX512-BF16, or AMX); others would only emulate
/// it.
[[nodiscard]] bool has_bfloat16();

/// Attributes that every kernel is made with: scratch memory comes from us.
[[nodiscard]] dnnl::primitive_attr kernel_attributes();

/// A primitive with its arguments. Buffers with a fixed address are bound once, the others before each run.
class kernel {
public:
  kernel() = default;
  template <class PrimitiveDescriptor>
  kernel(kernel_engine& owner, const PrimitiveDescriptor& descriptor, const dnnl::primitive& primitive)
      : owner_(&owner), primitive_(primitive) {
    const auto scratch = descriptor.scratchpad_desc();
    owner.need_scratch(scratch.get_size());
    add(DNNL_ARG_SCRATCHPAD, scratch);
  }

  [[nodiscard]] bool empty() const { return owner_ == nullptr; }
  /// Declares an argument; the data comes with `set`.
  void add(int argument, const dnnl::memory::desc& layout);
  /// Declares and binds in one.
  void add(int argument, const dnnl::memory::desc& layout, const float* data) {
    add(argument, layout);
    set(argument, data);
  }
  void set(int argument, const float* data);
  void set_bytes(int argument, void* data);
  void run();

private:
  kernel_engine* owner_ = nullptr;
  dnnl::primitive primitive_;
  std::vector<dnnl_exec_arg_t> arguments_;
  std::vector<dnnl::memory> memories_;
};

/// Copies between two layouts of the same tensor.
[[nodiscard]] kernel make_reorder(kernel_engine& owner, const dnnl::memory::desc& from,
                                  const dnnl::memory::desc& to);

/// Memory for floats, 64-byte aligned, zeroed, with a fixed address.
class float_buffer {
public:
  float_buffer() = default;
  explicit float_buffer(std::size_t floats);
  [[nodiscard]] float* data() { return data_.get(); }
  [[nodiscard]] std::size_t size() const { return size_; }

private:
  struct release {
    release() : floats(0) {}
    explicit release(std::size_t count) : floats(count) {}
    std::size_t floats;
    void operator()(float* p) const;
  };
  std::unique_ptr<float[], release> data_;
  std::size_t size_ = 0;
};

/// Memory for a tensor of any type.
[[nodiscard]] inline float_buffer memory_for(const dnnl::memory::desc& layout) {
  return float_buffer((layout.get_size() + sizeof(float) - 1) / sizeof(float));
}

} // namespace triage
