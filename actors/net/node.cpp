#include "actors/net/node.hpp"

#include "actors/expendable_system.hpp"
#include "actors/net/coordinator_proxy.hpp"
#include "actors/net/io_thread.hpp"
#include "actors/net/tls.hpp"
#include "actors/priority_estimator.hpp"
#include "actors/run_context.hpp"
#include "actors/worker.hpp"
#include "core/process_room.hpp"
#include "core/rng.hpp"
#include "nn/layout_fingerprint.hpp"

#include <boost/asio/ip/address.hpp>
#include <caf/all.hpp>
#include <condition_variable>
#include <fmt/format.h>
#include <mutex>
#include <random>

namespace triage {

namespace {

constexpr double first_pause = 0.2;
constexpr double longest_pause = 5.0;
constexpr std::size_t threads_beside = 8; ///< the network's, CAF's own
constexpr std::chrono::seconds patience_with_workers{30};

/// What the network's thread has to tell the node's.
struct session_news {
  std::mutex mutex;
  std::condition_variable_any changed;
  std::optional<welcome_message> welcome;
  std::optional<session_end> end;
  bool closed = false;
};

std::shared_ptr<coordinator_session> open_session(boost::asio::io_context& context,
                                                  const session_options& options,
                                                  const std::shared_ptr<session_news>& news) {
  auto session = std::make_shared<coordinator_session>(context, options);
  session->open({[news](const welcome_message& m) {
                   const std::lock_guard lock(news->mutex);
                   news->welcome = m;
                   news->changed.notify_all();
                 },
                 [news](const session_end& e) {
                   const std::lock_guard lock(news->mutex);
                   news->end = e;
                   news->changed.notify_all();
                 },
                 [news] {
                   const std::lock_guard lock(news->mutex);
                   news->closed = true;
                   news->changed.notify_all();
                 }});
  return session;
}

struct node_config : caf::actor_system_config {
  explicit node_config(std::size_t threads) {
    set("scheduler.policy", caf::atom("sharing"));
    set("scheduler.max-threads", std::max<std::size_t>(threads, 1));
    set("scheduler.max-throughput", std::size_t{50});
  }
};

class node_runner {
public:
  node_runner(const node_options& options, const run_extensions& extensions,
              std::shared_ptr<boost::asio::ssl::context> tls)
      : options_(options), extensions_(extensions) {
    session_.coordinator = options.coordinator;
    session_.tls = std::move(tls);
    session_.hello.version = TRIAGE_VERSION;
    session_.hello.name = options.name;
    session_.hello.threads = options.workers;
    session_.hello.estimators = options.estimators;
    std::random_device entropy;
    session_.hello.instance = (std::uint64_t{entropy()} << 32U) | entropy();
  }

  node_runner(const node_runner&) = delete;
  node_runner& operator=(const node_runner&) = delete;
  ~node_runner() {
    if (io_stays_)
      static_cast<void>(io_.release());
  }

  result<node_outcome> run(const std::stop_token& stop) {
    const steady_clock time;
    rng jitter(session_.hello.instance, 0);
    double pause = first_pause;
    double searching_since = time.now();
    while (true) {
      const auto news = std::make_shared<session_news>();
      const double began = time.now();
      const auto session = open_session(io_->context(), session_, news);
      auto end = take_part(session, news, stop);
      await_closed(*news);
      if (!end.ok())
        return end.error();
      if (end->what == session_end::kind::finished)
        return node_outcome::finished;
      if (end->what == session_end::kind::left || stop.stop_requested())
        return node_outcome::left;
      if (!end->again)
        return configuration_error("the coordinator refused this node: " + end->reason);
      // A stay that ends as soon as it began is a failed attempt: what ended it may well be there again.
      if (std::exchange(took_part_, false) && time.now() - began > longest_pause) {
        pause = first_pause;
        searching_since = time.now();
      }
      if (time.now() - searching_since > options_.wait_seconds)
        return error{error_kind::retry,
                     fmt::format("gave up after {:.0f} s: {}", options_.wait_seconds, end->reason)};
      say(fmt::format("{}; trying again in {:.1f} s", end->reason, pause));
      if (!wait(pause * (0.75 + 0.5 * jitter.uniform()), stop))
        return node_outcome::left;
      pause = std::min(2.0 * pause, longest_pause);
    }
  }

private:
  void say(const std::string& text) {
    if (options_.log != nullptr)
      options_.log->info("node", text);
  }

  /// False: asked to stop meanwhile.
  static bool wait(double seconds, const std::stop_token& stop) {
    std::mutex mutex;
    std::condition_variable_any never;
    std::unique_lock lock(mutex);
    (void)never.wait_for(lock, stop, std::chrono::duration<double>(seconds), [] { return false; });
    return !stop.stop_requested();
  }

  /// Until then words may still be on their way, and the links refer to the session.
  static void await_closed(session_news& news) {
    std::unique_lock lock(news.mutex);
    news.changed.wait(lock, [&] { return news.closed; });
  }

  /// Leaves the session closed, or about to be.
  result<session_end> take_part(const std::shared_ptr<coordinator_session>& session,
                                const std::shared_ptr<session_news>& news, const std::stop_token& stop) {
    std::unique_lock lock(news->mutex);
    if (!news->changed.wait(lock, stop, [&] { return news->welcome || news->end; })) {
      session->close({session_end::kind::left, "it was told to leave", false});
      return session_end{session_end::kind::left, "it was told to leave", false};
    }
    if (news->end) {
      session->close(*news->end);
      return *news->end;
    }
    const welcome_message welcome = *news->welcome;
    lock.unlock();
    if (auto ready = prepare(welcome); !ready.ok()) {
      session->send_control(to_report_frame(true, "setup", ready.error().message));
      session->close_when_sent();
      lock.lock();
      news->changed.wait(lock, [&] { return news->end.has_value(); });
      return ready.error();
    }
    took_part_ = true;
    session->send_control(frame(frame_kind::ready));
    say(fmt::format("joined the run at {} as {}", to_string(options_.coordinator), welcome.name));
    return work(session, news, welcome, stop);
  }

  /// Loads what the description says, once for all reconnections to the same run.
  result<void> prepare(const welcome_message& welcome) {
    if (context_ && description_ == welcome.description)
      return {};
    say(fmt::format("loading the data of the run at {}", to_string(options_.coordinator)));
    auto document = parse_json(welcome.description, "the coordinator's description");
    if (!document.ok())
      return document.error();
    if (!options_.data_path.empty())
      if (auto set = set_json_path(*document, "data.path", json_value(options_.data_path)); !set.ok())
        return set;
    auto setup = prepare_run(*document, "the coordinator's description", extensions_);
    if (!setup.ok())
      return setup.error();
    if ((*setup)->data.fingerprint != welcome.fingerprint)
      return data_error(
          fmt::format("the data here is not the coordinator's: fingerprint {} instead of {}; copy "
                      "the coordinator's data, or point --data to it",
                      (*setup)->data.fingerprint.substr(0, 12), welcome.fingerprint.substr(0, 12)));
    if (layout_fingerprint((*setup)->net->parameters()) != welcome.layout)
      return configuration_error("this processor packs weights differently from the coordinator's; start all "
                                 "processes of the run with ONEDNN_MAX_CPU_ISA=AVX2");
    auto context = std::make_shared<run_context>();
    context->setup = setup.take();
    context->time = std::make_shared<steady_clock>();
    context->tracing = welcome.tracing;
    context_ = context;
    description_ = welcome.description;
    return {};
  }

  session_end work(const std::shared_ptr<coordinator_session>& session,
                   const std::shared_ptr<session_news>& news, const welcome_message& welcome,
                   const std::stop_token& stop) {
    expendable_system expendable(std::make_unique<node_config>(options_.threads),
                                 [this] { io_stays_ = true; });
    caf::actor_system& system = expendable.get();
    caf::scoped_actor self(system);
    session->begin(context_->setup);
    const auto proxy = spawn_coordinator_proxy(system, session, context_->setup);
    auto context = std::make_shared<run_context>(*context_);
    context->tracing = welcome.tracing;
    context->warm_up = true;
    context->gradient_parts = true; // they travel while the rest is computed
    context->gradient_part_sink = [session](gradient_part part) { session->send_part(std::move(part)); };
    std::vector<caf::actor> members;
    for (std::uint32_t i = 0; i < options_.workers; ++i)
      members.push_back(caf::actor_cast<caf::actor>(
          spawn_worker(*self, context, proxy, proxy, fmt::format("worker-{}", i))));
    if (context_->setup->uses_estimators)
      for (std::uint32_t i = 0; i < options_.estimators; ++i)
        members.push_back(caf::actor_cast<caf::actor>(
            spawn_priority_estimator(*self, context, proxy, proxy, fmt::format("estimator-{}", i))));
    session_end end;
    {
      const std::stop_callback on_stop(stop, [&] { session->leave(); });
      std::unique_lock lock(news->mutex);
      news->changed.wait(lock, [&] { return news->end.has_value(); });
      end = *news->end;
    }
    for (const auto& m : members) {
      self->monitor(m);
      self->send_exit(m, caf::exit_reason::user_shutdown);
    }
    for (std::size_t i = 0; i < members.size(); ++i)
      self->receive([](const caf::down_msg&) {},
                    caf::after(patience_with_workers) >> [&] { say("a worker does not end"); });
    self->request(proxy, patience_with_workers, flush_request{})
        .receive([](const flushed&) {}, [](const caf::error&) {});
    session->close_when_sent();
    self->send_exit(proxy, caf::exit_reason::user_shutdown);
    return end;
  }

  node_options options_;
  const run_extensions& extensions_;
  session_options session_;
  std::unique_ptr<io_thread> io_ = std::make_unique<io_thread>();
  bool io_stays_ = false; ///< somebody who was left behind may still use it
  shared_context context_;
  std::string description_;
  bool took_part_ = false;
};

} // namespace

result<node_outcome> run_node(const node_options& options, std::stop_token stop,
                              const run_extensions& extensions) {
  if (!is_node_name(options.name))
    return configuration_error(
        fmt::format("\"{}\" cannot be the name of a node: give letters, digits, '.', '_' and '-', {} of them "
                    "at most",
                    options.name, longest_node_name));
  if (const auto most = std::max(options.workers, options.estimators); most > most_of_a_node)
    return configuration_error(fmt::format(
        "{} workers or estimators are more than a node may have, {}: lower --threads or --workers-per-thread",
        most, most_of_a_node));
  if (auto room = check_room(options.threads + options.workers + options.estimators + threads_beside);
      !room.ok())
    return room.error();
  std::shared_ptr<boost::asio::ssl::context> tls;
  if (!options.tls_directory.empty()) {
    auto made = make_tls_context(options.tls_directory);
    if (!made.ok())
      return made.error();
    tls = made.take();
  } else if (!options.insecure) {
    boost::system::error_code ec;
    const auto address = boost::asio::ip::make_address(options.coordinator.host, ec);
    if (options.coordinator.host != "localhost" && (ec || !address.is_loopback()))
      return configuration_error(
          fmt::format("{} is another machine: give this node's certificates with --tls "
                      "DIR, or --insecure to go without",
                      to_string(options.coordinator)));
  }
  return node_runner(options, extensions, std::move(tls)).run(stop);
}

} // namespace triage
