// The one file that knows libcurl. Its functions are looked up in libcurl.so.4 at run time: linked
// in, it would bring some thirty libraries and a second OpenSSL into every start of the program.
#define CURL_DISABLE_TYPECHECK
#include <algorithm>
#include <cstring>
#include <map>

#include <arpa/inet.h>
#include <curl/curl.h>
#include <dlfcn.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <strings.h>
#include <sys/socket.h>

#include "base/text.h"
#include "models/http.h"

namespace candor::models {
namespace {

constexpr int kMaxRedirects = 5;
constexpr std::size_t kMaxUnread = 1U << 20U;

struct Curl {
  decltype(&curl_easy_init) easy_init = nullptr;
  decltype(&curl_easy_cleanup) easy_cleanup = nullptr;
  decltype(&curl_easy_reset) easy_reset = nullptr;
  decltype(&curl_easy_setopt) setopt = nullptr;
  decltype(&curl_easy_perform) perform = nullptr;
  decltype(&curl_easy_getinfo) getinfo = nullptr;
  decltype(&curl_easy_strerror) strerror = nullptr;
  decltype(&curl_slist_append) slist_append = nullptr;
  decltype(&curl_slist_free_all) slist_free_all = nullptr;
};

Result<Curl> load_curl() {
  void* library = ::dlopen("libcurl.so.4", RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) {
    return fail(Code::kFailedPrecondition,
                "pulls need libcurl, which is not installed: apt-get install libcurl4");
  }
  Curl out;
  bool whole = true;
  const auto look = [&](auto& function, const char* name) {
    function =
        reinterpret_cast<std::remove_reference_t<decltype(function)>>(::dlsym(library, name));
    whole = whole && function != nullptr;
  };
  decltype(&curl_global_init) global_init = nullptr;
  look(global_init, "curl_global_init");
  look(out.easy_init, "curl_easy_init");
  look(out.easy_cleanup, "curl_easy_cleanup");
  look(out.easy_reset, "curl_easy_reset");
  look(out.setopt, "curl_easy_setopt");
  look(out.perform, "curl_easy_perform");
  look(out.getinfo, "curl_easy_getinfo");
  look(out.strerror, "curl_easy_strerror");
  look(out.slist_append, "curl_slist_append");
  look(out.slist_free_all, "curl_slist_free_all");
  if (!whole || global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
    return fail(Code::kFailedPrecondition, "libcurl.so.4 is there but cannot be used");
  }
  return out;
}

enum class Reach : std::uint8_t { kPublic, kPrivate, kLocal };

Reach reach_of_v4(std::uint32_t a) {
  if (a >> 24U == 127 || a >> 24U == 0 || a >> 16U == 0xa9fe || a >> 28U >= 0xe) {
    return Reach::kLocal;
  }
  if (a >> 24U == 10 || a >> 20U == 0xac1 || a >> 16U == 0xc0a8 || a >> 22U == 0x191) {
    return Reach::kPrivate;
  }
  return Reach::kPublic;
}

Reach reach_of(const curl_sockaddr& address) {
  if (address.family == AF_INET) {
    sockaddr_in in{};
    std::memcpy(&in, &address.addr, sizeof in);
    return reach_of_v4(ntohl(in.sin_addr.s_addr));
  }
  if (address.family != AF_INET6 || address.addrlen < sizeof(sockaddr_in6)) return Reach::kLocal;
  sockaddr_in6 in6{};
  std::memcpy(&in6, &address.addr, sizeof in6);
  const std::uint8_t* b = &in6.sin6_addr.s6_addr[0];
  std::uint32_t last = 0;
  std::memcpy(&last, b + 12, sizeof last);
  if (IN6_IS_ADDR_V4MAPPED(&in6.sin6_addr)) return reach_of_v4(ntohl(last));
  const bool zeros = std::all_of(b, b + 15, [](std::uint8_t one) { return one == 0; });
  if (zeros || b[0] == 0xff || (b[0] == 0xfe && (b[1] & 0xc0U) == 0x80)) return Reach::kLocal;
  return (b[0] & 0xfeU) == 0xfc ? Reach::kPrivate : Reach::kPublic;
}

class CurlClient final : public HttpClient {
 public:
  CurlClient(const Curl& curl, HttpOptions options)
      : curl_(curl), options_(std::move(options)), easy_(curl.easy_init()) {}
  CurlClient(const CurlClient&) = delete;
  CurlClient& operator=(const CurlClient&) = delete;
  ~CurlClient() override {
    if (easy_ != nullptr) curl_.easy_cleanup(easy_);
  }

  Result<void> get(const HttpRequest& request, const OnHead& on_head,
                   const OnBody& on_body) override {
    if (easy_ == nullptr) return fail(Code::kInternal, "libcurl gives no handle");
    on_head_ = &on_head;
    on_body_ = &on_body;
    linked_etag_.clear();
    first_host_.clear();
    HttpRequest hop = request;
    for (int redirects = 0;; ++redirects) {
      const auto parts = url_parts(hop.url);
      if (!parts) return fail(Code::kPermissionDenied, "an address that is not http or https");
      redirected_ = redirects > 0;
      if (!redirected_) first_host_ = parts->host;
      const std::string next = TRY(perform(hop, *parts));
      if (next.empty()) return {};
      const auto to = url_parts(next);
      if (redirects == kMaxRedirects) {
        return fail(Code::kPermissionDenied,
                    fmt::format("{} redirects more than {} times", parts->host, kMaxRedirects));
      }
      if (!to) {
        return fail(Code::kPermissionDenied,
                    parts->host + " redirects to what is neither http nor https; it was refused");
      }
      if (parts->scheme == "https" && to->scheme != "https") {
        return fail(
            Code::kPermissionDenied,
            fmt::format("{} redirects from https to plain http; it was refused", parts->host));
      }
      hop.url = next;
    }
  }

 private:
  template <typename T>
  void set(CURLoption option, T value) {
    curl_.setopt(easy_, option, value);
  }

  // Where it redirects to, or nothing when it is done.
  Result<std::string> perform(const HttpRequest& request, const UrlParts& parts) {
    curl_.easy_reset(easy_);  // connections stay
    head_ = {};
    error_.reset();
    refused_address_ = false;
    head_given_ = false;
    unread_ = 0;
    set(CURLOPT_URL, request.url.c_str());
    set(CURLOPT_NOSIGNAL, 1L);
    set(CURLOPT_FOLLOWLOCATION, 0L);
    set(CURLOPT_PROTOCOLS_STR, "http,https");
    set(CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2));
    set(CURLOPT_NETRC, static_cast<long>(CURL_NETRC_IGNORED));
    set(CURLOPT_USERAGENT, "candor");
    set(CURLOPT_PROXY, options_.proxy.c_str());  // empty: none, whatever the environment says
    set(CURLOPT_NOPROXY, "");
    if (!options_.ca.empty()) set(CURLOPT_CAINFO, options_.ca.c_str());
    set(CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(options_.connect_timeout.count()));
    set(CURLOPT_LOW_SPEED_LIMIT, 1024L);
    set(CURLOPT_LOW_SPEED_TIME, static_cast<long>(options_.stall_timeout.count()));
    set(CURLOPT_MAXAGE_CONN, 60L);
    // With a proxy the address is the proxy's: what it may reach is its own rule.
    if (options_.proxy.empty()) {
      set(CURLOPT_OPENSOCKETFUNCTION, &CurlClient::open_socket);
      set(CURLOPT_OPENSOCKETDATA, this);
      // A pooled connection would not be looked at again.
      if (redirected_) set(CURLOPT_FRESH_CONNECT, 1L);
    }
    set(CURLOPT_HEADERFUNCTION, &CurlClient::on_header);
    set(CURLOPT_HEADERDATA, this);
    set(CURLOPT_WRITEFUNCTION, &CurlClient::on_data);
    set(CURLOPT_WRITEDATA, this);
    const std::string range =
        request.range ? fmt::format("{}-{}", request.range->begin, request.range->end - 1) : "";
    if (request.range) set(CURLOPT_RANGE, range.c_str());
    curl_slist* headers = nullptr;
    if (!request.accept.empty()) {
      headers = curl_.slist_append(headers, ("Accept: " + request.accept).c_str());
    }
    set(CURLOPT_HTTPHEADER, headers);
    const CURLcode code = curl_.perform(easy_);
    curl_.slist_free_all(headers);
    if (error_) return std::unexpected(*error_);
    if (refused_address_) {
      return fail(Code::kPermissionDenied,
                  fmt::format("a redirect leads to {}, an address of this machine or of its "
                              "network; it was refused",
                              parts.host));
    }
    if (code != CURLE_OK) {
      const bool stalled = code == CURLE_OPERATION_TIMEDOUT;
      const bool hopeless = code == CURLE_PEER_FAILED_VERIFICATION ||
                            code == CURLE_SSL_CACERT_BADFILE || code == CURLE_URL_MALFORMAT;
      return fail(stalled    ? Code::kDeadlineExceeded
                  : hopeless ? Code::kFailedPrecondition
                             : Code::kUnavailable,
                  fmt::format("{}: {}", parts.host, curl_.strerror(code)));
    }
    if (!redirected_) linked_etag_ = head_.linked_etag;
    const long status = head_.status;
    if (status >= 300 && status < 400) {
      char* url = nullptr;
      curl_.getinfo(easy_, CURLINFO_REDIRECT_URL, &url);
      if (url == nullptr || *url == '\0') {
        return fail(Code::kFailedPrecondition,
                    fmt::format("{} answered {} and no place to go", parts.host, status));
      }
      return std::string(url);
    }
    if (status == 200 || status == 206) {
      TRY(give_head());  // of an empty body
      return std::string();
    }
    return fail(status == 404 || status == 410                    ? Code::kNotFound
                : status == 401 || status == 403                  ? Code::kPermissionDenied
                : status == 408 || status == 429 || status >= 500 ? Code::kUnavailable
                                                                  : Code::kFailedPrecondition,
                fmt::format("{} answered {} for {}", parts.host, status,
                            strip_controls(parts.path.substr(0, 200))));
  }

  Result<void> give_head() {
    if (head_given_) return {};
    head_given_ = true;
    if (redirected_) head_.linked_etag = linked_etag_;
    return (*on_head_)(head_);
  }

  static curl_socket_t open_socket(void* self, curlsocktype /*purpose*/, curl_sockaddr* address) {
    auto* client = static_cast<CurlClient*>(self);
    const Reach reach = reach_of(*address);
    if (!client->redirected_) {
      Reach& first = client->reach_[client->first_host_];
      first = std::max(first, reach);
    } else if (reach > client->reach_[client->first_host_]) {
      client->refused_address_ = true;
      return CURL_SOCKET_BAD;
    }
    return ::socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
  }

  static std::size_t on_header(char* data, std::size_t one, std::size_t count, void* self) {
    auto* client = static_cast<CurlClient*>(self);
    std::string_view line(data, one * count);
    while (line.ends_with('\r') || line.ends_with('\n')) line.remove_suffix(1);
    HttpHead& head = client->head_;
    if (line.starts_with("HTTP/")) {
      head = {};  // after a 100, or a proxy's answer to CONNECT
      const std::size_t space = line.find(' ');
      if (space != std::string_view::npos) {
        head.status = static_cast<long>(parse_decimal(line.substr(space + 1, 3)).value_or(0));
      }
      return one * count;
    }
    const std::size_t colon = line.find(':');
    if (colon == std::string_view::npos) return one * count;
    const std::string name(line.substr(0, colon));
    std::string_view value = line.substr(colon + 1);
    while (value.starts_with(' ')) value.remove_prefix(1);
    while (value.ends_with(' ')) value.remove_suffix(1);
    const auto is = [&](const char* wanted) { return ::strcasecmp(name.c_str(), wanted) == 0; };
    const auto tag = [&] {
      const bool strong = value.size() >= 2 && value.size() <= 512 && value.starts_with('"') &&
                          value.ends_with('"') && is_utf8(value);
      return std::string(strong ? value : "");
    };
    if (is("etag")) head.etag = tag();
    if (is("x-linked-etag")) head.linked_etag = tag();
    if (is("content-range")) head.range = content_range(value);
    if (is("content-length")) {
      if (const auto length = parse_decimal(value)) head.length = *length;
    }
    return one * count;
  }

  static std::size_t on_data(char* data, std::size_t one, std::size_t count, void* self) {
    auto* client = static_cast<CurlClient*>(self);
    const std::size_t size = one * count;
    // Of redirects and errors nothing is read, and not for ever.
    if (client->head_.status != 200 && client->head_.status != 206) {
      client->unread_ += size;
      return client->unread_ > kMaxUnread ? 0 : size;
    }
    auto done = client->give_head();
    if (done) done = (*client->on_body_)(as_bytes(std::string_view(data, size)));
    if (done) return size;
    client->error_ = done.error();
    return 0;  // ends the transfer
  }

  Curl curl_;
  HttpOptions options_;
  CURL* easy_;
  const OnHead* on_head_ = nullptr;
  const OnBody* on_body_ = nullptr;
  HttpHead head_;
  std::string linked_etag_;
  std::optional<Error> error_;
  std::string first_host_;
  std::map<std::string, Reach> reach_;  // of hosts that were asked; their connections are kept
  std::size_t unread_ = 0;
  bool redirected_ = false, refused_address_ = false, head_given_ = false;
};

}  // namespace

Result<std::unique_ptr<HttpClient>> curl_client(const HttpOptions& options) {
  static const Result<Curl> kCurl = load_curl();
  if (!kCurl) return std::unexpected(kCurl.error());
  return std::make_unique<CurlClient>(*kCurl, options);
}

}  // namespace candor::models
