#pragma once

#include "actors/net/io_thread.hpp"
#include "actors/net/link.hpp"

#include <boost/asio/post.hpp>
#include <boost/asio/ssl/context.hpp>
#include <functional>
#include <memory>

namespace triage {

enum class link_transport { tcp, shared_memory };

/// The two ends of a link within this machine, each on a network thread of its own.
class linked_threads {
public:
  /// Encrypted with `tls`, unless it is null; over TCP only.
  explicit linked_threads(link_transport transport, std::shared_ptr<boost::asio::ssl::context> tls = nullptr)
      : transport_(transport), tls_(std::move(tls)) {}

  /// Returns when both ends are connected; throws when they cannot be. `prepare` is called before either end
  /// reads.
  using preparation =
      std::function<void(const std::shared_ptr<link>& near, const std::shared_ptr<link>& far)>;
  void connect(const std::shared_ptr<link_handler>& near, const std::shared_ptr<link_handler>& far,
               const preparation& prepare);
  /// On the near end's thread.
  template <class Work>
  void post(Work work) {
    boost::asio::post(here_.context(), std::move(work));
  }
  /// Returns when both threads have ended.
  void stop();

private:
  link_transport transport_;
  std::shared_ptr<boost::asio::ssl::context> tls_;
  io_thread here_;
  io_thread there_;
  std::shared_ptr<link> near_;
  std::shared_ptr<link> far_;
};

} // namespace triage
