#pragma once

#include "actors/net/byte_stream.hpp"

namespace triage {

/// A connection within the machine without encryption. Who connects offers memory for both to see, and the
/// bytes go through that if who accepts agrees: one copy in and one out, in large pieces, where the kernel
/// also allocates and frees pages for each. The socket is left for knocks (one byte: "there is news") and for
/// noticing that the other end is gone. Where either side does not want it, or cannot, the bytes go through
/// the socket.
///
/// `shares_memory`: offers or accepts it.
[[nodiscard]] std::unique_ptr<byte_stream> make_shared_memory_stream(local_protocol::socket socket,
                                                                     bool shares_memory);

} // namespace triage
