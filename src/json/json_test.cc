#include "json/json.h"

#include <cstdlib>

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

// RFC 8785 section 3.2.2: the sample's strings and literals (its fractions may not be hashed here).
TEST(JsonTest, CanonicalWritesStringsAndLiteralsAsRfc8785Does) {
  const auto value = parse(R"({
    "string": "\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/",
    "literals": [null, true, false]
  })");
  ASSERT_OK(value);
  EXPECT_EQ(*canonical(*value),
            R"({"literals":[null,true,false],"string":"€$\u000f\nA'B\"\\\\\"/"})");
}

TEST(JsonTest, CanonicalRefusesFractionsAndIntegersThatReadersRound) {
  for (const std::string_view text : {"1.5", "1.0", "1e2", "-0.0", "9007199254740992",
                                      "-9007199254740992", "18446744073709551615", "[[0.1]]"}) {
    const auto value = parse(text);
    ASSERT_OK(value) << text;
    EXPECT_THAT(canonical(*value), HasCode(Code::kInvalidArgument)) << text;
  }
  EXPECT_EQ(*canonical(*parse("[9007199254740991,-9007199254740991,0]")),
            "[9007199254740991,-9007199254740991,0]");
}

TEST(JsonTest, CanonicalRefusesStringsThatAreNotUtf8) {
  EXPECT_THAT(canonical(Value("\xFF")), HasCode(Code::kInvalidArgument));
  EXPECT_THAT(canonical(Value({{"\xC0\x80", 1}})), HasCode(Code::kInvalidArgument));
}

TEST(JsonTest, S7_OnlyTheCanonicalTextIsCanonical) {
  EXPECT_OK(parse_canonical(R"({"a":1,"b":[true,"é\n"]})"));
  for (const std::string_view text :
       {R"({"b":1,"a":2})", R"({ "a":1})", R"({"a":1} )", R"({"a":"\u00e9"})", R"({"a":"\/"})",
        R"({"a":-0})", R"({"a":"\u000A"})", R"({"a":1.0})", "\xEF\xBB\xBF{}"}) {
    EXPECT_THAT(parse_canonical(text), HasCode(Code::kInvalidArgument)) << text;
  }
}

TEST(JsonTest, WhatIsNotRfc8259IsRefused) {
  for (const std::string_view text :
       {"",          " ",      "{",          "[1,]",      "{\"a\":1,}", "{a:1}", "'a'",
        "01",        "+1",     ".5",         "1.",        "0x1",        "NaN",   "Infinity",
        "-Infinity", "nul",    "tru",        "1 2",       "{} {}",      "[1]x",  "// c\n1",
        "/**/1",     "\"\t\"", "\"\n\"",     "\"\\x41\"", "\"\\u12\"",  "\"abc", "\xEF\xBB\xBF{}",
        "1e",        "-",      "\"a\x00b\"", "1e999",     "-1e999"}) {
    EXPECT_THAT(parse(text), HasCode(Code::kInvalidArgument)) << text;
  }
  EXPECT_THAT(parse(std::string_view("1\0", 2)), HasCode(Code::kInvalidArgument));
}

TEST(JsonTest, LimitsHoldAtTheirEdge) {
  const auto nested = [](std::size_t depth) {
    return std::string(depth, '[') + std::string(depth, ']');
  };
  EXPECT_OK(parse(nested(64)));
  EXPECT_THAT(parse(nested(65)), HasCode(Code::kInvalidArgument));
  EXPECT_THAT(parse(nested(1'000'000)), HasCode(Code::kInvalidArgument));
  EXPECT_OK(parse("12345", {.max_bytes = 5}));
  EXPECT_THAT(parse("12345 ", {.max_bytes = 5}), HasCode(Code::kInvalidArgument));
}

TEST(JsonTest, ErrorsHoldAnOffsetAndNoneOfTheInput) {
  const auto value = parse(R"({"secret":"word","secret":"word"})");
  ASSERT_FALSE(value.has_value());
  EXPECT_EQ(value.error().message().find("secret"), std::string::npos);
  EXPECT_EQ(value.error().message().find("word"), std::string::npos);
  EXPECT_NE(value.error().message().find("offset"), std::string::npos);
}

TEST(JsonTest, NumbersKeepTheirKind) {
  EXPECT_EQ(parse("9223372036854775807")->kind(), boost::json::kind::int64);
  EXPECT_EQ(parse("-9223372036854775808")->kind(), boost::json::kind::int64);
  EXPECT_EQ(parse("9223372036854775808")->kind(), boost::json::kind::uint64);
  EXPECT_EQ(parse("18446744073709551616")->kind(), boost::json::kind::double_);
  EXPECT_EQ(parse("1.0")->kind(), boost::json::kind::double_);
  EXPECT_EQ(parse("1e0")->kind(), boost::json::kind::double_);
}

// Against the C library's conversion, which is exact.
TEST(JsonTest, DoublesAreExact) {
  for (const std::string text :
       {"0.1", "0.7", "1.7976931348623157e308", "5e-324", "2.2250738585072014e-308",
        "9007199254740993.0", "123456789.123456789", "1e23", "8.41e21", "4.35", "1e-400",
        "0.30000000000000004", "179769313486231570000000000000000000000"}) {
    const auto value = parse(text);
    ASSERT_OK(value) << text;
    EXPECT_EQ(value->get_double(), std::strtod(text.c_str(), nullptr)) << text;
    EXPECT_EQ(parse(to_text(*value))->get_double(), value->get_double()) << to_text(*value);
  }
}

TEST(JsonTest, ManyKeysAreCheckedInReasonableTime) {
  std::string text = "{";
  for (int i = 0; i < 200'000; ++i) text += "\"k" + std::to_string(i) + "\":0,";
  EXPECT_OK(parse(text + "\"last\":0}"));
  EXPECT_THAT(parse(text + "\"k777\":0}"), HasCode(Code::kInvalidArgument));
}

TEST(JsonTest, TextKeepsInsertionOrder) {
  const auto value = parse(R"({ "z" : 1 , "a" : [ 0.5, "q\"", null ] })");
  EXPECT_EQ(to_text(*value), R"({"z":1,"a":[0.5,"q\"",null]})");
  EXPECT_EQ(to_text(Value(1.0)), "1.0");
}

TEST(JsonTest, AppendStringReplacesWhatIsNotUtf8) {
  std::string out = "x";
  append_string(out, "a\"\\\b\x01\x7F é\xFF\xED\xA0\x80😀");
  EXPECT_EQ(out, "x\"a\\\"\\\\\\b\\u0001\x7F é\uFFFD\uFFFD\uFFFD\uFFFD😀\"");
  EXPECT_OK(parse(out.substr(1)));
}

TEST(JsonTest, AccessorsNameTheFieldAndTheType) {
  const auto value = *parse(R"({"s":"t","i":-3,"u":9223372036854775808,"b":true,"o":{},"a":[]})");
  const Object& object = **as_object(value, "the entry");
  EXPECT_EQ(*get_string(object, "s"), "t");
  EXPECT_EQ(*get_int(object, "i"), -3);
  EXPECT_TRUE(*get_bool(object, "b"));
  EXPECT_TRUE((*get_object(object, "o"))->empty());
  EXPECT_TRUE((*get_array(object, "a"))->empty());
  EXPECT_EQ(get_string(object, "x").error().message(), "missing field 'x'");
  EXPECT_EQ(get_string(object, "i").error().message(), "field 'i' must be a string");
  EXPECT_THAT(get_int(object, "u"), HasCode(Code::kInvalidArgument));
  EXPECT_THAT(get_int(object, "s"), HasCode(Code::kInvalidArgument));
  EXPECT_EQ(as_object(value.at("s"), "the entry").error().message(), "the entry must be an object");
  EXPECT_EQ(find(object, "x"), nullptr);
  EXPECT_OK(only_keys(object, {"s", "i", "u", "b", "o", "a"}));
  EXPECT_EQ(only_keys(object, {"s", "i", "u", "b", "o"}).error().message(), "unknown field 'a'");
  EXPECT_EQ(only_keys(**as_object(*parse("{\"a\\u001b\":1}"), ""), {}).error().message(),
            "unknown field");
}

}  // namespace
}  // namespace candor::json
