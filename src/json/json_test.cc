#include "json/json.h"

#include <gtest/gtest.h>

#include "base/testing/result_matchers.h"

namespace candor::json {
namespace {

// RFC 8785 section 3.2.3: the sorting example, with values as given.
TEST(JsonTest, CanonicalSortsKeysAsRfc8785Does) {
  const auto value = parse(R"({
    "\u20ac": "Euro Sign",
    "\r": "Carriage Return",
    "\ufb33": "Hebrew Letter Dalet With Dagesh",
    "1": "One",
    "\ud83d\ude00": "Emoji: Grinning Face",
    "\u0080": "Control",
    "\u00f6": "Latin Small Letter O With Diaeresis"
  })");
  ASSERT_OK(value);
  EXPECT_EQ(*canonical(*value),
            "{\"\\r\":\"Carriage Return\",\"1\":\"One\",\"\u0080\":\"Control\","
            "\"ö\":\"Latin Small Letter O With Diaeresis\",\"€\":\"Euro Sign\","
            "\"\U0001F600\":\"Emoji: Grinning Face\","
            "\"\uFB33\":\"Hebrew Letter Dalet With Dagesh\"}");
}

TEST(JsonTest, S7_DuplicateKeysAreRefusedAtAnyDepth) {
  for (const std::string_view text :
       {R"({"a":1,"a":1})", R"({"a":1,"\u0061":2})", R"([{"x":{"k":1,"b":2,"k":3}}])",
        R"({"a":{"b":1},"c":{"d":1,"d":2}})", R"({"":1,"":2})",
        R"({"a":1,"b":2,"c":3,"d":4,"e":5,"f":6,"g":7,"h":8,"i":9,"j":10,"c":11})"}) {
    EXPECT_THAT(parse(text), HasCode(Code::kInvalidArgument)) << text;
  }
  EXPECT_OK(parse(R"({"a":{"a":{"a":1}},"b":[{"a":1},{"a":2}]})"));
}

TEST(JsonTest, S7_LoneSurrogatesAndBadUtf8AreRefused) {
  for (const std::string_view text :
       {R"("\ud800")", R"("\udc00")", R"("\ud800\ud800")", R"("\ud800x")", R"("\ud83d\u0041")",
        "\"\xED\xA0\x80\"", "\"\xFF\"", "\"\xC0\x80\"", R"({"\ud800":1})"}) {
    EXPECT_THAT(parse(text), HasCode(Code::kInvalidArgument)) << text;
  }
  EXPECT_OK(parse(R"("\ud83d\ude00")"));
}

}  // namespace
}  // namespace candor::json
