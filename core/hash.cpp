#include "core/hash.hpp"

#include <array>
#include <fmt/format.h>
#include <openssl/evp.h>
#include <stdexcept>

namespace triage {

struct sha256::state {
  EVP_MD_CTX* context = EVP_MD_CTX_new();
  state() = default;
  state(const state&) = delete;
  state& operator=(const state&) = delete;
  ~state() { EVP_MD_CTX_free(context); }
};

sha256::sha256() : state_(std::make_unique<state>()) {
  if (EVP_DigestInit_ex(state_->context, EVP_sha256(), nullptr) != 1)
    throw std::runtime_error("OpenSSL provides no SHA-256");
}

sha256::~sha256() = default;

void sha256::add(std::span<const std::byte> bytes) {
  EVP_DigestUpdate(state_->context, bytes.data(), bytes.size());
}

void sha256::add(std::string_view text) {
  add(std::as_bytes(std::span(text)));
}

std::string sha256::hex() {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned int length = 0;
  EVP_DigestFinal_ex(state_->context, digest.data(), &length);
  std::string out;
  for (unsigned int i = 0; i < length; ++i)
    out += fmt::format("{:02x}", digest.at(i));
  return out;
}

std::string sha256_hex(std::span<const std::byte> bytes) {
  sha256 h;
  h.add(bytes);
  return h.hex();
}

} // namespace triage
