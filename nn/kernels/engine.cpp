#include "nn/kernels/engine.hpp"

#include "core/float_memory.hpp"

#include <new>
#include <omp.h>

namespace triage {

namespace {
constexpr std::align_val_t alignment{64};
}

kernel_engine::kernel_engine() : engine_(dnnl::engine::kind::cpu, 0), stream_(engine_) {
  use_one_kernel_thread();
}

void kernel_engine::aligned_delete::operator()(std::byte* p) const {
  ::operator delete[](p, alignment);
}

void* kernel_engine::own_scratch() {
  if (needed_ > own_bytes_) {
    own_.reset(static_cast<std::byte*>(::operator new[](needed_, alignment)));
    own_bytes_ = needed_;
  }
  return own_.get();
}

void use_one_kernel_thread() {
  omp_set_num_threads(1);
}

bool has_bfloat16() {
  // Instruction sets are sums of bits: a later one holds those of its predecessors.
  const auto isa = static_cast<unsigned>(dnnl::get_effective_cpu_isa());
  const auto wanted = static_cast<unsigned>(dnnl::cpu_isa::avx512_core_bf16);
  return (isa & wanted) == wanted;
}

dnnl::primitive_attr kernel_attributes() {
  dnnl::primitive_attr attributes;
  attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  return attributes;
}

void kernel::add(int argument, const dnnl::memory::desc& layout) {
  memories_.emplace_back(layout, owner_->engine(), nullptr);
  arguments_.push_back({argument, memories_.back().get()});
}

void kernel::set(int argument, const float* data) {
  // oneDNN's interface knows no const; inputs are not written.
  set_bytes(argument, const_cast<float*>(data));
}

void kernel::set_bytes(int argument, void* data) {
  for (std::size_t i = 0; i < arguments_.size(); ++i)
    if (arguments_[i].arg == argument)
      memories_[i].set_data_handle(data);
}

void kernel::run() {
  // Scratch memory lies elsewhere from run to run.
  memories_[0].set_data_handle(owner_->scratch());
  dnnl::error::wrap_c_api(dnnl_primitive_execute(primitive_.get(), owner_->stream().get(),
                                                 static_cast<int>(arguments_.size()), arguments_.data()),
                          "a compute kernel failed");
}

kernel make_reorder(kernel_engine& owner, const dnnl::memory::desc& from, const dnnl::memory::desc& to) {
  const dnnl::reorder::primitive_desc descriptor(owner.engine(), from, owner.engine(), to,
                                                 kernel_attributes());
  kernel k(owner, descriptor, dnnl::reorder(descriptor));
  k.add(DNNL_ARG_FROM, from);
  k.add(DNNL_ARG_TO, to);
  return k;
}

void float_buffer::release::operator()(float* p) const {
  free_floats(p, floats);
}

float_buffer::float_buffer(std::size_t floats)
    : data_(allocate_floats(floats), release{floats}), size_(floats) {}

} // namespace triage
