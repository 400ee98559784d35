#include "apps/bench/link_pair.hpp"
#include "apps/bench/models.hpp"
#include "apps/bench/roofline.hpp"
#include "apps/bench/whole_run.hpp"
#include "command_support.hpp"

#include <stdexcept>

// The suites measure what they say: the models of the documentation, whole runs, links that answer.

using namespace triage;
using namespace triage::test;

TEST_CASE("bench: the models are those of the PyTorch comparison, layer for layer: as many parameters") {
  const std::pair<const char*, std::size_t> sizes[] = {
      {"mlp", 784 * 512 + 512 + 512 * 256 + 256 + 256 * 10 + 10},
      {"cnn", 9 * 32 + 32 + 9 * 32 * 64 + 64 + 3136 * 128 + 128 + 128 * 10 + 10}};
  for (const auto& [name, expected] : sizes) {
    CAPTURE(std::string(name));
    const auto setup = make_bench_setup(name, 64);
    std::size_t values = 0;
    for (const auto& t : setup->net->parameters().tensors()) {
      std::size_t n = 1;
      for (const auto d : t.shape)
        n *= static_cast<std::size_t>(d);
      values += n;
    }
    CHECK(values == expected);
    CHECK(setup->config.batch_size == 64);
  }
  const auto script = text_of(TRIAGE_SOURCE_DIR "/apps/bench/compare_pytorch.py");
  for (const char* layer :
       {"nn.Linear(784, 512)", "nn.Linear(512, 256)", "nn.Linear(3136, 128)", "nn.Linear(64, 10)"})
    CHECK(script.find(layer) != std::string::npos);
}

TEST_CASE("bench: unknown models and overrides that do not fit are exceptions with a sentence") {
  CHECK_THROWS_AS((void)find_bench_model("vgg"), std::runtime_error);
  CHECK_THROWS_WITH_AS((void)make_bench_setup("mlp", 64, {"optimizer.learning_rat=1"}),
                       doctest::Contains("did you mean \"learning_rate\""), std::runtime_error);
  CHECK_THROWS_AS((void)make_bench_setup("mlp", 0), std::runtime_error);
}

TEST_CASE("bench: a whole run gives a rate, and one that fails is an exception with the reason") {
  CHECK(run_rate(make_bench_setup("mlp", 64, {"data.train_size=640"})) > 0.0);
  CHECK_THROWS_WITH_AS(
      (void)run_rate(make_bench_setup("mlp", 64, {"data.train_size=640", "optimizer.learning_rate=1e6"})),
      doctest::Contains("diverged"), std::runtime_error);
}

TEST_CASE("bench: the bare kernels of each model can be run, and run again") {
  for (const char* model : {"mlp", "cnn", "resnet8"}) {
    const auto setup = make_bench_setup(model, 8, {"data.train_size=64"});
    bare_kernels kernels(*setup->net, 8);
    kernels.run();
    kernels.run();
  }
}

TEST_CASE("bench: both ways over loopback push and answer, small and large") {
  const auto blocking = make_blocking_pair();
  const auto link = make_link_pair("");
  for (auto* pair : {blocking.get(), link.get()})
    for (const std::size_t bytes : {std::size_t{64}, std::size_t{1} << 20U})
      CHECK(pair->rate(bytes, 0.002) > 1.0);
  CHECK(encryption_speed(0.002) > 1e6);
  CHECK_THROWS_AS((void)make_link_pair("/nowhere"), std::runtime_error);
}
