#include "nn/kernels/weights.hpp"

namespace triage {

namespace {

class dnnl_packing : public packed_format {
public:
  dnnl_packing(dnnl::memory::desc plain, dnnl::memory::desc packed) : plain_(plain), packed_(packed) {}
  void pack(std::span<const float> plain, std::span<float> packed) const override {
    convert(plain_, plain, packed_, packed);
  }
  void unpack(std::span<const float> packed, std::span<float> plain) const override {
    convert(packed_, packed, plain_, plain);
  }

private:
  static void convert(const dnnl::memory::desc& from_layout, std::span<const float> from,
                      const dnnl::memory::desc& to_layout, std::span<float> to) {
    kernel_engine engine;
    auto k = make_reorder(engine, from_layout, to_layout);
    k.set(DNNL_ARG_FROM, from.data());
    k.set(DNNL_ARG_TO, to.data());
    k.run();
  }
  dnnl::memory::desc plain_;
  dnnl::memory::desc packed_;
};

} // namespace

weight_binding::weight_binding(kernel_engine& engine, use purpose, const dnnl::memory::desc& storage,
                               const dnnl::memory::desc& wanted)
    : direct_(storage == wanted) {
  if (direct_)
    return;
  copy_ = memory_for(wanted);
  if (purpose == use::read && (rounding_ = weight_rounding::between(storage, wanted)))
    return;
  if (purpose == use::read) {
    convert_ = make_reorder(engine, storage, wanted);
    convert_.set(DNNL_ARG_TO, copy_.data());
  } else {
    convert_ = make_reorder(engine, wanted, storage);
    convert_.set(DNNL_ARG_FROM, copy_.data());
  }
}

const float* weight_binding::load(const float* stored) {
  if (direct_)
    return stored;
  if (rounding_) {
    rounding_->run(stored, copy_.data());
    return copy_.data();
  }
  convert_.set(DNNL_ARG_FROM, stored);
  convert_.run();
  return copy_.data();
}

float* weight_binding::target(float* stored) {
  return direct_ ? stored : copy_.data();
}

void weight_binding::store(float* stored) {
  if (direct_)
    return;
  convert_.set(DNNL_ARG_TO, stored);
  convert_.run();
}

std::shared_ptr<const packed_format> make_packing(const dnnl::memory::desc& plain,
                                                  const dnnl::memory::desc& packed) {
  if (plain == packed || plain.get_size() != packed.get_size())
    return nullptr;
  return std::make_shared<dnnl_packing>(plain, packed);
}

} // namespace triage
