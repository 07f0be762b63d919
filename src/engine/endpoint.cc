#include "engine/endpoint.h"

#include <algorithm>

#include <boost/asio/ip/address.hpp>

#include "base/text.h"

namespace candor::engine {
namespace {

constexpr std::size_t kMaxHostBytes = 253;
constexpr std::size_t kMaxBaseBytes = 256;

std::unexpected<Error> malformed() {
  return fail(Code::kInvalidArgument,
              "an upstream is written https://HOST[:PORT][/BASE], http://HOST[:PORT][/BASE], "
              "tcp:ADDRESS:PORT or unix:/PATH, without user name, query or fragment");
}

bool is_host(std::string_view host) {
  return !host.empty() && host.size() <= kMaxHostBytes && std::ranges::all_of(host, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '-' || c == '_';
  });
}

bool is_base(std::string_view base) {
  return base.size() <= kMaxBaseBytes && base.find("//") == std::string_view::npos &&
         std::ranges::all_of(base, [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                  std::string_view("/.-_~").find(c) != std::string_view::npos;
         });
}

// "HOST", "HOST:PORT", "[V6]:PORT"; default_port 0: the port must be given.
Result<void> parse_authority(std::string_view text, std::uint16_t default_port, Endpoint& out) {
  std::string_view host = text;
  std::string_view port;
  bool has_port = false;
  if (text.starts_with('[')) {
    const std::size_t end = text.find(']');
    if (end == std::string_view::npos) return malformed();
    host = text.substr(1, end - 1);
    const std::string_view rest = text.substr(end + 1);
    has_port = rest.starts_with(':');
    if (!rest.empty() && !has_port) return malformed();
    if (has_port) port = rest.substr(1);
    // Zones ("%eth0") are refused: Asio takes anything after the sign.
    boost::system::error_code error;
    boost::asio::ip::make_address_v6(std::string(host), error);
    if (error || host.find('%') != std::string_view::npos) return malformed();
  } else {
    const std::size_t colon = text.find(':');
    has_port = colon != std::string_view::npos;
    if (has_port) port = text.substr(colon + 1);
    host = text.substr(0, colon);
  }
  out.host = host;
  std::ranges::transform(out.host, out.host.begin(),
                         [](char c) { return c >= 'A' && c <= 'Z' ? char(c - 'A' + 'a') : c; });
  if (!text.starts_with('[') && !is_host(out.host)) return malformed();
  out.port = default_port;
  if (has_port) {
    const auto number = parse_decimal(port);
    if (!number || *number < 1 || *number > 65'535) return malformed();
    out.port = static_cast<std::uint16_t>(*number);
  }
  if (out.port == 0) return malformed();
  return {};
}

}  // namespace

std::string Endpoint::host_header() const {
  if (!socket_path.empty()) return "upstream";
  std::string out = host.find(':') != std::string::npos ? "[" + host + "]" : host;
  if (port != (tls ? 443 : 80)) out += ":" + std::to_string(port);
  return out;
}

bool Endpoint::is_local() const {
  if (!socket_path.empty() || host == "localhost") return true;
  boost::system::error_code error;
  const auto address = boost::asio::ip::make_address(host, error);
  return !error && address.is_loopback();
}

Result<Endpoint> parse_endpoint(std::string_view text) {
  Endpoint out;
  if (text.starts_with("unix:")) {
    out.socket_path = text.substr(5);
    if (!out.socket_path.starts_with('/')) return malformed();
    return out;
  }
  if (text.starts_with("tcp:")) {
    TRY(parse_authority(text.substr(4), 0, out));
    return out;
  }
  out.tls = text.starts_with("https://");
  if (!out.tls && !text.starts_with("http://")) return malformed();
  std::string_view rest = text.substr(out.tls ? 8 : 7);
  const std::size_t slash = std::min(rest.find('/'), rest.size());
  TRY(parse_authority(rest.substr(0, slash), out.tls ? 443 : 80, out));
  std::string_view base = rest.substr(slash);
  while (base.ends_with('/')) base.remove_suffix(1);
  if (base.ends_with("/v1")) base.remove_suffix(3);
  if (!is_base(base)) return malformed();
  out.base = base;
  return out;
}

Result<Endpoint> parse_proxy(std::string_view text) {
  const auto wrong = [] {
    return fail(Code::kInvalidArgument,
                "an upstream's proxy is written http://HOST:PORT, without user name and path");
  };
  if (!text.starts_with("http://")) return wrong();
  text.remove_prefix(7);
  if (text.ends_with('/')) text.remove_suffix(1);
  Endpoint out;
  if (text.find('/') != std::string_view::npos || !parse_authority(text, 0, out)) return wrong();
  return out;
}

}  // namespace candor::engine
