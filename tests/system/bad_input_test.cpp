#include "run_folder.hpp"

#include "tests/core/data_support.hpp"

#include <fmt/format.h>

// What a user may get wrong, at the program itself: a message that names the place, the right exit code, at
// once.

using namespace triage;
using namespace triage::test;

namespace {

/// Refused at once, whatever else the machine does; the sanitizers' share is allowed for.
void check_refused(const finished_process& r, int exit_code, const std::string& expected) {
  CHECK_MESSAGE(r.exit_code == exit_code, r.output);
  CHECK_MESSAGE(contains(r.output, expected), r.output);
#if defined(__SANITIZE_ADDRESS__)
  constexpr double most_seconds = 3.0;
#else
  constexpr double most_seconds = 1.0;
#endif
  CHECK(r.cpu_seconds < most_seconds);
}

/// Ten images of 4x4 with labels 0 to 4, as training and as test set.
void write_images(const std::string& folder) {
  const std::string labels("\0\1\2\3\4\0\1\2\3\4", 10);
  for (const char* prefix : {"train", "t10k"}) {
    write_text(folder + "/" + prefix + "-images-idx3-ubyte", idx_file({10, 4, 4}, counting(160)));
    write_text(folder + "/" + prefix + "-labels-idx1-ubyte", idx_file({10}, labels));
  }
}

std::string data_option(const std::string& format, const std::string& path, const std::string& more = {}) {
  return fmt::format(R"(data={{"format":"{}","path":"{}"{}}})", format, path, more);
}

} // namespace

TEST_CASE("bad descriptions: a clear message with the place, exit code 2, within a second") {
  struct bad_case {
    const char* override_text;
    const char* expected;
  };
  const folder_with_description f;
  for (const auto& c :
       {bad_case{"optimizer.learning_rat=0.1", "did you mean \"learning_rate\""},
        bad_case{"optimizer.learning_rate=NaN", "/optimizer/learning_rate"},
        bad_case{"batch_size=\"x\"", "/batch_size"}, bad_case{"batch_size=0", "must be 1 to"},
        bad_case{"model.0.type=densee", "did you mean \"dense\""}, bad_case{"model.1.units=7", "need 5"},
        bad_case{"model=[{\"type\":\"conv2d\",\"filters\":4,\"kernel\":5,\"padding\":\"valid\"}]",
                 "layer 0 (conv2d)"},
        bad_case{"duration.epochs=null", "never end"},
        bad_case{"runtime.exchange.policy=bps", "did you mean \"bsp\""},
        bad_case{"sampling.kapa=1", "did you mean \"kappa\""},
        bad_case{"loss=softmax", "softmax_cross_entropy"}, bad_case{"data.format=indx", "idx"}}) {
    CAPTURE(c.override_text);
    check_refused(f.triage({"train", f.file, "--run-dir", f.folder.path("bad"), "--set", c.override_text}), 2,
                  c.expected);
  }
  CHECK(!std::filesystem::exists(f.folder.path("bad")));
}

TEST_CASE("layers whose shapes do not fit: which one, and what shape came in") {
  const folder_with_description f;
  for (const auto& [model, expected] :
       {std::pair{
            R"([{"type":"dense","units":8},{"type":"conv2d","filters":4,"kernel":3,"padding":"valid"}])",
            std::pair{"layer 1 (conv2d)", "input of shape 8"}},
        std::pair{R"([{"type":"max_pool","size":2},{"type":"dense","units":5}])",
                  std::pair{"layer 0 (max_pool)", "input of shape 16"}}}) {
    const auto r = f.triage({"train", f.file, "--set", std::string("model=") + model});
    check_refused(r, 2, expected.first);
    CHECK_MESSAGE(contains(r.output, expected.second), r.output);
  }
}

TEST_CASE("files that are no JSON description: exit code 2 and the line") {
  for (const std::string& text :
       {std::string("{\"a\": NaN}"), std::string("{\"a\": 1, \"a\": 2}"), std::string(100000, '['),
        std::string("{\n\n \"data\": 1e400}"), std::string()}) {
    const folder_with_description f(text);
    check_refused(f.triage({"train", f.file}), 2, "line");
  }
  const folder_with_description f;
  check_refused(f.triage({"train", f.folder.path("missing.json")}), 2, "missing.json");
  check_refused(f.triage({"train", f.folder.path()}), 2, f.folder.path());
  CHECK(f.triage({"train"}).exit_code == 2);
  check_refused(f.triage({"trian", f.file}), 2, "did you mean \"train\"");
  check_refused(f.triage({"train", f.file, "--run-dri", "x"}), 2, "--run-dri");
  CHECK(f.triage({"--help"}).exit_code == 0);
}

TEST_CASE("data that cannot be used: exit code 3 and the file") {
  const folder_with_description f;
  for (const char* format : {"idx", "cifar10", "cifar100", "csv", "tsv", "libsvm", "npy"}) {
    CAPTURE(format);
    check_refused(f.triage({"train", f.file, "--set", data_option(format, f.folder.path("nothing"))}), 3,
                  "nothing");
  }
}

TEST_CASE("data files that are cut off, promise too much or hold foreign labels: exit code 3 and the file") {
  const folder_with_description f;
  const std::string images = f.folder.path("train-images-idx3-ubyte");
  const std::string labels = f.folder.path("train-labels-idx1-ubyte");
  const auto trained = [&](const std::string& option) {
    return f.triage({"train", f.file, "--run-dir", f.folder.path("bad"), "--set", option});
  };
  const std::string idx = data_option("idx", f.folder.path());
  struct bad_file {
    std::string path;
    std::string bytes;
    std::string expected;
  };
  for (const auto& bad :
       {bad_file{images, idx_file({10, 4, 4}, counting(159)), "at most 159 can follow"},
        bad_file{images, idx_file({10, 4, 4}, "").substr(0, 9), "ends"},
        bad_file{images, idx_file({0x80000000U, 4, 4}, counting(160)), "the header promises"},
        bad_file{labels, idx_file({0x80000000U}, counting(10)), "the header promises"},
        bad_file{f.folder.path("t10k-labels-idx1-ubyte"), idx_file({10}, std::string(10, '\7')),
                 "label 7"}}) {
    write_images(f.folder.path());
    write_text(bad.path, bad.bytes);
    const auto r = trained(idx);
    check_refused(r, 3, bad.path);
    CHECK_MESSAGE(contains(r.output, bad.expected), r.output);
  }
  write_text(f.folder.path("some.bin"), "\3" + counting(3071));
  check_refused(trained(data_option("cifar10", f.folder.path(), R"(,"train":"some.bin")")), 3, "some.bin");
  write_text(f.folder.path("some.bin"), "\x0b" + counting(3072));
  check_refused(trained(data_option("cifar10", f.folder.path(), R"(,"train":"some.bin")")), 3, "label 11");
  CHECK(!std::filesystem::exists(f.folder.path("bad")));
}

TEST_CASE("files that are cut off, for the commands that read a run or an array: exit code 3 and the file") {
  const folder_with_description f;
  const std::string run = f.folder.path("r");
  REQUIRE(f.triage({"train", f.file, "--run-dir", run, "--quiet", "--set", "duration.epochs=1"}).exit_code ==
          0);
  REQUIRE(f.triage({"export", run, "--output", f.folder.path("m.safetensors")}).exit_code == 0);
  write_text(f.folder.path("in.csv"), "0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15\n");
  REQUIRE(f.triage({"predict", run, "--input", f.folder.path("in.csv"), "--output", f.folder.path("p.npy")})
              .exit_code == 0);
  for (const char* name : {"m.safetensors", "p.npy"}) {
    const auto whole = file_text(f.folder.path(name));
    for (const std::size_t length : {std::size_t{0}, std::size_t{5}, whole.size() / 2, whole.size() - 1}) {
      const std::string cut = f.folder.path(std::string("cut-") + name);
      write_text(cut, whole.substr(0, length));
      check_refused(f.triage({"inspect", cut}), 3, cut);
    }
  }
  const std::string cut = f.folder.path("cut-p.npy");
  check_refused(f.triage({"predict", run, "--input", cut, "--output", f.folder.path("out.csv")}), 3, cut);
  check_refused(f.triage({"predict", run, "--input", f.folder.path("none.npy"), "--output", "x.csv"}), 3,
                "none.npy");
  check_refused(f.triage({"predict", run, "--input", f.folder.path("in.csv"), "--output", "x.txt"}), 2,
                "x.txt");
  check_refused(f.triage({"evaluate", f.folder.path("none")}), 2, "none");
}

TEST_CASE("a learning rate that diverges: exit code 1, and the first checkpoint stays") {
  const folder_with_description f;
  const auto r =
      f.triage({"train", f.file, "--run-dir", f.folder.path("r"), "--set", "optimizer.learning_rate=1e6"});
  check_refused(r, 1, "diverged");
  CHECK_MESSAGE(contains(r.output, "optimizer.learning_rate"), r.output);
  CHECK(contains(f.triage({"inspect", f.folder.path("r")}).output, "healthy"));
}
