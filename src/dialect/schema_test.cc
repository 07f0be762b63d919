#include "dialect/schema.h"

#include <gmock/gmock.h>

#include "dialect/testing/samples.h"

namespace candor::dialect {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::expected<BoundedSchema, SchemaError> bound(std::string_view text, bool strict = false) {
  const auto value = json::parse(text);
  EXPECT_TRUE(value) << text;
  return bound_schema(*value, strict);
}
std::string enforced(std::string_view text) {
  const auto schema = bound(text);
  return schema ? schema->schema.enforced.reveal() : "refused: " + schema.error().message;
}

TEST(SchemaTest, KeepsWhatAGrammarHoldsInTheOrderOfTheProperties) {
  EXPECT_EQ(
      enforced(R"({"$schema":"x","type":"object","additionalProperties":false,
                         "required":["why","answer"],"title":"T","properties":{
                           "why":{"type":"string","description":"d","maxLength":80},
                           "answer":{"enum":["yes","no",1.50,null]},
                           "n":{"type":["integer","null"],"minimum":-3,"exclusiveMaximum":7}}})"),
      R"({"type":"object","properties":{)"
      R"("why":{"type":"string","maxLength":80,"description":"d"},)"
      R"("answer":{"enum":["yes","no",1.5,null]},)"
      R"("n":{"anyOf":[{"type":"integer","minimum":-3,"exclusiveMaximum":7},{"type":"null"}]}},)"
      R"("required":["why","answer"],"additionalProperties":false,"title":"T"})");
  EXPECT_EQ(enforced(R"({"items":{"const":{"b":1,"a":2}},"minItems":1,"maxItems":3})"),
            R"({"type":"array","items":{"const":{"b":1,"a":2}},"minItems":1,"maxItems":3})");
  EXPECT_EQ(enforced(R"({"type":"string","format":"date"})"),
            R"({"type":"string","format":"date"})");
  EXPECT_EQ(enforced(R"({"type":"string","format":"email"})"), R"({"type":"string"})");
  EXPECT_EQ(enforced("{}"), "{}");
}

TEST(SchemaTest, ReferencesAreRenamedAndMayRecur) {
  EXPECT_EQ(enforced(R"({"$defs":{"No/de":{"type":"object","properties":{
                           "next":{"anyOf":[{"$ref":"#/$defs/No/de"},{"type":"null"}]}}},
                           "unused":{"type":"string"}},"$ref":"#/$defs/No/de"})"),
            R"({"$ref":"#/$defs/d0","$defs":{"d0":{"type":"object","properties":{)"
            R"("next":{"anyOf":[{"$ref":"#/$defs/d0"},{"type":"null"}]}},)"
            R"("additionalProperties":false}}})");
  EXPECT_THAT(enforced(R"({"$ref":"https://example.org/x"})"), HasSubstr("refused"));
  EXPECT_THAT(enforced(R"({"$ref":"#/properties/a"})"), HasSubstr("refused"));
  EXPECT_THAT(enforced(R"({"$ref":"#/$defs/a"})"), HasSubstr("refused"));
}

TEST(SchemaTest, WhatCannotBeEnforcedIsNamedOrRefusedWhenStrict) {
  const std::string_view text =
      R"({"type":"object","minProperties":1,"required":["x"],"properties":{
    "a":{"type":"string","pattern":"(a*)*$"},"b":{"type":"number","minimum":0.5},
    "c":{"type":"string","maxLength":100000},"d":{"not":{}},
    "e":{"type":"array","uniqueItems":true}}})";
  const auto loose = bound(text);
  ASSERT_TRUE(loose) << loose.error().message;
  EXPECT_THAT(loose->not_enforced, ElementsAre("minProperties", "pattern", "minimum", "maxLength",
                                               "not", "uniqueItems", "required"));
  EXPECT_EQ(loose->schema.enforced.reveal().find("pattern"), std::string::npos);
  const auto strict = bound(text, true);
  ASSERT_FALSE(strict);
  EXPECT_THAT(strict.error().message, HasSubstr("'minProperties' in a way that cannot"));
}

// S8: nothing but the table's own keywords and the client's names, values and texts.
TEST(SchemaTest, S8_UnknownKeywordsNeverPass) {
  const std::string out =
      enforced(R"({"type":"object","grammar":"CANARY","x-y":{"CANARY":1},"properties":{
                   "a":{"$comment":"CANARY","lora":["CANARY"],"examples":["CANARY"]}}})");
  EXPECT_EQ(out.find("CANARY"), std::string::npos);
  EXPECT_EQ(out, R"({"type":"object","properties":{"a":{}},"additionalProperties":false})");
}

// B8: each way to explode is refused at once.
TEST(SchemaTest, B8_WhatExplodesIsRefused) {
  std::string deep = R"({"type":"string"})";
  for (int i = 0; i < 13; ++i) deep = R"({"type":"array","items":)" + deep + "}";
  std::string wide = R"({"type":"object","properties":{)";
  for (int i = 0; i < 65; ++i) wide += (i > 0 ? ",\"p" : "\"p") + std::to_string(i) + "\":{}";
  wide += "}}";
  std::string many = R"({"anyOf":[)";
  for (int i = 0; i < 33; ++i) many += i > 0 ? ",{}" : "{}";
  many += "]}";
  std::string nodes = R"({"type":"object","properties":{)";
  for (int i = 0; i < 60; ++i) {
    nodes += (i > 0 ? ",\"p" : "\"p") + std::to_string(i) +
             R"(":{"anyOf":[{},{},{},{},{},{},{},{},{}]})";
  }
  nodes += "}}";
  std::string repeats = R"({"type":"object","properties":{)";
  for (int i = 0; i < 5; ++i) {
    repeats +=
        (i > 0 ? ",\"p" : "\"p") + std::to_string(i) + R"(":{"type":"string","maxLength":500})";
  }
  repeats += "}}";
  std::string values = R"({"enum":[0)";
  for (int i = 1; i < 257; ++i) values += "," + std::to_string(i);
  values += "]}";
  const std::string name =
      R"({"type":"object","properties":{")" + std::string(65, '-') + R"(":{}}})";
  const std::string value = R"({"const":")" + std::string(1100, 'x') + R"("})";
  const std::string text = R"({"description":")" + std::string(9000, 'x') + R"("})";
  for (const std::string& bad : {deep, wide, many, nodes, repeats, values, name, value, text}) {
    EXPECT_THAT(enforced(bad), HasSubstr("refused")) << bad.substr(0, 100);
  }
  for (const std::string_view bad :
       {R"({"type":"alien"})", R"({"type":[]})", R"({"type":1})", R"({"enum":[]})", R"({"enum":1})",
        R"({"anyOf":[]})", R"({"anyOf":[1]})", R"({"type":"object","properties":[]})",
        R"({"type":"object","required":"a","properties":{"a":{}}})",
        R"({"type":"array","items":1})", R"({"type":"array","minItems":-1})",
        R"({"type":"array","minItems":3,"maxItems":2})", R"({"type":"string","maxLength":1.5})",
        R"({"prefixItems":[]})", "[]", "1"}) {
    EXPECT_THAT(enforced(bad), HasSubstr("refused")) << bad;
  }
}

TEST(SchemaTest, BoundingTwiceChangesNothing) {
  for (
      const std::string_view text :
      {R"({"type":["object","string"],"properties":{"a":{"type":"integer","minimum":1}}})",
       R"({"$defs":{"x":{"type":"string"}},"type":"object","properties":{"a":{"$ref":"#/$defs/x"}}})",
       R"({"prefixItems":[{"type":"null"},{"allOf":[{"type":"boolean"}]}],"default":[1]})"}) {
    EXPECT_EQ(enforced(enforced(text)), enforced(text)) << text;
  }
}

TEST(ForcedCallsTest, OneToolOfMoreOrAList) {
  Exchange exchange;
  Tool plain;
  plain.name = Text("now");
  Tool with;
  with.name = Text("f");
  const auto schema = bound(R"({"type":"object","properties":{"a":{"$ref":"#/$defs/x"}},
                                "$defs":{"x":{"type":"string"}}})");
  ASSERT_TRUE(schema);
  with.parameters = schema->schema;
  exchange.tools = {plain, with};
  exchange.tool_choice.mode = ToolChoice::Mode::kNamed;
  exchange.tool_choice.name = Text("f");
  EXPECT_EQ(forced_calls_schema(exchange),
            R"({"type":"object","properties":{"name":{"const":"f"},"arguments":{"type":"object",)"
            R"("properties":{"a":{"$ref":"#/properties/arguments/$defs/d0"}},)"
            R"("additionalProperties":false,"$defs":{"d0":{"type":"string"}}}},)"
            R"("required":["name","arguments"],"additionalProperties":false})");
  exchange.tool_choice.mode = ToolChoice::Mode::kRequired;
  EXPECT_FALSE(forced_calls_are_list(exchange));
  exchange.parameters.parallel_calls = true;
  EXPECT_TRUE(forced_calls_are_list(exchange));
  const std::string list = forced_calls_schema(exchange);
  EXPECT_TRUE(json::parse(list)) << list;
  EXPECT_THAT(list, HasSubstr(R"("$ref":"#/items/anyOf/1/properties/arguments/$defs/d0")"));
  EXPECT_THAT(list, HasSubstr(R"("minItems":1,"maxItems":8})"));
}

}  // namespace
}  // namespace candor::dialect
