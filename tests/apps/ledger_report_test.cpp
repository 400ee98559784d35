#include "apps/ledger/account.hpp"
#include "apps/ledger/png.hpp"
#include "apps/ledger/report.hpp"
#include "command_support.hpp"

#include "actors/train.hpp"
#include "apps/irreducible/folds.hpp"
#include "core/rng.hpp"
#include "nn/workspace.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <numbers>
#include <regex>
#include <set>
#include <sstream>
#include <zlib.h>

using namespace triage;
using namespace triage::test;

namespace {

constexpr std::size_t points = 120;

std::shared_ptr<const run_setup> setup_of(const std::string& more = "") {
  auto setup = prepare_run_text(R"({"name": "<led&ger>",
    "data": {"format": "synthetic", "kind": "blobs", "train_size": 120, "test_size": 20, "features": 4, "classes": 3},
    "model": [{"type": "dense", "units": 3}], "optimizer": "sgd", "duration": {"epochs": 1})" +
                                more + "}");
  REQUIRE_MESSAGE(setup.ok(), (setup.ok() ? "" : setup.error().message));
  return setup.take();
}

std::vector<float> initial(const run_setup& setup) {
  std::vector<float> parameters(setup.net->parameters().size());
  setup.net->parameters().initialise(parameters, 1);
  return parameters;
}

/// Visits and losses at random; the last ten points are never trained.
point_ledger random_ledger(std::uint64_t seed) {
  point_ledger ledger(points);
  rng random(seed, 1);
  for (int k = 0; k < 800; ++k)
    ledger.trained(std::vector{static_cast<std::uint32_t>(random.below(points - 10))},
                   std::vector{2.0F * random.uniform_float()});
  return ledger;
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> out;
  std::istringstream in(text);
  std::string line;
  while (std::getline(in, line))
    out.push_back(line);
  return out;
}

std::vector<std::string> cells_of(const std::string& line) {
  std::vector<std::string> out;
  std::size_t begin = 0;
  while (true) {
    const auto comma = line.find(',', begin);
    out.push_back(line.substr(begin, comma - begin));
    if (comma == std::string::npos)
      return out;
    begin = comma + 1;
  }
}

/// The pixels of a PNG, rows without their filter bytes.
std::string pixels_of_png(const std::string& png, std::size_t row_bytes) {
  std::string packed;
  for (std::size_t at = 8; at < png.size();) {
    std::uint32_t n = 0;
    for (std::size_t i = 0; i < 4; ++i)
      n = (n << 8U) | static_cast<unsigned char>(png[at + i]);
    if (png.substr(at + 4, 4) == "IDAT")
      packed = png.substr(at + 8, n);
    at += n + 12;
  }
  std::string raw(1U << 16U, '\0');
  uLongf size = raw.size();
  REQUIRE(uncompress(reinterpret_cast<Bytef*>(raw.data()), &size,
                     reinterpret_cast<const Bytef*>(packed.data()),
                     static_cast<uLong>(packed.size())) == Z_OK);
  std::string out;
  for (std::size_t at = 0; at < size; at += row_bytes + 1)
    out += raw.substr(at + 1, row_bytes);
  return out;
}

std::string decode_base64(std::string_view text) {
  constexpr std::string_view digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  unsigned word = 0;
  int bits = 0;
  for (const char c : text) {
    if (c == '=')
      break;
    word = (word << 6U) | static_cast<unsigned>(digits.find(c));
    bits += 6;
    if (bits >= 8) {
      bits -= 8;
      out += static_cast<char>((word >> static_cast<unsigned>(bits)) & 0xFFU);
    }
  }
  return out;
}

} // namespace

TEST_CASE("ledger: doubt is the mean loss beyond the middle of the point's class, and nothing below it") {
  const auto setup = setup_of();
  const auto& train = setup->data.train;
  for (std::uint64_t seed = 0; seed < 10; ++seed) {
    const auto ledger = random_ledger(seed);
    const auto doubt = doubts_of(ledger, train);
    std::map<std::int32_t, std::vector<float>> of_class;
    for (std::size_t i = 0; i < points; ++i)
      if (ledger.times_trained(i) > 0)
        of_class[train.labels[i]].push_back(ledger.mean_loss(i));
    for (auto& [label, losses] : of_class)
      std::sort(losses.begin(), losses.end());
    for (std::size_t i = 0; i < points; ++i) {
      if (ledger.times_trained(i) == 0) {
        REQUIRE(doubt[i] == 0.0);
        continue;
      }
      const auto& losses = of_class[train.labels[i]];
      const double usual = static_cast<double>(losses[losses.size() / 2]);
      REQUIRE(doubt[i] == std::max(static_cast<double>(ledger.mean_loss(i)) - usual, 0.0));
    }
  }
}

TEST_CASE("ledger: suspects are the largest doubts, in order; the lists of points add up") {
  const auto setup = setup_of();
  const auto parameters = initial(*setup);
  const auto ledger = random_ledger(3);
  for (const std::size_t count : {0U, 1U, 7U, 1000U}) {
    CAPTURE(count);
    const auto account = make_account(*setup, ledger, parameters, count);
    const auto doubtful = static_cast<std::size_t>(
        std::count_if(account.doubt.begin(), account.doubt.end(), [](double d) { return d > 0.0; }));
    CHECK(account.suspects.size() == std::min(count, doubtful));
    std::set<std::uint32_t> named;
    double smallest = 1e9;
    for (const auto& s : account.suspects) {
      CHECK(s.doubt == account.doubt[s.id]);
      CHECK(s.doubt <= smallest);
      smallest = s.doubt;
      CHECK(named.insert(s.id).second);
      CHECK(s.opinion >= 0);
      CHECK(s.opinion < 3);
      CHECK(s.probability >= 1.0 / 3.0 - 1e-6); // it is the largest of three
      CHECK(s.probability <= 1.0);
    }
    for (std::uint32_t id = 0; id < points; ++id)
      if (named.count(id) == 0 && !account.suspects.empty())
        CHECK(account.doubt[id] <= smallest);
    CHECK(account.never_trained.size() == 10);
    for (const auto id : account.never_learned) {
      CHECK(ledger.times_trained(id) > 0);
      CHECK(static_cast<double>(ledger.lowest_loss(id)) > std::numbers::ln2);
    }
  }
}

TEST_CASE("ledger: the model's opinion of a suspect is its prediction for that point") {
  const auto setup = setup_of();
  const auto outcome = train(setup);
  REQUIRE(outcome.ok());
  const auto ledger = random_ledger(4);
  const auto account = make_account(*setup, ledger, outcome->parameters.view(), 200); // more than one chunk
  REQUIRE(!account.suspects.empty());
  workspace w(setup->net);
  for (const auto& s : account.suspects) {
    gather_samples(setup->data.train, setup->data.standard, std::vector{s.id}, w.input(1));
    const auto raw = w.infer(outcome->parameters.view(), 1);
    const auto best = std::max_element(raw.begin(), raw.end()) - raw.begin();
    CHECK(s.opinion == static_cast<std::int32_t>(best));
  }
}

TEST_CASE("ledger: a network of one output has two opinions, each with its own probability") {
  auto setup = prepare_run_text(R"({
    "data": {"format": "synthetic", "kind": "blobs", "train_size": 120, "test_size": 20, "features": 2, "classes": 2},
    "model": [{"type": "dense", "units": 1}], "loss": "binary_cross_entropy", "optimizer": "sgd",
    "duration": {"epochs": 8}})");
  REQUIRE_MESSAGE(setup.ok(), (setup.ok() ? "" : setup.error().message));
  const auto outcome = train(*setup);
  REQUIRE(outcome.ok());
  point_ledger ledger(points);
  rng random(2, 2);
  for (std::uint32_t id = 0; id < points; ++id)
    ledger.trained(std::vector{id}, std::vector{random.uniform_float()});
  const auto account = make_account(**setup, ledger, outcome->parameters.view(), 60);
  std::set<std::int32_t> opinions;
  for (const auto& s : account.suspects) {
    opinions.insert(s.opinion);
    CHECK(s.probability >= 0.5);
  }
  CHECK(opinions == std::set<std::int32_t>{0, 1});
}

TEST_CASE("ledger: CSV lines hold the ledger's numbers, and nothing where there is none") {
  const auto setup = setup_of();
  const auto ledger = random_ledger(5);
  const auto account = make_account(*setup, ledger, initial(*setup), 12);
  std::vector<float> priorities(points);
  for (std::size_t i = 0; i < points; ++i)
    priorities[i] = 0.5F * static_cast<float>(i);
  for (const bool with_priorities : {true, false}) {
    const auto lines =
        lines_of(ledger_csv(setup->data, ledger, account,
                            with_priorities ? std::span<const float>(priorities) : std::span<const float>()));
    REQUIRE(lines.size() == points + 1);
    const auto columns = cells_of(lines[0]).size();
    for (std::size_t i = 0; i < points; ++i) {
      const auto cells = cells_of(lines[i + 1]);
      REQUIRE(cells.size() == columns);
      CHECK(cells[0] == std::to_string(i));
      CHECK(cells[1] == std::to_string(setup->data.train.row_of(i)));
      CHECK(cells[2] == std::to_string(setup->data.train.labels[i]));
      CHECK(cells[3] == std::to_string(ledger.times_trained(i)));
      CHECK(cells[5].empty() == !with_priorities);
      if (ledger.times_trained(i) == 0) {
        CHECK(cells[6].empty());
        CHECK(cells[9].empty());
        continue;
      }
      CHECK(std::stod(cells[7]) == doctest::Approx(static_cast<double>(ledger.mean_loss(i))).epsilon(1e-5));
      CHECK(std::stod(cells[9]) == doctest::Approx(account.doubt[i]).epsilon(1e-5));
    }
  }
  const auto suspects = lines_of(suspects_csv(setup->data, ledger, account));
  REQUIRE(suspects.size() == account.suspects.size() + 1);
  for (std::size_t r = 0; r < account.suspects.size(); ++r) {
    const auto cells = cells_of(suspects[r + 1]);
    REQUIRE(cells.size() == cells_of(suspects[0]).size());
    CHECK(cells[0] == std::to_string(r + 1));
    CHECK(cells[1] == std::to_string(account.suspects[r].id));
    CHECK(cells[2] == std::to_string(setup->data.train.row_of(account.suspects[r].id)));
    CHECK(cells[4] == std::to_string(account.suspects[r].opinion));
  }
}

TEST_CASE(
    "ledger: the page names the run safely, shows as many suspects as asked for, and each class's figures") {
  const auto setup = setup_of();
  const auto ledger = random_ledger(6);
  const auto account = make_account(*setup, ledger, initial(*setup), 40);
  for (const std::size_t shown : {0U, 3U, 500U}) {
    CAPTURE(shown);
    const auto page = ledger_html(*setup, ledger, account, shown);
    CHECK(page.find("<led&ger>") == std::string::npos);
    CHECK(page.find("&lt;led&amp;ger&gt;") != std::string::npos);
    CHECK(page.find("src=\"http") == std::string::npos);
    std::size_t cards = 0;
    for (auto at = page.find("class=\"card\""); at != std::string::npos;
         at = page.find("class=\"card\"", at + 1))
      ++cards;
    CHECK(cards == std::min(shown, account.suspects.size()) + std::min(shown, account.never_learned.size()));
  }
  const auto page = ledger_html(*setup, ledger, account, 1);
  CHECK(page.find("120 training points; 10 were never trained") != std::string::npos);
  // Of each class the mean over the points that were trained: points without a loss are no points without
  // any.
  const std::regex row(
      "<tr><td>(\\d)</td><td>(\\d+)</td><td>([0-9.]+)</td><td>([0-9.]+)</td><td>(\\d+)</td></tr>");
  int rows = 0;
  for (std::sregex_iterator r(page.begin(), page.end(), row), end; r != end; ++r, ++rows) {
    const auto label = std::stoi((*r)[1]);
    double loss = 0.0;
    double trained = 0.0;
    double visits = 0.0;
    double all = 0.0;
    for (std::size_t i = 0; i < points; ++i)
      if (setup->data.train.labels[i] == label) {
        all += 1.0;
        visits += ledger.times_trained(i);
        if (ledger.times_trained(i) > 0) {
          trained += 1.0;
          loss += static_cast<double>(ledger.mean_loss(i));
        }
      }
    CHECK(std::stod((*r)[2]) == all);
    CHECK(std::stod((*r)[3]) == doctest::Approx(visits / all).epsilon(0.01));
    CHECK(std::stod((*r)[4]) == doctest::Approx(loss / trained).epsilon(1e-3));
  }
  CHECK(rows == 3);
}

TEST_CASE("ledger: of a regression there are losses and doubts, and no classes or opinions") {
  auto description = read_json_file(TRIAGE_SOURCE_DIR "/examples/csv_regression.json");
  REQUIRE(description.ok());
  description->find("data")->set("path", json_value(TRIAGE_SOURCE_DIR "/examples/data/prices.csv"));
  const auto setup = prepare_run(*description, "csv_regression.json");
  REQUIRE_MESSAGE(setup.ok(), (setup.ok() ? "" : setup.error().message));
  const auto n = (*setup)->data.train.size;
  point_ledger ledger(n);
  for (std::uint32_t id = 0; id < n; ++id)
    ledger.trained(std::vector{id}, std::vector{id == 5 ? 9.0F : 0.1F});
  const auto account = make_account(**setup, ledger, initial(**setup), 3);
  REQUIRE(account.suspects.size() == 1);
  CHECK(account.suspects[0].id == 5);
  CHECK(account.never_learned.empty());
  CHECK(cells_of(lines_of(suspects_csv((*setup)->data, ledger, account))[1])[4].empty());
  CHECK(ledger_html(**setup, ledger, account, 3).find("<h2>Classes</h2>") == std::string::npos);
}

TEST_CASE("png: any picture comes back pixel by pixel, grey and in colour") {
  rng random(7, 7);
  for (int round = 0; round < 30; ++round) {
    const int channels = round % 2 == 0 ? 1 : 3;
    const auto width = static_cast<std::uint32_t>(1 + random.below(40));
    const auto height = static_cast<std::uint32_t>(1 + random.below(40));
    std::vector<std::uint8_t> pixels(width * height * static_cast<std::size_t>(channels));
    for (auto& p : pixels)
      p = static_cast<std::uint8_t>(random.below(256));
    const auto png = encode_png(pixels, width, height, channels);
    const auto back = pixels_of_png(png, width * static_cast<std::size_t>(channels));
    REQUIRE(back.size() == pixels.size());
    for (std::size_t i = 0; i < pixels.size(); ++i)
      REQUIRE(static_cast<std::uint8_t>(back[i]) == pixels[i]);
  }
}

TEST_CASE("base64: any bytes decode to what they were, padded to whole groups") {
  rng random(7, 8);
  for (std::size_t n = 0; n < 100; ++n) {
    std::string bytes;
    for (std::size_t i = 0; i < n; ++i)
      bytes += static_cast<char>(random.below(256));
    const auto text = encode_base64(bytes);
    REQUIRE(text.size() == (n + 2) / 3 * 4);
    REQUIRE(decode_base64(text) == bytes);
  }
}

TEST_CASE(
    "pictures: bytes as they are, floats stretched from the smallest to the largest, channels interleaved") {
  const auto shown = [](const dataset& set, std::size_t id) {
    const auto tag = picture_tag(set, id);
    const auto begin = tag.find("base64,") + 7;
    const auto png = decode_base64(std::string_view(tag).substr(begin, tag.find('"', begin) - begin));
    CHECK(tag.find("alt=\"point " + std::to_string(id) + "\"") != std::string::npos);
    return pixels_of_png(png, static_cast<std::size_t>(set.shape.width * set.shape.channels));
  };
  dataset bytes;
  bytes.shape = {1, 2, 2};
  bytes.size = 2;
  bytes.bytes = {0, 0, 0, 0, 1, 2, 3, 255};
  CHECK(shown(bytes, 1) == std::string("\x01\x02\x03\xff", 4));
  dataset floats;
  floats.shape = {3, 1, 2};
  floats.size = 1;
  floats.floats = {-1.0F, 1.0F, 0.0F, 0.0F, 1.0F, -1.0F};
  CHECK(shown(floats, 0) == std::string("\x00\x80\xff\xff\x80\x00", 6));
  floats.floats.assign(6, 4.0F); // nothing to stretch
  CHECK(shown(floats, 0) == std::string(6, '\0'));
}

TEST_CASE(
    "folds: sizes differ by at most one within every class, whatever the number of folds; regressions too") {
  rng random(7, 9);
  for (int round = 0; round < 60; ++round) {
    dataset train;
    train.shape = {1, 1, 1};
    train.classes = round % 4 == 0 ? 0 : 3;
    const std::size_t copies = 1 + random.below(3);
    const std::size_t originals = 20 + random.below(100);
    train.size = copies * originals;
    for (std::size_t i = 0; i < train.size && train.classes > 0; ++i)
      train.labels.push_back(i < originals ? static_cast<std::int32_t>(random.below(3))
                                           : train.labels[i % originals]);
    if (train.classes == 0)
      train.targets.assign(train.size, 0.0F);
    const std::size_t folds = 2 + random.below(5);
    const auto fold_of = make_folds(train, folds, copies, 5);
    REQUIRE(fold_of.size() == train.size);
    std::map<std::int32_t, std::vector<std::size_t>> sizes;
    for (std::size_t i = 0; i < originals; ++i) {
      REQUIRE(fold_of[i] < folds);
      for (std::size_t k = 1; k < copies; ++k)
        REQUIRE(fold_of[i + k * originals] == fold_of[i]); // a copy in another fold would have been seen
      auto& of_class = sizes[train.classes > 0 ? train.labels[i] : 0];
      of_class.resize(folds, 0);
      ++of_class[fold_of[i]];
    }
    for (const auto& [label, counts] : sizes) {
      const auto [low, high] = std::minmax_element(counts.begin(), counts.end());
      REQUIRE(*high - *low <= 1);
    }
  }
}
