#include "apps/ledger/account.hpp"
#include "apps/ledger/png.hpp"
#include "apps/ledger/report.hpp"

#include "actors/train.hpp"
#include "apps/irreducible/folds.hpp"
#include "core/overrides.hpp"

#include <algorithm>
#include <doctest/doctest.h>
#include <string>
#include <zlib.h>

using namespace triage;

namespace {

dataset labelled(std::vector<std::int32_t> labels, std::int64_t classes) {
  dataset set;
  set.shape = {2, 1, 1};
  set.size = labels.size();
  set.classes = classes;
  set.labels = std::move(labels);
  set.floats.assign(2 * set.size, 0.5F);
  return set;
}

std::uint32_t read_u32(const std::string& bytes, std::size_t at) {
  std::uint32_t v = 0;
  for (std::size_t i = 0; i < 4; ++i)
    v = (v << 8U) | static_cast<unsigned char>(bytes[at + i]);
  return v;
}

} // namespace

TEST_CASE("doubts compare a point with its class, and skip what was never trained") {
  const auto train = labelled({0, 0, 0, 1, 1, 1}, 2);
  point_ledger ledger(6);
  // Class 1 is hard as a whole; point 2 stands out in an easy class.
  ledger.trained(std::vector<std::uint32_t>{0, 1, 2, 3, 4}, std::vector<float>{0.1F, 0.1F, 1.5F, 2.0F, 2.1F});
  const auto doubt = doubts_of(ledger, train);
  CHECK(std::max_element(doubt.begin(), doubt.end()) - doubt.begin() == 2);
  CHECK(doubt[5] == 0.0);
  CHECK(doubt[3] < 0.2);
}

TEST_CASE("a ledger finds flipped labels, in a real run, and its files say so") {
  auto document = parse_json(R"({
    "data": {"format": "synthetic", "kind": "blobs", "train_size": 2000, "test_size": 100, "features": 8,
             "classes": 4, "regime": {"label_noise": 0.05}},
    "model": [{"type": "dense", "units": 32, "activation": "relu"}, {"type": "dense", "units": 4}],
    "optimizer": {"type": "sgd", "learning_rate": 0.05, "momentum": 0.9},
    "duration": {"epochs": 6}})",
                             "test");
  REQUIRE(document.ok());
  const auto setup = prepare_run(*document, "test");
  REQUIRE(setup.ok());
  REQUIRE(apply_overrides(*document, {"data.regime.label_noise=0"}).ok());
  const auto clean = prepare_run(*document, "test");
  // The ledger as the sampler would keep it.
  point_ledger ledger(2000);
  std::vector<std::uint32_t> ids(2000);
  std::vector<float> losses(2000);
  for (std::uint32_t i = 0; i < 2000; ++i) {
    ids[i] = i;
    losses[i] = (*setup)->data.train.labels[i] != (*clean)->data.train.labels[i] ? 3.0F : 0.2F;
  }
  ledger.trained(ids, losses);
  const auto outcome = train(*setup);
  REQUIRE(outcome.ok());
  const auto account = make_account(**setup, ledger, outcome->parameters.view(), 150);
  CHECK(account.suspects.size() == 100);
  CHECK(account.never_learned.size() == 100);
  std::size_t agree = 0;
  for (const auto& s : account.suspects) {
    CHECK((*setup)->data.train.labels[s.id] != (*clean)->data.train.labels[s.id]);
    agree += s.opinion == (*clean)->data.train.labels[s.id] ? 1 : 0;
    CHECK(s.probability >= 0.25);
  }
  CHECK(agree > 80); // the model knows better than the label
  const auto csv = ledger_csv((*setup)->data, ledger, account, {});
  CHECK(std::count(csv.begin(), csv.end(), '\n') == 2001);
  CHECK(csv.find("index,row,label,trained,scored,priority,last_loss") == 0);
  const auto suspects = suspects_csv((*setup)->data, ledger, account);
  CHECK(std::count(suspects.begin(), suspects.end(), '\n') == 101);
  const auto page = ledger_html(**setup, ledger, account, 20);
  CHECK(page.find("Most likely mislabelled") != std::string::npos);
  CHECK(page.find("<code>") != std::string::npos); // no pictures of these data: values
}

TEST_CASE("a state without a ledger is an error that says what to do") {
  const auto none = read_ledger(saved_state{}, 10);
  REQUIRE(!none.ok());
  CHECK(none.error().message.find("ledger") != std::string::npos);
}

TEST_CASE("png: the chunks are whole, and the pixels come back") {
  const std::vector<std::uint8_t> pixels = {0, 255, 128, 7, 8, 9};
  for (const int channels : {1, 3}) {
    CAPTURE(channels);
    const std::uint32_t width = channels == 1 ? 3 : 1;
    const auto png = encode_png(pixels, width, 2, channels);
    REQUIRE(png.substr(0, 8) == std::string("\x89PNG\r\n\x1a\n", 8));
    std::string data;
    std::size_t at = 8;
    while (at < png.size()) {
      const std::size_t n = read_u32(png, at);
      const auto type = png.substr(at + 4, 4);
      const auto body = png.substr(at + 4, n + 4);
      CHECK(crc32(0, reinterpret_cast<const Bytef*>(body.data()), static_cast<uInt>(body.size())) ==
            read_u32(png, at + 8 + n));
      if (type == "IDAT")
        data = png.substr(at + 8, n);
      if (type == "IHDR")
        CHECK(read_u32(png, at + 8) == width);
      at += n + 12;
    }
    std::string raw(100, '\0');
    uLongf size = raw.size();
    REQUIRE(uncompress(reinterpret_cast<Bytef*>(raw.data()), &size,
                       reinterpret_cast<const Bytef*>(data.data()), static_cast<uLong>(data.size())) == Z_OK);
    CHECK(size == 8);
    CHECK(static_cast<std::uint8_t>(raw[2]) == 255);
    CHECK(static_cast<std::uint8_t>(raw[7]) == 9);
  }
}

TEST_CASE("base64 of every length") {
  CHECK(encode_base64("") == "");
  CHECK(encode_base64("f") == "Zg==");
  CHECK(encode_base64("fo") == "Zm8=");
  CHECK(encode_base64("foo") == "Zm9v");
  CHECK(encode_base64("foobar") == "Zm9vYmFy");
}

TEST_CASE("pictures: planes become interleaved pixels, floats are stretched") {
  dataset set;
  set.shape = {3, 1, 2};
  set.size = 1;
  set.floats = {0.0F, 1.0F, 2.0F, 3.0F, 4.0F, 5.0F};
  CHECK(is_picture(set.shape));
  CHECK(!is_picture({2, 4, 4}));
  CHECK(!is_picture({5, 1, 1}));
  CHECK(picture_tag(set, 0).find("data:image/png;base64,iVBORw0KGgo") != std::string::npos);
}

TEST_CASE("folds are even within classes, seeded, and keep copies together") {
  std::vector<std::int32_t> labels;
  for (int copy = 0; copy < 3; ++copy)
    for (int i = 0; i < 60; ++i)
      labels.push_back(i % 3);
  const auto train = labelled(labels, 3);
  const auto folds = make_folds(train, 2, 3, 5);
  CHECK(folds == make_folds(train, 2, 3, 5));
  CHECK(folds != make_folds(train, 2, 3, 6));
  for (std::size_t i = 0; i < 60; ++i) {
    CHECK(folds[i] == folds[i + 60]);
    CHECK(folds[i] == folds[i + 120]);
  }
  for (std::int32_t label = 0; label < 3; ++label) {
    std::size_t first = 0;
    for (std::size_t i = 0; i < 60; ++i)
      first += train.labels[i] == label && folds[i] == 0 ? 1 : 0;
    CHECK(first == 10);
  }
}

TEST_CASE("with label smoothing a point is learned at a loss that half of the probability comes to") {
  auto document = parse_json(R"({
    "data": {"format": "synthetic", "kind": "blobs", "train_size": 40, "test_size": 20, "features": 4,
             "classes": 10},
    "model": [{"type": "dense", "units": 10}], "optimizer": "sgd", "duration": {"epochs": 1},
    "loss": {"type": "softmax_cross_entropy", "label_smoothing": 0.1}})",
                             "test");
  REQUIRE(document.ok());
  const auto setup = prepare_run(*document, "test");
  REQUIRE_MESSAGE(setup.ok(), setup.error().message);
  const std::vector<float> parameters((*setup)->net->parameters().size());
  point_ledger ledger(40);
  // 0.91 log 2 + 0.09 log 18 = 0.8909: above log 2, which smoothed losses hardly get below.
  ledger.trained(std::vector<std::uint32_t>{0, 1, 2}, std::vector<float>{0.75F, 0.88F, 0.9F});
  const auto account = make_account(**setup, ledger, parameters, 10);
  CHECK(account.never_learned == std::vector<std::uint32_t>{2});
  CHECK(ledger_html(**setup, ledger, account, 5).find("always was above 0.891") != std::string::npos);
}
