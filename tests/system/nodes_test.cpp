#include "cluster_folder.hpp"

#include "../actors/run_support.hpp"
#include "core/json.hpp"
#include "core/safetensors.hpp"

#include <cmath>
#include <map>

using namespace triage;
using namespace triage::test;

namespace {

std::vector<float> parameters(const std::string& run) {
  const auto tensors = decode_safetensors(file_text(run + "/model/model.safetensors"), run);
  REQUIRE_MESSAGE(tensors.ok(), tensors.error().message);
  std::vector<float> all;
  for (const auto& t : *tensors) {
    const auto& values = std::get<std::vector<float>>(t.values);
    all.insert(all.end(), values.begin(), values.end());
  }
  return all;
}

double largest_difference(const std::vector<float>& a, const std::vector<float>& b) {
  REQUIRE(a.size() == b.size());
  REQUIRE(!a.empty());
  double largest = 0.0;
  for (std::size_t i = 0; i < a.size(); ++i)
    largest = std::max(largest, std::abs(static_cast<double>(a[i]) - static_cast<double>(b[i])));
  return largest;
}

} // namespace

TEST_CASE("nodes: two processes train what two workers of one process train") {
  const cluster_folder f;
  const auto local =
      run_triage({"train", f.file, "--run-dir", f.folder.path("local"), "--set", "runtime.workers=2"},
                 f.folder.path("local.txt"));
  REQUIRE_MESSAGE(local.exit_code == 0, local.output);
  const auto leading = f.coordinator({"--min-workers", "2"}, "nodes");
  const auto address = f.address("nodes");
  REQUIRE_MESSAGE(!address.empty(), f.said("nodes"));
  const auto a = f.start({"node", "--join", address, "--threads", "1", "--name", "a"}, "a.txt");
  const auto b = f.start({"node", "--join", address, "--threads", "1", "--name", "b"}, "b.txt");
  CHECK(leading->wait() == 0);
  CHECK(a->wait() == 0);
  CHECK(b->wait() == 0);
  // 6400 points in batches of 32 by two workers: 100 steps.
  const auto summary = read_json_file(f.folder.path("nodes/summary.json"));
  REQUIRE(summary.ok());
  CHECK(summary->find("steps")->as_number() == 100);
  CHECK(largest_difference(parameters(f.folder.path("local")), parameters(f.folder.path("nodes"))) <= 1e-5);
}

TEST_CASE("nodes: rounds of local steps train on nodes as in one process") {
  const cluster_folder f;
  const std::string local_sgd = R"(runtime.exchange={"policy":"local_sgd","local_steps":5})";
  const auto local = run_triage({"train", f.file, "--run-dir", f.folder.path("local"), "--set",
                                 "runtime.workers=2", "--set", local_sgd},
                                f.folder.path("local.txt"));
  REQUIRE_MESSAGE(local.exit_code == 0, local.output);
  for (const auto& exchange :
       {local_sgd, std::string(R"(runtime.exchange={"policy":"overlap_local_sgd","local_steps":5})")}) {
    CAPTURE(exchange);
    const std::string run = exchange == local_sgd ? "nodes" : "overlap";
    const auto leading = f.coordinator({"--min-workers", "2", "--set", exchange}, run);
    const auto address = f.address(run);
    REQUIRE_MESSAGE(!address.empty(), f.said(run));
    const auto a = f.start({"node", "--join", address, "--threads", "1"}, "a.txt");
    const auto b = f.start({"node", "--join", address, "--threads", "1"}, "b.txt");
    REQUIRE_MESSAGE(leading->wait() == 0, f.said(run));
    CHECK(a->wait() == 0);
    CHECK(b->wait() == 0);
    const auto summary = read_json_file(f.folder.path(run + "/summary.json"));
    REQUIRE(summary.ok());
    // 6400 points, 2 workers, 5 batches of 32 a round; where nobody waits one may be a round ahead at the
    // end.
    const double rounds = summary->find("steps")->as_number();
    CHECK(rounds >= 20);
    CHECK(rounds <= (exchange == local_sgd ? 20 : 21));
    CHECK(summary->find("samples_trained")->as_number() == 6400);
    if (exchange == local_sgd)
      CHECK(largest_difference(parameters(f.folder.path("local")), parameters(f.folder.path(run))) <= 1e-5);
  }
}

TEST_CASE("nodes: compressed both ways they hold what one process holds, and send a fraction of the bytes") {
  const cluster_folder f;
  const std::string model =
      R"(model=[{"type":"dense","units":512,"activation":"relu"},{"type":"dense","units":5}])";
  std::map<std::string, double> bytes;
  for (const std::string scheme : {"none", "int8", "sign", "top_k"}) {
    CAPTURE(scheme);
    const std::string exchange =
        R"(runtime.exchange={"policy":"local_sgd","local_steps":2,"compression":{"up":")" + scheme +
        R"(","down":")" + scheme + R"("}})";
    const auto local = run_triage({"train", f.file, "--run-dir", f.folder.path("local" + scheme), "--set",
                                   "runtime.workers=2", "--set", model, "--set", exchange},
                                  f.folder.path("local.txt"));
    REQUIRE_MESSAGE(local.exit_code == 0, local.output);
    // Over TCP, as between machines: within one, parameters that are not compressed are not sent at all.
    const auto leading = f.coordinator(
        {"--min-workers", "2", "--set", model, "--set", exchange, "--set", "network.local_transport=tcp"},
        scheme);
    const auto address = f.address(scheme);
    REQUIRE_MESSAGE(!address.empty(), f.said(scheme));
    const auto a = f.start({"node", "--join", address, "--threads", "1"}, "a.txt");
    const auto b = f.start({"node", "--join", address, "--threads", "1"}, "b.txt");
    REQUIRE_MESSAGE(leading->wait() == 0, f.said(scheme));
    CHECK(a->wait() == 0);
    CHECK(b->wait() == 0);
    CHECK(largest_difference(parameters(f.folder.path("local" + scheme)),
                             parameters(f.folder.path(scheme))) <= 1e-5);
    for (const auto& record : metrics_of(f.folder.path(scheme)))
      if (const auto* nodes = record.find("nodes"))
        for (const auto& node : nodes->as_array())
          bytes[scheme + node.find("name")->as_string()] =
              node.find("bytes_sent")->as_number() + node.find("bytes_received")->as_number();
  }
  double none = 0.0;
  double least = 0.0;
  for (const auto& [name, n] : bytes) {
    none = name.starts_with("none") ? std::max(none, n) : none;
    if (name.starts_with("sign"))
      least = std::max(least, n);
  }
  // 50 rounds of 38,000 values both ways: the first parameters come whole.
  CHECK(none > 14e6);
  CHECK(least < none / 12.0);
}

TEST_CASE("nodes: parameters and gradients that travel in parts end with the same bits as in one process") {
  const cluster_folder f;
  const std::string model = R"(model=[{"type":"dense","units":512,"activation":"relu"},{"type":"batch_norm"},
                                      {"type":"dense","units":256,"activation":"relu"},{"type":"dense","units":5}])";
  for (const std::string more : {"gradient_clipping=null", "gradient_clipping=0.5"}) {
    CAPTURE(more);
    const auto local = run_triage({"train", f.file, "--run-dir", f.folder.path("local" + more), "--set",
                                   "runtime.workers=2", "--set", model, "--set", more},
                                  f.folder.path("local.txt"));
    REQUIRE_MESSAGE(local.exit_code == 0, local.output);
    const auto run = "nodes" + more;
    const auto leading = f.coordinator({"--min-workers", "2", "--set", model, "--set", more}, run);
    const auto address = f.address(run);
    REQUIRE_MESSAGE(!address.empty(), f.said(run));
    const auto a = f.start({"node", "--join", address, "--threads", "1"}, "a.txt");
    const auto b = f.start({"node", "--join", address, "--threads", "1"}, "b.txt");
    REQUIRE(leading->wait() == 0);
    CHECK(largest_difference(parameters(f.folder.path("local" + more)), parameters(f.folder.path(run))) ==
          0.0);
  }
}

TEST_CASE("nodes: short floats on the wire train about the same") {
  const cluster_folder f;
  const auto run = [&](const std::string& format) {
    const auto leading = f.coordinator({"--set", "network.wire_format=" + format}, format);
    const auto node = f.start({"node", "--join", f.address(format), "--threads", "1"}, "node.txt");
    REQUIRE(leading->wait() == 0);
    return parameters(f.folder.path(format));
  };
  const auto exact = run("float32");
  const double coarse = largest_difference(exact, run("bfloat16"));
  CHECK(coarse > 0.0);
  CHECK(coarse < 0.05);
  CHECK(largest_difference(exact, run("float16")) < 0.01);
}

TEST_CASE("nodes: with certificates; the coordinator's name is asked for, and strangers stay out") {
  const cluster_folder f;
  REQUIRE(run_triage({"keygen", f.folder.path("keys")}, f.folder.path("keygen.txt")).exit_code == 0);
  const auto keys = [&](const std::string& who) { return f.folder.path("keys/" + who); };
  const auto leading = f.coordinator({"--tls", keys("coordinator")}, "tls");
  const auto stranger = run_triage(
      {"node", "--join", f.address("tls"), "--wait", "0.1", "--name", "stranger"}, f.folder.path("s.txt"));
  CHECK(stranger.exit_code == 75);
  const auto node =
      f.start({"node", "--join", f.address("tls"), "--threads", "1", "--tls", keys("node-1")}, "node.txt");
  CHECK(leading->wait() == 0);
  CHECK(node->wait() == 0);
  CHECK(f.said("tls").find("node-1 joined") != std::string::npos);
  CHECK(f.said("tls").find("refused a connection from localhost") != std::string::npos);
  // A node's certificate does not make a coordinator; no node would obey it.
  const auto fake = f.coordinator({"--tls", keys("node-2")}, "fake");
  CHECK(fake->wait() == 2);
  CHECK_MESSAGE(f.said("fake").find("is the certificate of \"node-2\"") != std::string::npos, f.said("fake"));
}

TEST_CASE("nodes: the status names members and who waits for whom") {
  const cluster_folder f;
  const auto leading = f.coordinator({"--min-workers", "2"}, "status");
  const auto address = f.address("status");
  const auto node = f.start({"node", "--join", address, "--threads", "1", "--name", "alone"}, "node.txt");
  finished_process asked;
  REQUIRE(eventually(10.0, [&] {
    asked = run_triage({"status", address, "--json"}, f.folder.path("status.txt"));
    return asked.output.find("alone/worker-0") != std::string::npos;
  }));
  const auto status = parse_json(asked.output, "status");
  REQUIRE_MESSAGE(status.ok(), asked.output);
  CHECK(status->find("phase")->as_string() == "waiting for workers");
  CHECK(status->find("nodes")->as_array().size() == 1);
  const auto text = run_triage({"status", address}, f.folder.path("status.txt")).output;
  CHECK_MESSAGE(
      text.find("coordinator waits for 1 more workers from nodes that may join") != std::string::npos, text);
  CHECK(run_triage({"status", "127.0.0.1:1"}, f.folder.path("status.txt")).exit_code == 75);
}

TEST_CASE("nodes: one trace and one metrics file tell about all of them, on one clock") {
  const cluster_folder f;
  const auto trace = f.folder.path("trace.json");
  const auto run = run_triage({"launch", f.file, "--local", "2", "--run-dir", f.folder.path("t"), "--quiet",
                               "--trace", trace, "--min-workers", "2"},
                              f.folder.path("t.txt"));
  REQUIRE_MESSAGE(run.exit_code == 0, run.output);
  const auto events = parse_json(file_text(trace), "trace");
  REQUIRE(events.ok());
  std::map<double, std::string> lanes;
  std::map<std::string, std::pair<double, double>> spans; // first begin, last end; microseconds
  for (const auto& e : events->find("traceEvents")->as_array())
    if (e.find("ph")->as_string() == "M") {
      lanes[e.find("tid")->as_number()] = e.find("args")->find("name")->as_string();
    } else {
      const double begin = e.find("ts")->as_number();
      const double end = begin + e.find("dur")->as_number();
      auto& [first, last] = spans.try_emplace(lanes[e.find("tid")->as_number()], begin, end).first->second;
      first = std::min(first, begin);
      last = std::max(last, end);
    }
  REQUIRE(spans.contains("coordinator"));
  for (const char* node : {"local-1/worker-0", "local-2/worker-0"}) {
    REQUIRE_MESSAGE(spans.contains(node), node);
    // A gradient is computed before it is merged, whoever's clock says so.
    CHECK(spans[node].first < spans["coordinator"].first + 1e3);
    CHECK(spans[node].second < spans["coordinator"].second + 1e3);
  }
  const auto metrics = file_text(f.folder.path("t/metrics.jsonl"));
  CHECK(metrics.find(R"("event":"members")") != std::string::npos);
  CHECK(metrics.find("local-2/worker-0") != std::string::npos);
}

TEST_CASE("nodes: nobody comes: a checkpoint, exit code 75, and resume goes on") {
  const cluster_folder f;
  auto leading = f.coordinator({"--wait", "0.5"}, "alone");
  CHECK(leading->wait() == 75);
  CHECK(std::filesystem::exists(f.folder.path("alone/checkpoints/latest/DONE")));
  const auto resumed = run_triage({"resume", f.folder.path("alone"), "--set", "runtime.workers=1", "--quiet"},
                                  f.folder.path("resumed.txt"));
  CHECK_MESSAGE(resumed.exit_code == 0, resumed.output);
}

TEST_CASE("nodes: other data is refused with both fingerprints, exit code 3") {
  const cluster_folder f;
  write_text(f.folder.path("a.csv"), "x,y,label\n1,2,a\n2,1,b\n3,4,a\n4,3,b\n");
  write_text(f.folder.path("b.csv"), "x,y,label\n1,2,a\n2,1,b\n3,4,a\n4,9,b\n");
  write_text(f.file, R"({"data": {"format": "csv", "train": ")" + f.folder.path("a.csv") +
                         R"(", "label_column": "label"}, "model": [{"type": "dense", "units": 2}],
                         "optimizer": {"type": "sgd"}, "batch_size": 2})");
  const auto leading = f.coordinator({"--wait", "20"}, "csv");
  const auto address = f.address("csv");
  REQUIRE_MESSAGE(!address.empty(), f.said("csv"));
  // The same description with another file behind it.
  write_text(f.folder.path("a.csv"), file_text(f.folder.path("b.csv")));
  const auto node = run_triage({"node", "--join", address, "--wait", "1"}, f.folder.path("node.txt"));
  CHECK_MESSAGE(node.exit_code == 3, node.output);
  CHECK(node.output.find("fingerprint") != std::string::npos);
  CHECK_MESSAGE(node.output.find("joined") == std::string::npos, node.output);
  // The coordinator says one thing of it, the reason.
  CHECK(eventually(10.0, [&] { return f.said("csv").find("does not take part") != std::string::npos; }));
  const auto log = f.said("csv");
  CHECK_MESSAGE(log.find("does not take part: the data here is not the coordinator's") != std::string::npos,
                log);
  CHECK_MESSAGE(log.find("joined") == std::string::npos, log);
  CHECK_MESSAGE(log.find("is gone") == std::string::npos, log);
  CHECK_MESSAGE(log.find("refused a connection") == std::string::npos, log);
}

TEST_CASE("launch: local nodes, and hosts through ssh") {
  const cluster_folder f;
  const auto local = run_triage(
      {"launch", f.file, "--local", "2", "--run-dir", f.folder.path("l"), "--quiet"}, f.folder.path("l.txt"));
  CHECK_MESSAGE(local.exit_code == 0, local.output);
  CHECK(file_text(f.folder.path("l/log.txt")).find("local-2 joined") != std::string::npos);

  // An ssh that runs the command here.
  const auto bin = f.folder.path("bin");
  std::filesystem::create_directory(bin);
  write_text(bin + "/ssh", "#!/bin/sh\nfor last; do :; done\nexec /bin/sh -c \"$last\"\n");
  std::filesystem::permissions(bin + "/ssh", std::filesystem::perms::owner_all);
  write_text(f.folder.path("hosts"),
             std::string("# two\nme@one threads=1 program=" TRIAGE_BINARY_DIR "/triage\n"));
  const std::string path = bin + ":" + std::getenv("PATH");
  const std::string before = std::getenv("PATH");
  setenv("PATH", path.c_str(), 1);
  const auto remote = run_triage({"launch", f.file, "--hosts", f.folder.path("hosts"), "--listen",
                                  "127.0.0.1:0", "--run-dir", f.folder.path("h"), "--quiet"},
                                 f.folder.path("h.txt"));
  setenv("PATH", before.c_str(), 1);
  CHECK_MESSAGE(remote.exit_code == 0, remote.output);

  write_text(f.folder.path("hosts"), "one threads=many\n");
  const auto wrong =
      run_triage({"launch", f.file, "--hosts", f.folder.path("hosts"), "--listen", "127.0.0.1:0"},
                 f.folder.path("w.txt"));
  CHECK(wrong.exit_code == 2);
  CHECK_MESSAGE(wrong.output.find("hosts, line 1") != std::string::npos, wrong.output);
  const auto none =
      run_triage({"launch", f.file, "--hosts", f.folder.path("nowhere"), "--listen", "127.0.0.1:0"},
                 f.folder.path("none.txt"));
  CHECK(none.exit_code == 2);
  CHECK_MESSAGE(none.output.find("--hosts: ") != std::string::npos, none.output);
}

TEST_CASE("nodes: without certificates nobody listens to or joins other machines unasked") {
  const cluster_folder f;
  const auto open = run_triage({"train", f.file, "--run-dir", f.folder.path("o"), "--listen", "0.0.0.0:0"},
                               f.folder.path("o.txt"));
  CHECK(open.exit_code == 2);
  CHECK(open.output.find("--insecure") != std::string::npos);
  const auto node = run_triage({"node", "--join", "192.0.2.1:7070"}, f.folder.path("n.txt"));
  CHECK(node.exit_code == 2);
  CHECK(run_triage({"node", "--join", "nowhere"}, f.folder.path("n.txt")).exit_code == 2);
  CHECK(run_triage({"train", f.file, "--tls", "x"}, f.folder.path("n.txt")).exit_code == 2);
  CHECK(run_triage({"train", f.file, "--set", "runtime.workers=0"}, f.folder.path("n.txt")).exit_code == 2);
}

TEST_CASE(
    "launch: nodes that cannot start are named, and when none is left the run ends instead of waiting") {
  const cluster_folder f;
  write_text(f.folder.path("hosts"),
             "127.0.0.1 program=/nowhere/triage\n"); // no ssh, no key, or no program there
  const auto begin = std::chrono::steady_clock::now();
  const auto r = run_triage({"launch", f.file, "--hosts", f.folder.path("hosts"), "--listen", "127.0.0.1:0",
                             "--run-dir", f.folder.path("r"), "--wait", "300"},
                            f.folder.path("out.txt"));
  CHECK_MESSAGE(r.exit_code == 75, r.output);
  CHECK_MESSAGE(r.output.find("the node 127.0.0.1 ended with code") != std::string::npos, r.output);
  CHECK(std::chrono::steady_clock::now() - begin < std::chrono::seconds(60));
}

TEST_CASE("launch: nodes here join a coordinator that listens on all addresses") {
  const cluster_folder f;
  const auto r = run_triage({"launch", f.file, "--local", "2", "--listen", "0.0.0.0:0", "--insecure",
                             "--run-dir", f.folder.path("r")},
                            f.folder.path("out.txt"));
  CHECK_MESSAGE(r.exit_code == 0, r.output);
}
