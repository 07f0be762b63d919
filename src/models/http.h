// GET over HTTP as pulls need it: one range of one file, redirects walked here and bounded, nothing
// believed beyond what was asked for. The implementation (curl_http.cc) is the owner of libcurl,
// which is opened when the first client is made, so that no other work of the program carries it.
//
// L12: at most five redirects; none from https to http; none to another scheme; none to a loopback,
// link-local, unspecified or (unless the first address was such) private address, which is looked
// at when the connection is made and not when the name is. No proxy but the one given: variables
// such as HTTPS_PROXY are not looked at. No cookies, no .netrc, no compression.
//
// Errors: kNotFound (404, 410), kPermissionDenied (401, 403, or a redirect that is refused),
// kFailedPrecondition (another answer that trying again does not mend), kUnavailable (network, 408,
// 429, 5xx, a body cut short: try again), kDeadlineExceeded (stalled: try again), and what the
// callbacks answer. Messages name the host, never a query. A client is used by one thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "base/bytes.h"
#include "base/file_system.h"
#include "base/result.h"
#include "models/plan.h"

namespace candor::models {

struct HttpOptions {
  std::string proxy = {};  // "http://HOST:PORT"; empty: none
  Path ca = {};            // PEM; empty: the system's
  std::chrono::milliseconds connect_timeout{15'000};
  std::chrono::seconds stall_timeout{60};  // below a KiB a second for so long
};

struct HttpRequest {
  std::string url = {};
  std::optional<Ranges::Range> range = {};
  std::string accept = {};
};

struct HttpHead {
  long status = 0;
  std::string etag = {};         // strong, with its quotes; empty: none or weak
  std::string linked_etag = {};  // Hugging Face's X-Linked-Etag, of the first answer
  std::optional<std::uint64_t> length = {};
  struct ContentRange {
    std::uint64_t begin = 0, end = 0;  // half open
    std::uint64_t total = 0;
  };
  std::optional<ContentRange> range = {};
};

class HttpClient {
 public:
  using OnHead = std::function<Result<void>(const HttpHead&)>;
  using OnBody = std::function<Result<void>(ByteView)>;
  virtual ~HttpClient() = default;
  // on_head once, for the last answer and before its body; 200 and 206 come there, no other.
  [[nodiscard]] virtual Result<void> get(const HttpRequest& request, const OnHead& on_head,
                                         const OnBody& on_body) = 0;
};

// kFailedPrecondition: libcurl.so.4 is not on this machine.
[[nodiscard]] Result<std::unique_ptr<HttpClient>> curl_client(const HttpOptions& options);

// A whole document, at most max_bytes (kResourceExhausted).
[[nodiscard]] Result<std::string> get_text(HttpClient& client, const HttpRequest& request,
                                           std::size_t max_bytes);

// "bytes 0-99/1000" to {0, 100, 1000}; nothing for another form or one that contradicts itself.
[[nodiscard]] std::optional<HttpHead::ContentRange> content_range(std::string_view text);
// Scheme and host of a URL, for messages; empty: not http or https, or with a user name.
struct UrlParts {
  std::string scheme = {}, host = {}, path = {};  // host with its port; path without query
};
[[nodiscard]] std::optional<UrlParts> url_parts(std::string_view url);

}  // namespace candor::models
