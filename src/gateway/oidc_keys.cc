#include "gateway/oidc_keys.h"

#include <algorithm>
#include <utility>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/steady_timer.hpp>

#include "base/file_system.h"
#include "base/log.h"
#include "gateway/workers.h"
#include "json/json.h"

namespace candor::gateway {
namespace {

constexpr std::chrono::seconds kFetchDeadline{10};

bool is_url(std::string_view text) {
  return text.starts_with("https://") || text.starts_with("http://");
}

Result<engine::Endpoint> endpoint_of(const std::string& url) {
  engine::Endpoint endpoint = TRY(engine::parse_endpoint(url));
  if (!endpoint.tls && !endpoint.is_local()) {
    return fail(Code::kInvalidArgument,
                "the identity provider's keys are taken over https only, but for one on this "
                "machine");
  }
  return endpoint;
}

std::string discovery_url(std::string issuer) {
  while (issuer.ends_with('/')) issuer.pop_back();
  return issuer + "/.well-known/openid-configuration";
}

}  // namespace

OidcKeys::OidcKeys(http::asio::any_io_executor executor, http::asio::thread_pool& workers,
                   OidcOptions options)
    : executor_(std::move(executor)), workers_(workers), options_(std::move(options)) {}

Result<std::shared_ptr<OidcKeys>> OidcKeys::open(http::asio::any_io_executor executor,
                                                 http::asio::thread_pool& workers,
                                                 OidcOptions options) {
  const bool discovery = options.keys.empty();
  std::shared_ptr<OidcKeys> made(new OidcKeys(executor, workers, std::move(options)));
  const OidcOptions& o = made->options_;
  if (discovery || is_url(o.keys)) {
    TRY(endpoint_of(discovery ? discovery_url(o.expected.issuer) : o.keys));
    made->tls_ = TRY(http::TlsContext::client({.ca_pem = o.ca_pem}));
  }
  http::asio::co_spawn(executor, keep_fresh(made, executor), http::asio::detached);
  return made;
}

void OidcKeys::close() { closed_ = true; }

std::expected<oidc::Claims, OidcKeys::Refused> OidcKeys::verify(std::string_view token,
                                                                std::int64_t now_s) const {
  if (!fetched_ || std::chrono::steady_clock::now() - *fetched_ > kStale) {
    return std::unexpected(
        Refused{.message = "The identity provider's keys cannot be had now, so no sign-in token is "
                           "taken. Ask again in a moment, or tell the operator.",
                .newer_keys_may_help = true,
                .unavailable = true});
  }
  auto claims = oidc::verify_token(token, keys_, options_.expected, now_s);
  if (!claims) {
    return std::unexpected(
        Refused{.message = oidc::explain(claims.error()),
                .newer_keys_may_help = claims.error() == oidc::Refusal::kUnknownKey,
                .unavailable = false});
  }
  const bool in_group =
      options_.groups.empty() || std::ranges::any_of(claims->groups, [&](const std::string& group) {
        return std::ranges::find(options_.groups, group) != options_.groups.end();
      });
  if (!in_group) {
    return std::unexpected(Refused{.message = "Your sign-in names no group that may use this "
                                              "server. Ask the operator about oidc.groups."});
  }
  return *std::move(claims);
}

http::Task<bool> OidcKeys::refresh() {
  if (fetching_) {  // somebody's fetch will do
    http::Event done(executor_);
    waiting_.push_back(&done);
    co_await done.wait();
    co_return detail_.empty();
  }
  const Time now = std::chrono::steady_clock::now();
  if (closed_ || (tried_ && now - *tried_ < kPause)) co_return false;
  tried_ = now;
  fetching_ = true;
  auto fetched = co_await fetch();
  fetching_ = false;
  if (fetched) {
    keys_ = *std::move(fetched);
    fetched_ = std::chrono::steady_clock::now();
    detail_.clear();
  } else {
    detail_ = fetched.error().message();
    log_warning("oidc.keys_not_fetched", {{"code", fetched.error().code()}});
  }
  for (http::Event* waiter : std::exchange(waiting_, {})) waiter->set();
  co_return detail_.empty();
}

http::Task<Result<oidc::KeySet>> OidcKeys::fetch() {
  std::string url = options_.keys;
  if (!url.empty() && !is_url(url)) {
    auto bytes = co_await off_thread(workers_, [&url]() -> Result<Bytes> {
      return read_file(real_file_system(), url, oidc::kMaxKeySetBytes);
    });
    if (!bytes) co_return std::unexpected(std::move(bytes).error().with_context("oidc.keys"));
    co_return oidc::parse_key_set(as_text(*bytes));
  }
  if (url.empty()) {
    const std::string text = CO_TRY(co_await get(discovery_url(options_.expected.issuer)));
    const auto document = json::parse(text, {.max_bytes = oidc::kMaxKeySetBytes, .max_depth = 8});
    if (!document || !document->is_object()) {
      co_return fail(Code::kUnavailable, "the issuer's discovery document is not JSON");
    }
    const auto issuer = json::get_string(document->get_object(), "issuer");
    const auto place = json::get_string(document->get_object(), "jwks_uri");
    if (!issuer || *issuer != options_.expected.issuer || !place) {
      co_return fail(Code::kUnavailable,
                     "the discovery document is another issuer's, or names no jwks_uri");
    }
    url = *place;
  }
  const std::string text = CO_TRY(co_await get(url));
  auto keys = oidc::parse_key_set(text);
  if (!keys) co_return std::unexpected(std::move(keys).error().with_context("the key set"));
  co_return keys;
}

http::Task<Result<std::string>> OidcKeys::get(const std::string& url) {
  const engine::Endpoint endpoint = CO_TRY(endpoint_of(url));
  engine::EngineClientOptions options;
  options.dialer = engine::upstream_dialer(
      {.endpoint = endpoint, .tls = tls_, .proxy = {}, .connect_timeout = kFetchDeadline});
  options.host = endpoint.host_header();
  options.max_body_bytes = oidc::kMaxKeySetBytes;
  engine::EngineClient client(executor_, std::move(options));
  engine::EngineRequest request;
  request.method = "GET";
  request.path = endpoint.base.empty() ? "/" : endpoint.base;
  request.first_byte_deadline = request.idle_deadline = request.total_deadline = kFetchDeadline;
  auto reply = CO_TRY(co_await client.fetch(std::move(request)));
  if (reply.status != 200) {
    co_return fail(Code::kUnavailable,
                   "the identity provider answered " + std::to_string(reply.status));
  }
  co_return std::move(reply.body);
}

http::Task<void> OidcKeys::keep_fresh(std::weak_ptr<OidcKeys> self,
                                      http::asio::any_io_executor executor) {
  http::asio::steady_timer timer(executor);
  for (;;) {
    std::chrono::seconds next = kRefresh;
    {
      const auto held = self.lock();
      if (!held || held->closed_) co_return;
      if (!co_await held->refresh()) next = 2 * kPause;
    }
    timer.expires_after(next);
    const auto [error] = co_await timer.async_wait(http::asio::as_tuple(http::asio::use_awaitable));
    if (error) co_return;
  }
}

OidcKeys::Status OidcKeys::status() const {
  return {.issuer = options_.expected.issuer, .keys = keys_.keys.size(), .detail = detail_};
}

}  // namespace candor::gateway
