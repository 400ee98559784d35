#include "actors/net/cluster.hpp"

#include "actors/net/tls.hpp"
#include "core/clock.hpp"
#include "core/wire.hpp"
#include "nn/layout_fingerprint.hpp"

#include <algorithm>
#include <boost/asio/ip/address.hpp>
#include <boost/asio/post.hpp>
#include <caf/all.hpp>
#include <fmt/format.h>
#include <future>
#include <openssl/rand.h>
#include <sys/resource.h>

namespace triage {

namespace {

constexpr double token_seconds = 10.0;
constexpr std::chrono::seconds longest_farewell{3};
constexpr std::chrono::seconds status_timeout{5};
constexpr std::size_t most_nodes = 1024;
constexpr std::size_t most_complaints = 256;

std::string new_token() {
  std::array<unsigned char, 16> bytes{};
  if (RAND_bytes(bytes.data(), static_cast<int>(bytes.size())) != 1)
    throw std::runtime_error("the system has no random numbers to give");
  std::string text;
  for (const auto b : bytes)
    text += fmt::format("{:02x}", b);
  return text;
}

/// A connection that only waits for its answer to have been read.
struct answered final : link_handler {
  explicit answered(std::shared_ptr<listener> l) : owner(std::move(l)) {}
  result<std::span<float>> place(const frame_header&, std::span<const std::uint8_t>) override {
    return run_error("it sent floats");
  }
  result<void> arrived(const frame_header&, std::span<const std::uint8_t>) override { return {}; }
  void closed(const std::string&) override { owner->connection_ended(); }
  std::shared_ptr<listener> owner;
};

/// Checkpoints and other files need descriptors too, however many connections there are.
std::size_t affordable_connections(std::size_t wanted) {
  constexpr rlim_t kept = 256;
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY)
    return wanted;
  return std::min<std::size_t>(wanted, limit.rlim_cur - std::min(kept, limit.rlim_cur / 2));
}

/// With arguments of its own: CAF 0.17 dereferences a null pointer when it spawns a lambda without any.
void ask_status_of(caf::event_based_actor* self, const coordinator_actor& coordinator,
                   const std::function<void(const std::string&)>& answer) {
  self->request(coordinator, status_timeout, status_query{})
      .then([answer](const status_answer& m) { answer(m.json); },
            [answer](const caf::error&) { answer(R"({"problem":"the coordinator does not answer"})"); });
}

/// A read that is broken off passes through the layers of its stream, each in a turn of its own.
constexpr int turns_of_a_farewell = 8;

void after_turns(boost::asio::io_context& io, int turns, const std::function<void()>& done) {
  if (turns == 0)
    return done();
  boost::asio::post(io, [&io, turns, done] { after_turns(io, turns - 1, done); });
}

/// Whether nodes of this machine may read the parameters as they are: not where all nodes get them rounded or
/// as changes, and not past an emulated network.
bool reads_from_board(const run_setup& setup) {
  const auto& config = setup.config;
  return float_format_of(config.wire_format) == float_format::float32 && !setup.compression_down &&
         !config.network.active();
}

constexpr double farewell_seconds = 1.0;
constexpr link_limits heartbeats_only = {.head = 64};

} // namespace

result<std::shared_ptr<cluster>> cluster::listen(boost::asio::io_context& io, const cluster_options& options,
                                                 std::shared_ptr<const run_setup> setup) {
  listener_options l;
  if (!options.tls_directory.empty()) {
    auto tls = make_tls_context(options.tls_directory);
    if (!tls.ok())
      return tls.error();
    if (auto named = check_coordinator_certificate(options.tls_directory); !named.ok())
      return named.error();
    l.tls = tls.take();
  }
  l.most_connections = affordable_connections(l.most_connections);
  const auto& config = setup->config;
  l.links.heartbeat_seconds = config.heartbeat_seconds;
  l.links.network = config.network;
  l.links.seed = setup->seed();
  l.local = config.local_transport != "tcp";
  l.shares_memory = config.local_transport == "shared_memory";
  std::shared_ptr<snapshot_board> board;
  if (l.shares_memory && !l.tls && reads_from_board(*setup))
    if (auto made = snapshot_board::create(setup->net->parameters().size()); made.ok()) {
      board = made.take();
      l.board = board->memory();
    }
  auto bound = listener::bind(io, options.address, l);
  if (!bound.ok())
    return bound.error();
  const auto address = boost::asio::ip::make_address((*bound)->address().host);
  if (!l.tls && !address.is_loopback() && !options.insecure)
    return configuration_error(fmt::format("{} is reachable from other machines: give certificates with "
                                           "--tls DIR (triage keygen makes them), or "
                                           "--insecure to let anybody in",
                                           to_string((*bound)->address())));
  return std::shared_ptr<cluster>(new cluster(io, bound.take(), std::move(board), std::move(setup)));
}

cluster::cluster(boost::asio::io_context& io, std::shared_ptr<listener> l,
                 std::shared_ptr<snapshot_board> board, std::shared_ptr<const run_setup> setup)
    : io_(io), listener_(std::move(l)), board_(std::move(board)), setup_(std::move(setup)),
      description_(dump_json(setup_->resolved)), layout_(layout_fingerprint(setup_->net->parameters())),
      patience_(io) {}

void cluster::open(caf::actor_system& system, const shared_context& context,
                   const coordinator_actor& coordinator, const sampler_actor& sampler,
                   const monitor_actor& monitor) {
  run_ = std::make_shared<cluster_run>(
      cluster_run{system,
                  context,
                  coordinator,
                  sampler,
                  monitor,
                  {float_format_of(setup_->config.wire_format), board_, setup_->net->trained_offsets()},
                  turns(io_)});
  boost::asio::post(io_, [self = shared_from_this()] {
    self->listener_->start(
        {[weak = std::weak_ptr(self)](const auto& l, const auto& hello, const auto& address) {
           if (const auto c = weak.lock())
             c->greet(l, hello, address);
         },
         [weak = std::weak_ptr(self)](const auto& address, const auto& reason) {
           if (const auto c = weak.lock(); c && c->run_)
             c->warn(fmt::format("refused a connection from {}: {} (said once for each address)", address,
                                 reason));
         }});
  });
}

void cluster::greet(const std::shared_ptr<link>& l, const hello_message& hello, const std::string& address) {
  if (over_)
    return refuse(l, address, {"the run is over", true});
  if (hello.version != TRIAGE_VERSION)
    return refuse(
        l, address,
        {fmt::format("it runs triage {}, the coordinator {}", hello.version, TRIAGE_VERSION), false});
  switch (hello.role) {
  case peer_role::control:
    return welcome_node(l, hello, address);
  case peer_role::tensor:
    return attach(l, hello, address);
  case peer_role::status:
    return tell_status(l);
  }
}

void cluster::refuse(const std::shared_ptr<link>& l, const std::string& address, const refusal_message& m) {
  listener_->refuse(address, m.reason);
  l->hand_over(std::make_shared<answered>(listener_), heartbeats_only);
  l->send(to_frame(m));
  l->close_when_sent(m.reason, farewell_seconds);
}

std::string cluster::free_name(std::string wanted, const std::string& address) const {
  if (wanted.empty())
    wanted = address;
  std::string name = wanted;
  for (int i = 2; std::any_of(nodes_.begin(), nodes_.end(), [&](const auto& n) { return n->name() == name; });
       ++i)
    name = fmt::format("{}-{}", wanted, i);
  return name;
}

void cluster::welcome_node(const std::shared_ptr<link>& l, const hello_message& hello,
                           const std::string& address) {
  if (const auto at = banned_.find(hello.instance); at != banned_.end())
    return refuse(l, address,
                  {fmt::format("it was quarantined, since {}; restart it to try again", at->second), false});
  if (const auto at = late_.find(hello.instance); at != late_.end())
    if (const double left = at->second.seconds_left(steady_clock().now()); left > 0.0)
      return refuse(l, address,
                    {fmt::format("it took too long for {} orders; it may come back in {:.0f} s",
                                 at->second.times(), left),
                     true});
  forget_half_joined();
  if (nodes_.size() >= most_nodes)
    return refuse(l, address, {"there are too many nodes", true});
  for (const auto& known : std::vector(nodes_))
    if (known->instance() == hello.instance)
      known->close("its node came back");
  // A certificate's name is proven; another is only what the node calls itself.
  const auto name = free_name(l->peer().empty() ? hello.name : l->peer(), address);
  auto node = std::make_shared<remote_node>(run_, io_, name, hello.instance, l,
                                            std::size_t{hello.threads} + hello.estimators);
  node->begin(
      {[weak = weak_from_this(), name, address, workers = hello.threads, estimators = hello.estimators] {
         if (const auto self = weak.lock(); self && self->run_)
           self->remark(fmt::format("{} joined from {} with {} workers and {} estimators", name, address,
                                    workers, self->setup_->uses_estimators ? estimators : 0));
       },
       [weak = weak_from_this(), raw = std::weak_ptr(node), address](const std::string& reason) {
         const auto self = weak.lock();
         if (const auto n = raw.lock(); self && n)
           self->node_ended(n, address, reason);
       }});
  nodes_.push_back(node);
  welcome_message m;
  m.name = name;
  m.token = new_token();
  m.description = description_;
  m.fingerprint = setup_->data.fingerprint;
  m.layout = layout_;
  m.heartbeat_seconds = setup_->config.heartbeat_seconds;
  m.tracing = run_->context->tracing;
  tokens_[m.token] = {node, steady_clock().now() + token_seconds};
  l->send(to_frame(m));
}

/// Whoever has not opened its second link by now keeps a place from others.
void cluster::forget_half_joined() {
  const double time = steady_clock().now();
  std::vector<std::shared_ptr<remote_node>> late;
  for (const auto& [token, invited] : tokens_)
    if (invited.until < time)
      late.push_back(invited.node);
  for (const auto& n : late)
    n->close("it did not open its second link in time"); // which forgets the token
}

void cluster::attach(const std::shared_ptr<link>& l, const hello_message& hello, const std::string& address) {
  const auto at = tokens_.find(hello.token);
  if (at == tokens_.end() || at->second.until < steady_clock().now())
    return refuse(l, address, {"its token is not valid: unknown, used or too old", true});
  const auto node = at->second.node;
  tokens_.erase(at);
  if (l->peer() != node->control()->peer())
    return refuse(l, address, {"its certificate is not the one of its control link", false});
  node->attach_tensor_link(l, hello.sees_board);
  l->send(frame(frame_kind::accepted));
}

void cluster::node_ended(const std::shared_ptr<remote_node>& node, const std::string& address,
                         const std::string& reason) {
  listener_->connection_ended();
  if (node->has_tensor_link())
    listener_->connection_ended();
  std::erase(nodes_, node);
  std::erase_if(tokens_, [&](const auto& t) { return t.second.node == node; });
  if (!over_ && node->takes_part())
    warn(fmt::format("{} is gone: {}", node->name(), reason));
  else if (!over_ && node->has_tensor_link())
    complain_once(fmt::format("{} from {} does not take part: {}", node->name(), address, reason));
  else if (!over_)
    listener_->refuse(address, reason); // one line, however often it tries
  if (nodes_.empty() && over_)
    say_done();
}

void cluster::remark(const std::string& text) {
  caf::anon_send(run_->monitor, remark_report{"network", text});
}

void cluster::warn(const std::string& text) {
  caf::anon_send(run_->monitor, warning_report{"network", text});
}

void cluster::complain_once(const std::string& text) {
  if (complaints_.size() < most_complaints && complaints_.insert(text).second)
    warn(text);
}

void cluster::parameters_advanced() {
  boost::asio::post(io_, [self = shared_from_this()] {
    for (const auto& n : std::vector(self->nodes_)) // sending may find out that one is gone
      n->send_arrived_parameters();
  });
}

void cluster::parameters_merged_ahead(const parameters_ahead& next) {
  boost::asio::post(io_, [self = shared_from_this(), next] {
    if (!self->run_)
      return;
    self->run_->outbox.foresee(next);
    for (const auto& n : std::vector(self->nodes_))
      n->send_parameters_ahead();
  });
}

std::shared_ptr<remote_node> cluster::node_of(const std::string& member) const {
  const auto name = member.substr(0, member.find('/'));
  const auto at =
      std::find_if(nodes_.begin(), nodes_.end(), [&](const auto& n) { return n->name() == name; });
  return at == nodes_.end() ? nullptr : *at;
}

void cluster::ban(const std::string& member, const std::string& reason) {
  boost::asio::post(io_, [self = shared_from_this(), member, reason] {
    if (const auto n = self->node_of(member)) {
      self->banned_.emplace(n->instance(), reason);
      n->close(reason);
    }
  });
}

void cluster::was_late(const std::string& member) {
  boost::asio::post(io_, [self = shared_from_this(), member] {
    const auto n = self->node_of(member);
    if (!n || !self->run_)
      return;
    const double kept_out = self->late_[n->instance()].again(steady_clock().now());
    if (kept_out > 0.0)
      self->warn(fmt::format("{} took too long again: it may come back after {:.0f} s", n->name(), kept_out));
  });
}

void cluster::finish(bool final, std::function<void()> done) {
  boost::asio::post(io_, [self = shared_from_this(), final, done = std::move(done)]() mutable {
    self->over_ = true;
    self->done_ = std::move(done);
    for (const auto& n : std::vector(self->nodes_))
      n->finish(final);
    self->patience_.expires_after(longest_farewell);
    self->patience_.async_wait([self](const boost::system::error_code& ec) {
      if (!ec)
        self->say_done();
    });
    if (self->nodes_.empty())
      self->say_done();
  });
}

void cluster::say_done() {
  patience_.cancel();
  if (const auto done = std::exchange(done_, nullptr))
    done();
}

void cluster::shut_down() {
  std::promise<void> stopped;
  boost::asio::post(io_, [&] {
    over_ = true;
    done_ = nullptr;
    patience_.cancel();
    listener_->stop();
    for (const auto& n : std::vector(nodes_))
      n->close("the run is over");
    run_.reset();
    // Links close in a turn of their own, and what they were reading ends in those that follow. Until then
    // they hold the run's actors by their handlers, and the actor system would wait for those for ever: a
    // silent node has not closed its links before.
    after_turns(io_, turns_of_a_farewell, [&] { stopped.set_value(); });
  });
  stopped.get_future().wait();
}

void cluster::tell_status(const std::shared_ptr<link>& l) {
  l->hand_over(std::make_shared<answered>(listener_), heartbeats_only);
  const std::function<void(const std::string&)> answer = [l](const std::string& text) {
    l->send(frame(frame_kind::status, wire_writer().text(text).take()));
    l->close_when_sent("it has its answer", farewell_seconds);
  };
  run_->system.spawn(ask_status_of, run_->coordinator, answer);
}

std::vector<remote_node::figures> cluster::nodes() {
  std::promise<std::vector<remote_node::figures>> promise;
  auto future = promise.get_future();
  boost::asio::post(io_, [&] {
    std::vector<remote_node::figures> out;
    for (const auto& n : nodes_)
      out.push_back(n->describe());
    promise.set_value(std::move(out));
  });
  return future.get();
}

} // namespace triage
