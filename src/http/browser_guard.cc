#include "http/browser_guard.h"

#include <algorithm>

namespace candor::http {
namespace {

bool is_loopback_name(std::string_view name) {
  if (name == "localhost" || name == "::1" || name == "127.0.0.1") return true;
  // The whole of 127.0.0.0/8, as a dotted quad only.
  if (!name.starts_with("127.")) return false;
  int dots = 0;
  int digits = 0;
  int value = 0;
  for (const char c : name) {
    if (c == '.') {
      if (digits == 0) return false;
      ++dots;
      digits = 0;
      value = 0;
    } else if (c >= '0' && c <= '9') {
      value = value * 10 + (c - '0');
      if (++digits > 3 || value > 255) return false;
    } else {
      return false;
    }
  }
  return dots == 3 && digits > 0;
}

bool contains(const std::vector<std::string>& list, std::string_view value) {
  return std::find(list.begin(), list.end(), value) != list.end();
}

}  // namespace

std::string host_name(std::string_view host) {
  std::string_view name = host;
  std::string_view port;
  if (name.starts_with('[')) {
    const std::size_t end = name.find(']');
    if (end == std::string_view::npos) return {};
    port = name.substr(end + 1);
    name = name.substr(1, end - 1);
  } else if (const std::size_t colon = name.find(':'); colon != std::string_view::npos) {
    port = name.substr(colon);
    name = name.substr(0, colon);
  }
  if (!port.empty() &&
      (port.front() != ':' || port.size() > 6 ||
       !std::all_of(port.begin() + 1, port.end(), [](char c) { return c >= '0' && c <= '9'; }))) {
    return {};
  }
  std::string out(name);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  if (out.ends_with('.')) out.pop_back();  // a fully qualified spelling of the same name
  return out;
}

std::optional<BrowserRefusal> check_browser(const Request& request, const BrowserPolicy& policy,
                                            bool is_unix_socket) {
  if (!is_unix_socket) {
    const std::string name = host_name(request.headers.find("host").value_or(""));
    if (!is_loopback_name(name) && !contains(policy.hosts, name)) return BrowserRefusal::kHost;
  }
  const auto origin = request.headers.find("origin");
  // A page that this server itself served is not foreign; Host was checked above.
  const std::string_view host = request.headers.find("host").value_or("");
  const std::string_view scheme = request.over_tls ? "https://" : "http://";
  const bool own = origin && !host.empty() && origin->starts_with(scheme) &&
                   equal_ignoring_case(origin->substr(scheme.size()), host);
  const bool listed = origin && (own || contains(policy.origins, *origin));
  if (origin && !listed) return BrowserRefusal::kOrigin;
  if (const auto site = request.headers.find("sec-fetch-site"); site && !listed) {
    // "none" is a person's own act (the address bar); "same-origin" a page that we served.
    if (*site != "none" && *site != "same-origin") return BrowserRefusal::kOrigin;
  }
  if (request.method == Method::kPost &&
      media_type(request.headers.find("content-type").value_or("")) != "application/json") {
    return BrowserRefusal::kContentType;
  }
  return std::nullopt;
}

}  // namespace candor::http
