#include "http/browser_guard.h"

#include <gtest/gtest.h>

namespace candor::http {
namespace {

Request request(Method method, Headers headers) {
  Request out;
  out.method = method;
  out.headers = std::move(headers);
  return out;
}

TEST(BrowserGuardTest, S13_OnlyOurOwnHostNamesAreServed) {
  const BrowserPolicy policy{.hosts = {"ai.example"}, .origins = {}};
  for (const char* good : {"localhost", "localhost:8080", "LOCALHOST.", "127.0.0.1:1", "127.9.9.9",
                           "[::1]:8080", "ai.example:443"}) {
    EXPECT_FALSE(check_browser(request(Method::kGet, {{"host", good}}), policy, false)) << good;
  }
  for (const char* bad :
       {"evil.example", "127.0.0.1.evil.example", "localhost.evil.example", "", "127.0.0",
        "127.0.0.256", "localhost:80:80", "[::1", "10.0.0.1", "localhost@evil", "localhost:x"}) {
    EXPECT_EQ(check_browser(request(Method::kGet, {{"host", bad}}), policy, false),
              BrowserRefusal::kHost)
        << bad;
  }
  EXPECT_FALSE(check_browser(request(Method::kGet, {{"host", "anything"}}), policy, true));
}

TEST(BrowserGuardTest, S13_ForeignOriginsAreRefusedUnlessListed) {
  const BrowserPolicy policy{.hosts = {}, .origins = {"https://chat.example"}};
  const auto with = [&](const char* name, const char* value) {
    return check_browser(request(Method::kGet, {{"host", "localhost:80"}, {name, value}}), policy,
                         false);
  };
  EXPECT_EQ(with("origin", "https://evil.example"), BrowserRefusal::kOrigin);
  EXPECT_EQ(with("origin", "null"), BrowserRefusal::kOrigin);
  EXPECT_EQ(with("origin", "http://localhost:81"), BrowserRefusal::kOrigin);
  EXPECT_FALSE(with("origin", "http://localhost:80"));
  EXPECT_FALSE(with("origin", "https://chat.example"));
  EXPECT_EQ(with("sec-fetch-site", "cross-site"), BrowserRefusal::kOrigin);
  EXPECT_EQ(with("sec-fetch-site", "same-site"), BrowserRefusal::kOrigin);
  EXPECT_FALSE(with("sec-fetch-site", "none"));
}

TEST(BrowserGuardTest, S13_APostNeedsJson) {
  const auto with = [](Headers headers) {
    headers.add("host", "localhost");
    return check_browser(request(Method::kPost, std::move(headers)), {}, false);
  };
  EXPECT_FALSE(with({{"content-type", "application/json; charset=utf-8"}}));
  EXPECT_EQ(with({{"content-type", "text/plain"}}), BrowserRefusal::kContentType);
  EXPECT_EQ(with({}), BrowserRefusal::kContentType);
}

}  // namespace
}  // namespace candor::http
