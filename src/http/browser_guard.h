// What keeps a web page in somebody's browser from driving the server (S13): a Host allow-list
// against DNS rebinding, refusal of foreign origins, and a content type that a plain form cannot
// send. No CORS headers are ever sent for an origin that is not listed. Pure; hostile input is
// expected.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "http/request.h"

namespace candor::http {

struct BrowserPolicy {
  // Names that a client may address the server by, without port, lower case. Loopback names and
  // addresses are always allowed.
  std::vector<std::string> hosts;
  // Foreign origins that may call it, as browsers write them ("https://chat.example"). Default
  // none.
  std::vector<std::string> origins;
};

enum class BrowserRefusal : std::uint8_t {
  kHost,         // 421: the Host is not one of ours
  kOrigin,       // 403: a page of another origin asks
  kContentType,  // 415: a POST that is not application/json
};

// Unix-socket listeners skip the Host check: no browser reaches them.
[[nodiscard]] std::optional<BrowserRefusal> check_browser(const Request& request,
                                                          const BrowserPolicy& policy,
                                                          bool is_unix_socket);

// "name", "name:8080", "[::1]:8080" to lower-case name without port and brackets; "" if malformed.
[[nodiscard]] std::string host_name(std::string_view host);

}  // namespace candor::http
