// Property: an endpoint that is taken has a host or a socket, its Host field is one line of visible
// characters, and written again as a URL it is the same endpoint.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "engine/endpoint.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto endpoint = candor::engine::parse_endpoint(text);
  (void)candor::engine::parse_proxy(text);
  if (!endpoint) return 0;
  CANDOR_CHECK(endpoint->host.empty() != endpoint->socket_path.empty());
  const std::string host = endpoint->host_header();
  CANDOR_CHECK(!host.empty());
  for (const char c : host) CANDOR_CHECK(c > ' ' && c < 0x7f);
  if (!endpoint->socket_path.empty()) return 0;
  CANDOR_CHECK(endpoint->port != 0);
  const auto again = candor::engine::parse_endpoint((endpoint->tls ? "https://" : "http://") +
                                                    host + endpoint->base + "/v1");
  CANDOR_CHECK(again && *again == *endpoint);
  return 0;
}
