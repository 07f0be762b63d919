#include "http/headers.h"

#include <gtest/gtest.h>

#include "base/testing/result_matchers.h"

namespace candor::http {
namespace {

TEST(HeadersTest, NamesAreFoundWithoutCaseAndTheFirstWins) {
  Headers headers{{"Host", "a"}, {"X-Thing", "1"}, {"x-thing", "2"}};
  EXPECT_EQ(headers.find("host"), "a");
  EXPECT_EQ(headers.find("X-THING"), "1");
  EXPECT_EQ(headers.count("x-thing"), 2U);
  EXPECT_FALSE(headers.find("absent"));
}

TEST(HeadersTest, AFieldValueHoldsNoLineBreak) {
  EXPECT_TRUE(is_field_value("text/html; a=\"b\"\tc"));
  EXPECT_FALSE(is_field_value("a\r\nset-cookie: b"));
  EXPECT_FALSE(is_field_value(std::string_view("a\0b", 3)));
  EXPECT_TRUE(is_token("x-request-id"));
  EXPECT_FALSE(is_token("x request"));
  EXPECT_FALSE(is_token(""));
}

TEST(HeadersTest, BearerTokensAreTakenInAnySchemeCase) {
  EXPECT_EQ(bearer_token("Bearer cnd_x"), "cnd_x");
  EXPECT_EQ(bearer_token("bearer  t "), "t");
  EXPECT_FALSE(bearer_token("Basic abc"));
  EXPECT_FALSE(bearer_token("Bearer "));
  EXPECT_FALSE(bearer_token("Bearer a b"));
}

TEST(HeadersTest, MediaTypeDropsParametersAndCase) {
  EXPECT_EQ(media_type("Application/JSON; charset=utf-8"), "application/json");
  EXPECT_EQ(media_type(" text/plain "), "text/plain");
  EXPECT_EQ(media_type(""), "");
}

TEST(HeadersTest, PathsAreDecodedAndTricksRefused) {
  EXPECT_EQ(*decode_path("/v1/models/a%20b"), "/v1/models/a b");
  for (const char* bad : {"/%2Fetc", "/%00", "/%zz", "/%4", "/a%0d"}) {
    EXPECT_THAT(decode_path(bad), HasCode(Code::kInvalidArgument)) << bad;
  }
}

TEST(HeadersTest, RequestIdsAreNamesOnly) {
  EXPECT_TRUE(is_request_id("req-1.2:3_x"));
  EXPECT_FALSE(is_request_id(""));
  EXPECT_FALSE(is_request_id("a b"));
  EXPECT_FALSE(is_request_id("a\r\nb"));
  EXPECT_FALSE(is_request_id(std::string(129, 'a')));
}

}  // namespace
}  // namespace candor::http
