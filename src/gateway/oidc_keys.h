// The identity provider's keys, kept fresh, and the tokens checked with them (C7). Keys come from a
// file, from a URL, or by the provider's discovery document (OpenID Connect Discovery 1.0, section
// 4). They are looked at again every kRefresh, and at once when a token names a key that is not
// there (a rotation), but not more often than every kPause. What cannot be fetched leaves the older
// keys in force for kStale; then no token is taken (P8). Redirects are not followed. io thread
// only.
#pragma once

#include <chrono>
#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <boost/asio/thread_pool.hpp>

#include "base/result.h"
#include "engine/engine_client.h"
#include "http/task.h"
#include "oidc/token.h"

namespace candor::gateway {

struct OidcOptions {
  oidc::Expected expected;
  std::vector<std::string> groups;  // one of them is needed; empty: none is
  std::string keys;                 // a file's path or a URL; empty: by discovery
  std::string ca_pem;               // empty: the system's authorities
};

class OidcKeys : public std::enable_shared_from_this<OidcKeys> {
 public:
  static constexpr std::chrono::minutes kRefresh{10};
  static constexpr std::chrono::seconds kPause{10};
  static constexpr std::chrono::hours kStale{24};

  // kInvalidArgument: a URL that is none, or that would fetch keys in the clear from another
  // machine. Fetching begins at once, on the executor.
  [[nodiscard]] static Result<std::shared_ptr<OidcKeys>> open(http::asio::any_io_executor executor,
                                                              http::asio::thread_pool& workers,
                                                              OidcOptions options);
  void close();

  // Why nobody: a sentence with what to do; whether newer keys could change it; whether the keys
  // are to blame rather than the token.
  struct Refused {
    std::string_view message;
    bool newer_keys_may_help = false;
    bool unavailable = false;
  };
  [[nodiscard]] std::expected<oidc::Claims, Refused> verify(std::string_view token,
                                                            std::int64_t now_s) const;
  // Waits for newer keys if they may be asked for now. True: there are some.
  [[nodiscard]] http::Task<bool> refresh();

  struct Status {
    std::string issuer;
    std::size_t keys = 0;
    std::string detail;  // why the last fetch failed; empty: it did not
  };
  [[nodiscard]] Status status() const;

 private:
  using Time = std::chrono::steady_clock::time_point;
  OidcKeys(http::asio::any_io_executor executor, http::asio::thread_pool& workers,
           OidcOptions options);
  [[nodiscard]] http::Task<Result<oidc::KeySet>> fetch();
  [[nodiscard]] http::Task<Result<std::string>> get(const std::string& url);
  static http::Task<void> keep_fresh(std::weak_ptr<OidcKeys> self,
                                     http::asio::any_io_executor executor);

  http::asio::any_io_executor executor_;
  http::asio::thread_pool& workers_;
  OidcOptions options_;
  std::shared_ptr<const http::TlsContext> tls_;
  oidc::KeySet keys_;
  std::string detail_ = "not fetched yet";
  std::optional<Time> fetched_, tried_;
  bool fetching_ = false;
  std::vector<http::Event*> waiting_;  // for the fetch under way
  bool closed_ = false;
};

}  // namespace candor::gateway
