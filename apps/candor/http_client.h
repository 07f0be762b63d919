// A small blocking HTTP/1.1 client for our own server: one request a connection, over a Unix socket
// or loopback TCP. Bounded in head, body and time; the peer is our monitor, yet what it sends is
// read as foreign input.
//
// Errors: kUnavailable (nobody answers there; the message says what to start), kPermissionDenied
// (the socket admits owner, group and root only), kDeadlineExceeded, kCancelled (interrupted, see
// interrupt_flag), kInvalidArgument (not HTTP, or above a bound). A reply with an error status is a
// value, not an error.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace candor::cli {

struct Endpoint {
  std::string unix_path;  // used when not empty
  std::string host = "127.0.0.1";
  std::uint16_t port = 0;
  [[nodiscard]] std::string describe() const;
};

using HeaderList = std::vector<std::pair<std::string, std::string>>;

struct HttpRequest {
  std::string method = "GET";
  std::string target = "/";
  HeaderList headers;
  std::string body;
};

struct HttpReply {
  int status = 0;
  HeaderList headers;  // names in lower case
  std::string body;    // empty when a sink took it
  [[nodiscard]] std::string_view header(std::string_view name) const;
};

struct HttpOptions {
  std::size_t max_body_bytes = 64U << 20U;
  std::chrono::milliseconds idle{600'000};  // longest silence
  // Takes the body of a 200 reply piece by piece instead of collecting it.
  std::function<void(std::string_view)> sink;
};

[[nodiscard]] Result<HttpReply> http_call(const Endpoint& endpoint, const HttpRequest& request,
                                          const HttpOptions& options = {});

// Set by SIGINT once catch_interrupts() was called; http_call then closes its connection, which
// cancels the exchange on the server, and answers kCancelled.
[[nodiscard]] std::atomic<bool>& interrupt_flag() noexcept;
void catch_interrupts();

}  // namespace candor::cli
