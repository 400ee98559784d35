#pragma once

#include "actors/net/byte_stream.hpp"

namespace triage {

/// A connection within the machine without encryption. Who connects offers memory for both to see, and the
/// bytes go through that if who accepts agrees: one copy in and one out, in large pieces, where the kernel
/// also allocates and frees pages for each. The socket is left for knocks (one byte: "there is news") and for
/// noticing that the other end is gone. Where either side does not want it, or cannot, the bytes go through
/// the socket.
///
/// `shares_memory`: offers or accepts it. `board`: what who accepts hands over for the other to read, while
/// its descriptor is open; null: nothing.
[[nodiscard]] std::unique_ptr<byte_stream>
make_shared_memory_stream(local_protocol::socket socket, bool shares_memory,
                          std::shared_ptr<const shared_memory> board = nullptr);

} // namespace triage
