#include "engine/endpoint.h"

#include <gtest/gtest.h>

#include "base/testing/result_matchers.h"

namespace candor::engine {
namespace {

TEST(EndpointTest, EveryFormIsRead) {
  const auto https = parse_endpoint("https://Models.Example/openai/v1/");
  ASSERT_OK(https);
  EXPECT_EQ(*https,
            (Endpoint{.host = "models.example", .port = 443, .tls = true, .base = "/openai"}));
  EXPECT_EQ(https->host_header(), "models.example");
  EXPECT_FALSE(https->is_local());

  const auto plain = parse_endpoint("http://[::1]:9000/v1");
  ASSERT_OK(plain);
  EXPECT_EQ(*plain, (Endpoint{.host = "::1", .port = 9'000}));
  EXPECT_EQ(plain->host_header(), "[::1]:9000");
  EXPECT_TRUE(plain->is_local());

  EXPECT_EQ(*parse_endpoint("tcp:127.0.0.1:9000"), (Endpoint{.host = "127.0.0.1", .port = 9'000}));
  EXPECT_EQ(*parse_endpoint("tcp:[::1]:9000"), (Endpoint{.host = "::1", .port = 9'000}));
  const auto local = parse_endpoint("unix:/run/engine.sock");
  ASSERT_OK(local);
  EXPECT_EQ(local->socket_path, "/run/engine.sock");
  EXPECT_TRUE(local->is_local());
}

TEST(EndpointTest, WhatCouldLeadElsewhereIsRefused) {
  for (const std::string_view text : {"",
                                      "models.example",
                                      "ftp://a",
                                      "https://",
                                      "https:///v1",
                                      "https://user@host/v1",
                                      "https://user:secret@host/v1",
                                      "https://host/v1?key=1",
                                      "https://host/v1#a",
                                      "https://host:0",
                                      "https://host:70000",
                                      "https://host:",
                                      "https://ho st",
                                      "https://host\r\n",
                                      "https://host//v1",
                                      "https://host/a b",
                                      "https://[::1",
                                      "https://[::1]x",
                                      "https://[::1%eth0]:1",
                                      "https://[fe80::1%\r\nX-A: b]:1",
                                      "https://[nope]:1",
                                      "https://host/%2e%2e",
                                      "tcp:host",
                                      "unix:relative",
                                      "unix:",
                                      "https://ho\xc3\xb6st"}) {
    EXPECT_THAT(parse_endpoint(text), HasCode(Code::kInvalidArgument)) << text;
  }
}

TEST(EndpointTest, AProxyIsAHostAndAPort) {
  EXPECT_EQ(*parse_proxy("http://proxy.example:3128/"),
            (Endpoint{.host = "proxy.example", .port = 3'128}));
  for (const std::string_view text : {"http://proxy.example", "https://proxy:1",
                                      "http://a:b@proxy:1", "http://proxy:1/path", "proxy:1"}) {
    EXPECT_THAT(parse_proxy(text), HasCode(Code::kInvalidArgument)) << text;
  }
}

}  // namespace
}  // namespace candor::engine
