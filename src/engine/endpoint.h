// Where an upstream is, as configuration writes it. Pure; hostile input is expected.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace candor::engine {

// https://HOST[:PORT][/BASE], http://HOST[:PORT][/BASE], tcp:ADDRESS:PORT or unix:/PATH. A last
// "/v1" of the base is left out, since requests name it.
struct Endpoint {
  std::string socket_path = {};  // unix; then host is empty
  std::string host = {};         // lower case, an IPv6 address without brackets
  std::uint16_t port = 0;
  bool tls = false;
  std::string base = {};  // "" or "/openai": before "/v1/..."
  bool operator==(const Endpoint&) const = default;

  // "name:8000" or "[::1]:8000", without the scheme's own port; "upstream" for Unix sockets.
  [[nodiscard]] std::string host_header() const;
  // On this machine: a Unix socket, localhost or a numeric loopback address.
  [[nodiscard]] bool is_local() const;
};

// kInvalidArgument: none of the forms above; user names, queries and fragments are refused.
[[nodiscard]] Result<Endpoint> parse_endpoint(std::string_view text);
// "http://HOST:PORT" without user name and path; kInvalidArgument otherwise.
[[nodiscard]] Result<Endpoint> parse_proxy(std::string_view text);

}  // namespace candor::engine
