#include "models/http.h"

#include "base/text.h"

namespace candor::models {

std::optional<HttpHead::ContentRange> content_range(std::string_view text) {
  constexpr std::string_view kUnit = "bytes ";
  if (!text.starts_with(kUnit)) return std::nullopt;
  text.remove_prefix(kUnit.size());
  const std::size_t dash = text.find('-');
  const std::size_t slash = text.find('/');
  if (dash == std::string_view::npos || slash == std::string_view::npos || slash < dash) {
    return std::nullopt;
  }
  const auto first = parse_decimal(text.substr(0, dash));
  const auto last = parse_decimal(text.substr(dash + 1, slash - dash - 1));
  const auto total = parse_decimal(text.substr(slash + 1));
  if (!first || !last || !total || *first > *last || *last >= *total || *total > kMaxFileBytes) {
    return std::nullopt;
  }
  return HttpHead::ContentRange{.begin = *first, .end = *last + 1, .total = *total};
}

std::optional<UrlParts> url_parts(std::string_view url) {
  UrlParts out;
  for (const std::string_view scheme : {"https", "http"}) {
    if (url.starts_with(scheme) && url.substr(scheme.size()).starts_with("://")) {
      out.scheme = scheme;
      url.remove_prefix(scheme.size() + 3);
      break;
    }
  }
  if (out.scheme.empty() || url.size() > 8'192) return std::nullopt;
  for (const char c : url) {
    if (c <= ' ' || c == '\x7f' || c == '\\') return std::nullopt;
  }
  const std::size_t end = std::min(url.find_first_of("/?#"), url.size());
  out.host = url.substr(0, end);
  if (out.host.empty() || out.host.find('@') != std::string::npos) return std::nullopt;
  url.remove_prefix(end);
  out.path = url.substr(0, url.find_first_of("?#"));
  return out;
}

Result<std::string> get_text(HttpClient& client, const HttpRequest& request,
                             std::size_t max_bytes) {
  std::string out;
  TRY(client.get(
      request, [](const HttpHead&) -> Result<void> { return {}; },
      [&](ByteView data) -> Result<void> {
        if (data.size() > max_bytes - out.size()) {
          return fail(Code::kResourceExhausted, "the publisher's answer is too long");
        }
        out.append(as_text(data));
        return {};
      }));
  return out;
}

}  // namespace candor::models
