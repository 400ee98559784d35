#include "apps/bench/link_pair.hpp"

#include "actors/net/tls.hpp"
#include "apps/bench/linked_threads.hpp"
#include "apps/bench/series.hpp"

#include <array>
#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>
#include <chrono>
#include <future>
#include <openssl/evp.h>
#include <stdexcept>
#include <thread>

namespace triage {

namespace {

using boost::asio::ip::tcp;
constexpr std::size_t answer_bytes = 16;

class blocking_pair final : public push_pair {
public:
  double rate(std::size_t bytes, double seconds) override {
    boost::asio::io_context context;
    tcp::acceptor acceptor(context, {boost::asio::ip::address_v4::loopback(), 0});
    std::thread server([&] {
      tcp::socket socket(context);
      acceptor.accept(socket);
      socket.set_option(tcp::no_delay(true));
      std::vector<char> in(bytes);
      std::array<char, answer_bytes> answer{};
      boost::system::error_code ec;
      while (!ec) {
        boost::asio::read(socket, boost::asio::buffer(in), ec);
        if (!ec)
          boost::asio::write(socket, boost::asio::buffer(answer), ec);
      }
    });
    tcp::socket socket(context);
    socket.connect(acceptor.local_endpoint());
    socket.set_option(tcp::no_delay(true));
    const std::vector<char> out(bytes, 'x');
    std::array<char, answer_bytes> answer{};
    const double pushes = calls_per_second(seconds, [&] {
      boost::asio::write(socket, boost::asio::buffer(out));
      boost::asio::read(socket, boost::asio::buffer(answer));
    });
    socket.close();
    server.join();
    return pushes;
  }
};

/// Answers every frame with a short one.
struct answering final : link_handler {
  explicit answering(std::size_t floats) : block(floats) {}
  result<std::span<float>> place(const frame_header&, std::span<const std::uint8_t>) override {
    return block.values();
  }
  result<void> arrived(const frame_header&, std::span<const std::uint8_t>) override {
    self.lock()->send(frame(frame_kind::accepted));
    return {};
  }
  void closed(const std::string&) override {}
  mutable_blob block;
  std::weak_ptr<link> self;
};

/// Pushes the next frame when the last was answered.
struct pushing final : link_handler {
  pushing(std::size_t floats, double s) : block(mutable_blob(floats).freeze()), seconds(s) {}
  void push() { self.lock()->send(frame(frame_kind::parameters, {}, block, float_format::float32)); }
  void begin() {
    start = std::chrono::steady_clock::now();
    push();
  }
  result<std::span<float>> place(const frame_header&, std::span<const std::uint8_t>) override {
    return run_error("floats");
  }
  result<void> arrived(const frame_header&, std::span<const std::uint8_t>) override {
    ++count;
    const std::chrono::duration<double> passed = std::chrono::steady_clock::now() - start;
    if (passed.count() < seconds)
      push();
    else
      done.set_value(count / passed.count());
    return {};
  }
  void closed(const std::string&) override {}
  blob block;
  double seconds;
  std::weak_ptr<link> self;
  std::chrono::steady_clock::time_point start;
  double count = 0.0;
  std::promise<double> done;
};

class link_pair final : public push_pair {
public:
  explicit link_pair(link_transport transport, const std::string& tls_directory = {})
      : transport_(transport) {
    if (tls_directory.empty())
      return;
    auto made = make_tls_context(tls_directory);
    if (!made.ok())
      throw std::runtime_error(made.error().message);
    tls_ = made.take();
  }

  double rate(std::size_t bytes, double seconds) override {
    const std::size_t floats = bytes / sizeof(float);
    const auto server = std::make_shared<answering>(floats);
    const auto client = std::make_shared<pushing>(floats, seconds);
    auto rate = client->done.get_future();
    linked_threads both(transport_, tls_);
    both.connect(client, server, [&](const std::shared_ptr<link>& near, const std::shared_ptr<link>& far) {
      client->self = near;
      server->self = far;
    });
    both.post([client] { client->begin(); });
    const double pushes = rate.get();
    both.stop();
    return pushes;
  }

private:
  link_transport transport_;
  std::shared_ptr<boost::asio::ssl::context> tls_;
};

} // namespace

std::unique_ptr<push_pair> make_blocking_pair() {
  return std::make_unique<blocking_pair>();
}

std::unique_ptr<push_pair> make_link_pair(const std::string& tls_directory) {
  return std::make_unique<link_pair>(link_transport::tcp, tls_directory);
}

std::unique_ptr<push_pair> make_shared_memory_pair() {
  return std::make_unique<link_pair>(link_transport::shared_memory);
}

double encryption_speed(double seconds) {
  constexpr int record = 16384;
  const std::unique_ptr<EVP_CIPHER_CTX, decltype(&EVP_CIPHER_CTX_free)> context(EVP_CIPHER_CTX_new(),
                                                                                EVP_CIPHER_CTX_free);
  const std::array<unsigned char, 16> key{};
  const std::array<unsigned char, 12> nonce{};
  std::vector<unsigned char> data(record);
  std::array<unsigned char, 16> tag{};
  return record * calls_per_second(seconds, [&] {
           int length = 0;
           if (EVP_EncryptInit_ex(context.get(), EVP_aes_128_gcm(), nullptr, key.data(), nonce.data()) != 1 ||
               EVP_EncryptUpdate(context.get(), data.data(), &length, data.data(), record) != 1 ||
               EVP_EncryptFinal_ex(context.get(), data.data(), &length) != 1 ||
               EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_GCM_GET_TAG, 16, tag.data()) != 1)
             throw std::runtime_error("OpenSSL does not encrypt");
         });
}

} // namespace triage
