#include "actors/net/credentials.hpp"
#include "actors/net/pem_files.hpp"
#include "actors/net/tls.hpp"
#include "tests/core/storage_support.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/local/connect_pair.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/write.hpp>
#include <doctest/doctest.h>
#include <openssl/x509v3.h>
#include <sys/stat.h>

using namespace triage;
using namespace triage::test;
namespace asio = boost::asio;
namespace ssl = boost::asio::ssl;
namespace fs = std::filesystem;

namespace {

constexpr std::int64_t hour = 3'600;

/// Two authorities, "ours" and "theirs", and nodes of them.
struct world {
  memory_temporaries in_memory;
  temp_folder folder;
  std::string ours = folder.path("ours"), theirs = folder.path("theirs");
  world() {
    REQUIRE(make_authority(ours, 2).ok());
    REQUIRE(make_authority(theirs, 2).ok());
  }
  [[nodiscard]] std::string node(const std::string& authority, const std::string& name,
                                 const validity& lifetime = 1) const {
    const auto path = folder.path(name);
    const auto made = make_node_credentials(authority, name, path, lifetime);
    REQUIRE_MESSAGE(made.ok(), made.error().message);
    return path;
  }
};

mode_t mode_of(const std::string& path) {
  struct stat info {};
  REQUIRE(::stat(path.c_str(), &info) == 0);
  return info.st_mode & 07777;
}

std::string objection(const std::string& directory) {
  const auto checked = check_credentials(directory);
  REQUIRE(!checked.ok());
  CHECK(checked.error().kind == error_kind::configuration);
  CHECK(!make_tls_context(directory).ok());
  return checked.error().message;
}

certificate certificate_in(const std::string& path) {
  auto cert = read_certificate(path);
  REQUIRE_MESSAGE(cert.ok(), cert.error().message);
  return cert.take();
}

using tls = std::shared_ptr<ssl::context>;

tls proper(const std::string& directory) {
  auto made = make_tls_context(directory);
  REQUIRE_MESSAGE(made.ok(), made.error().message);
  return made.take();
}

/// The end of somebody who checks nothing, so that only the other end can refuse. No credentials if empty.
tls careless(const std::string& directory) {
  auto made = std::make_shared<ssl::context>(ssl::context::tls);
  made->set_verify_mode(ssl::verify_none);
  if (!directory.empty()) {
    made->use_certificate_file(directory + "/node.pem", ssl::context::pem);
    made->use_private_key_file(directory + "/node.key", ssl::context::pem);
  }
  return made;
}

using local_socket = asio::local::stream_protocol::socket;

/// Handshakes, then trades a byte, for TLS 1.3 tells a client only then that it is refused.
struct end {
  ssl::stream<local_socket> stream;
  bool welcome = false; ///< the handshake is done and a byte of the other end came
  bool shook_hands = false;
  std::string other{};
  char byte = 'x';

  void start(ssl::stream_base::handshake_type side) {
    stream.async_handshake(side, [this](const boost::system::error_code& ec) {
      if (ec)
        return stream.lowest_layer().close();
      shook_hands = true;
      other = peer_name(stream.native_handle());
      asio::async_write(stream, asio::buffer(&byte, 1), [](const auto&, std::size_t) {});
      asio::async_read(stream, asio::buffer(&byte, 1), [this](const auto& problem, std::size_t) {
        welcome = !problem;
        if (problem)
          stream.lowest_layer().close();
      });
    });
  }
};

struct meeting {
  asio::io_context io;
  local_socket a{io}, b{io};
  bool ended = false; ///< neither end waited for ever
  meeting() { asio::local::connect_pair(a, b); }
  void run() { ended = io.run_for(std::chrono::seconds(5)) > 0 && io.stopped(); }
};

struct outcome {
  bool server_welcomes, client_welcomes, client_shook_hands;
  std::string server_sees, client_sees, protocol;
};

outcome meet(const tls& server_context, const tls& client_context) {
  meeting m;
  end server{{std::move(m.a), *server_context}}, client{{std::move(m.b), *client_context}};
  server.start(ssl::stream_base::server);
  client.start(ssl::stream_base::client);
  m.run();
  CHECK(m.ended);
  return {server.welcome, client.welcome, client.shook_hands,
          server.other,   client.other,   SSL_get_version(client.stream.native_handle())};
}

} // namespace

TEST_CASE("credentials: what is made passes, is private, and says what it is for") {
  const world w;
  const auto node = w.node(w.ours, "node-1.rack_2");
  CHECK(check_credentials(node).ok());
  CHECK(mode_of(w.ours + "/ca.key") == 0600);
  CHECK(mode_of(node + "/node.key") == 0600);
  CHECK(slurp(node + "/ca.pem") == slurp(w.ours + "/ca.pem"));
  CHECK(std::distance(fs::directory_iterator(node), fs::directory_iterator()) ==
        3); // nothing temporary stays

  const auto authority = certificate_in(w.ours + "/ca.pem"), cert = certificate_in(node + "/node.pem");
  CHECK(X509_check_ca(authority.get()) == 1);
  CHECK(X509_get_pathlen(authority.get()) == 0);
  CHECK(X509_get_key_usage(authority.get()) == KU_KEY_CERT_SIGN);
  CHECK(X509_check_ca(cert.get()) == 0);
  CHECK(X509_get_key_usage(cert.get()) == KU_DIGITAL_SIGNATURE);
  CHECK(X509_get_extended_key_usage(cert.get()) == (XKU_SSL_SERVER | XKU_SSL_CLIENT));
  const auto another = certificate_in(w.node(w.ours, "another") + "/node.pem");
  CHECK(ASN1_INTEGER_cmp(X509_get0_serialNumber(cert.get()), X509_get0_serialNumber(another.get())) != 0);
}

TEST_CASE("credentials: keys are never overwritten") {
  const world w;
  const auto node = w.node(w.ours, "n");
  const auto before = slurp(node + "/node.key") + slurp(node + "/node.pem") + slurp(w.ours + "/ca.key");
  const auto again = make_node_credentials(w.theirs, "n", node, 1);
  REQUIRE(!again.ok());
  CHECK(contains(again.error().message, node + "/node.key: is there already"));
  CHECK(!write_key(node + "/node.key", read_key(w.ours + "/ca.key")->get()).ok());
  CHECK(!make_authority(w.ours, 1).ok());
  CHECK(slurp(node + "/node.key") + slurp(node + "/node.pem") + slurp(w.ours + "/ca.key") == before);
  fs::remove(w.ours + "/ca.key"); // moved to a safer place, perhaps: its certificate must not be replaced
  CHECK(!make_authority(w.ours, 1).ok());
}

TEST_CASE("credentials: names that are no names of nodes") {
  const world w;
  for (const std::string name : {"", ".", "..", "a/b", "a b", "\xc3\xa4", "a\n"})
    CHECK_MESSAGE(!make_node_credentials(w.ours, name, w.folder.path("x"), 1).ok(), name);
  CHECK(!check_node_name(std::string(65, 'a')).ok());
  CHECK(!check_node_name(std::string("a\0b", 3)).ok());
  CHECK(check_node_name(std::string(64, 'a')).ok());
  CHECK(!fs::exists(w.folder.path("x")));
}

TEST_CASE("credentials: only those of the name \"coordinator\" are a coordinator's") {
  const world w;
  CHECK(check_coordinator_certificate(w.node(w.ours, "coordinator")).ok());
  const auto other = w.node(w.ours, "node-1");
  const auto refused = check_coordinator_certificate(other);
  REQUIRE(!refused.ok());
  CHECK(refused.error().kind == error_kind::configuration);
  CHECK(contains(refused.error().message, other + "/node.pem: is the certificate of \"node-1\""));
  CHECK(!check_coordinator_certificate(w.folder.path("nowhere")).ok());
}

TEST_CASE("credentials: the check names what is wrong, where, and what to do") {
  const world w;
  const auto node = w.node(w.ours, "n"), other = w.node(w.ours, "other"),
             foreign = w.node(w.theirs, "foreign");
  const auto refill = [&](const std::string& file, const std::string& from) {
    fs::copy_file(from, node + "/" + file, fs::copy_options::overwrite_existing);
  };
  SUBCASE("a file is missing") {
    for (const char* file : {"ca.pem", "node.pem", "node.key"}) {
      fs::rename(node + "/" + file, node + "/away");
      CHECK(contains(objection(node), node + "/" + file + ": is missing"));
      fs::rename(node + "/away", node + "/" + file);
    }
    CHECK(check_credentials(node).ok());
  }
  SUBCASE("others can read the key") {
    for (const mode_t mode : {0640u, 0604u}) {
      ::chmod((node + "/node.key").c_str(), mode);
      CHECK(contains(objection(node), "chmod 600 " + node + "/node.key"));
    }
  }
  SUBCASE("the key of another node") {
    refill("node.key", other + "/node.key");
    CHECK(contains(objection(node), "node.key: is not the key of " + node + "/node.pem"));
  }
  SUBCASE("another authority") {
    refill("ca.pem", w.theirs + "/ca.pem");
    CHECK(contains(objection(node), "node.pem: is not a certificate of the authority " + node + "/ca.pem"));
    refill("ca.pem", other + "/node.pem"); // a node is none
    CHECK(contains(objection(node), "node.pem: is not a certificate of the authority " + node + "/ca.pem"));
  }
  SUBCASE("two authorities, of which one would be trusted unseen") {
    w.folder.write("n/ca.pem", slurp(w.ours + "/ca.pem") + slurp(w.theirs + "/ca.pem"));
    CHECK(contains(objection(node), "more than one certificate"));
  }
  SUBCASE("no PEM at all") {
    for (const char* file : {"ca.pem", "node.pem", "node.key"}) {
      const auto before = slurp(node + "/" + file);
      std::ofstream(node + "/" + file) << "rubbish";
      CHECK(contains(objection(node), std::string(file) + ": holds no"));
      std::ofstream(node + "/" + file) << before;
    }
  }
}

TEST_CASE("credentials: expired and not yet valid are told apart, with the date") {
  const world w;
  CHECK(contains(objection(w.node(w.ours, "late", {-2 * hour, -hour})), "late/node.pem: expired on 20"));
  CHECK(contains(objection(w.node(w.ours, "early", {hour, 2 * hour})), "node.pem: is not valid before 20"));

  const auto past = w.folder.path("past"), node = w.node(w.ours, "n");
  REQUIRE(make_authority(past, {-2 * hour, -hour}).ok());
  const auto made = make_node_credentials(past, "m", w.folder.path("m"), 1);
  REQUIRE(!made.ok());
  CHECK(contains(made.error().message, "past/ca.pem: expired on"));
  fs::copy_file(past + "/ca.pem", node + "/ca.pem", fs::copy_options::overwrite_existing);
  CHECK(contains(objection(node), "ca.pem: expired on"));
}

TEST_CASE("tls: nodes of one authority meet and learn each other's names") {
  const world w;
  const auto server = proper(w.node(w.ours, "coordinator")), client = proper(w.node(w.ours, "node-1"));
  const auto met = meet(server, client);
  CHECK((met.server_welcomes && met.client_welcomes));
  CHECK(met.server_sees == "node-1");
  CHECK(met.client_sees == "coordinator");
  CHECK(met.protocol == "TLSv1.3");
  CHECK(meet(client, server).server_sees == "coordinator"); // one context serves both ends

  SSL_CTX_set_max_proto_version(client->native_handle(), TLS1_2_VERSION);
  const auto older = meet(server, client);
  CHECK((older.server_welcomes && older.client_welcomes));
  CHECK(older.protocol == "TLSv1.2");
  CHECK(SSL_CTX_get_min_proto_version(server->native_handle()) == TLS1_2_VERSION);
  CHECK((SSL_CTX_get_options(server->native_handle()) & SSL_OP_NO_RENEGOTIATION) != 0);
  CHECK(SSL_CTX_get_session_cache_mode(server->native_handle()) == SSL_SESS_CACHE_OFF);
  CHECK(SSL_CTX_get_num_tickets(server->native_handle()) == 0);
}

TEST_CASE("tls: both ends refuse who is foreign, expired, too early or nobody") {
  const world w;
  const auto good = proper(w.node(w.ours, "good"));
  const std::vector<std::string> bad = {w.node(w.theirs, "foreign"),
                                        w.node(w.ours, "late", {-2 * hour, -hour}),
                                        w.node(w.ours, "early", {hour, 2 * hour})};
  for (const auto& directory : bad) {
    CAPTURE(directory);
    const auto as_client = meet(good, careless(directory));
    CHECK(!as_client.server_welcomes);
    CHECK(!as_client.client_welcomes);
    CHECK(as_client.server_sees.empty());
    const auto as_server = meet(careless(directory), good);
    CHECK(!as_server.client_shook_hands);
    CHECK(!as_server.server_welcomes);
    CHECK(as_server.client_sees.empty());
  }
  const auto nobody = meet(good, careless({}));
  CHECK(nobody.client_shook_hands); // TLS 1.3: it believes so until it reads
  CHECK(!nobody.client_welcomes);
  CHECK(!nobody.server_welcomes);
  const auto trusting = meet(careless(w.folder.path("good")), careless({}));
  CHECK((trusting.client_welcomes && trusting.client_sees.empty())); // a name that nobody verified is none
}

TEST_CASE("tls: a client that speaks plain text is cut off") {
  const world w;
  const auto context = proper(w.node(w.ours, "n"));
  meeting m;
  end server{{std::move(m.a), *context}};
  server.start(ssl::stream_base::server);
  const std::string hello = "GET / HTTP/1.1\r\nHost: somebody\r\n\r\n";
  std::string answer(64, '\0');
  bool cut_off = false;
  asio::write(m.b, asio::buffer(hello));
  asio::async_read(m.b, asio::buffer(answer), [&](const auto& problem, std::size_t) { cut_off = !!problem; });
  m.run();
  CHECK(m.ended);
  CHECK(cut_off);
  CHECK(!server.shook_hands);
}
