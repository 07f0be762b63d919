// Requests after the examples of Anthropic's API reference.
#include <gmock/gmock.h>

#include "dialect/testing/samples.h"

namespace candor::dialect {
namespace {

using ::testing::HasSubstr;

std::expected<Exchange, ErrorInfo> messages(std::string_view body) {
  return dialect_of(Api::kAnthropicMessages).parse_request(Api::kAnthropicMessages, body, {});
}

TEST(AnthropicTest, ReadsTheReferenceExample) {
  const auto parsed = messages(R"({
    "messages": [{"role": "user", "content": [
       {"type": "text", "text": "Hello, world", "cache_control": {"type": "ephemeral"}}]},
       {"role": "assistant", "content": "Hi. "}],
    "model": "claude-opus-4-6", "max_tokens": 1024,
    "system": [{"type": "text", "text": "Be brief."}, {"type": "text", "text": "In French."}],
    "stop_sequences": ["\n\nHuman:"], "temperature": 1.0, "top_k": 5, "top_p": 0.7, "stream": true,
    "metadata": {"user_id": "x"}, "thinking": {"type": "disabled"}
  })");
  ASSERT_TRUE(parsed) << parsed.error().message;
  ASSERT_EQ(parsed->messages.size(), 3U);
  EXPECT_EQ(parsed->messages[0].role, Role::kSystem);
  EXPECT_EQ(parsed->messages[0].parts.size(), 2U);
  EXPECT_EQ(parsed->messages[1].parts[0].text.reveal(), "Hello, world");
  EXPECT_EQ(parsed->messages[2].role, Role::kAssistant);
  EXPECT_EQ(parsed->parameters.top_k, 5U);
  EXPECT_EQ(parsed->parameters.stop, std::vector<std::string>{"\n\nHuman:"});
  EXPECT_EQ(dropped_fields_header(*parsed), "messages[].content[].cache_control, metadata");
}

TEST(AnthropicTest, ThinkingOfAnEarlierAnswerIsDropped) {
  const auto parsed = messages(R"({"model":"m","max_tokens":1,"messages":[
    {"role":"user","content":"a"},
    {"role":"assistant","content":[{"type":"thinking","thinking":"t","signature":"s"},
                                   {"type":"text","text":"b","citations":null}]},
    {"role":"user","content":"c"}]})");
  ASSERT_TRUE(parsed) << parsed.error().message;
  EXPECT_EQ(parsed->messages[1].parts.size(), 1U);
  EXPECT_EQ(parsed->dropped_count, 1U);
}

TEST(AnthropicTest, RefusesWhatItCannotHonour) {
  const std::pair<std::string_view, std::string_view> cases[] = {
      {R"({"model":"m","messages":[{"role":"user","content":"a"}]})", "'max_tokens' is missing"},
      {R"({"model":"m","max_tokens":1,"messages":[]})", "at least one"},
      {R"({"model":"m","max_tokens":1,"system":"s","messages":[]})", "at least one"},
      {R"({"model":"m","max_tokens":1,"messages":[{"role":"system","content":"a"}]})", "'system'"},
      {R"({"model":"m","max_tokens":1,"messages":[{"role":"user"}]})", "needs 'content'"},
      {R"({"model":"m","max_tokens":1,"messages":[{"role":"user","content":[{"type":"image"}]}]})",
       "only text can"},
      {R"({"model":"m","max_tokens":1,"messages":[{"role":"user","content":[
           {"type":"tool_result","tool_use_id":"x"}]}]})",
       "no tool call of an earlier"},
      {R"({"model":"m","max_tokens":1,"messages":[{"role":"user","content":[
           {"type":"tool_use","id":"x","name":"f","input":{}}]}]})",
       "in an assistant message"},
      {R"({"model":"m","max_tokens":1,"messages":[{"role":"user","content":"a"}],
           "tools":[{"name":"x"}]})",
       "needs its 'input_schema'"},
      {R"({"model":"m","max_tokens":1,"messages":[{"role":"user","content":"a"}],
           "tools":[{"type":"bash_20250124","name":"bash"}]})",
       "runs no tools itself"},
      {R"({"model":"m","max_tokens":1,"messages":[{"role":"user","content":"a"}],
           "tool_choice":{"type":"any"}})",
       "no 'tools'"},
      {R"({"model":"m","max_tokens":1,"messages":[{"role":"user","content":"a"}],
           "thinking":{"type":"enabled"}})",
       "an integer"},
      {R"({"model":"m","max_tokens":1,"messages":[{"role":"user","content":"a"}],
           "stop_sequences":"x"})",
       "a list of strings"},
  };
  for (const auto& [body, says] : cases) {
    const auto refused = messages(body);
    ASSERT_FALSE(refused) << body;
    EXPECT_THAT(refused.error().message, HasSubstr(std::string(says))) << body;
  }
}

TEST(AnthropicTest, ToolsCallsAndResultsBecomeOurMessages) {
  // `system` comes last in the body: it is first, and the calls keep their places.
  const auto parsed = messages(R"({"model":"m","max_tokens":9,
    "tools":[{"name":"f","description":"d","input_schema":{"type":"object","properties":{}}}],
    "tool_choice":{"type":"tool","name":"f","disable_parallel_tool_use":true},
    "thinking":{"type":"enabled","budget_tokens":1024},
    "messages":[{"role":"user","content":"q"},
      {"role":"assistant","content":[{"type":"text","text":"t"},
        {"type":"tool_use","id":"toolu_1","name":"f","input":{"b":2,"a":1}},
        {"type":"tool_use","id":"toolu_2","name":"f","input":{}}]},
      {"role":"user","content":[
        {"type":"tool_result","tool_use_id":"toolu_2","content":"two","is_error":true},
        {"type":"tool_result","tool_use_id":"toolu_1","content":[{"type":"text","text":"one"}]},
        {"type":"text","text":"go on"}]}],
    "system":"s"})");
  ASSERT_TRUE(parsed) << parsed.error().message;
  const auto plain = testing::plain(request_transcript(*parsed));
  using Field = std::pair<std::string, std::string>;
  const std::vector<Field> expected = {
      {"model", "m"},
      {"messages/0/role", "system"},
      {"messages/0/parts/0/text", "s"},
      {"messages/1/role", "user"},
      {"messages/1/parts/0/text", "q"},
      {"messages/2/role", "assistant"},
      {"messages/2/parts/0/text", "t"},
      {"messages/2/tool_calls/0/name", "f"},
      {"messages/2/tool_calls/0/arguments", R"({"a":1,"b":2})"},
      {"messages/2/tool_calls/1/name", "f"},
      {"messages/2/tool_calls/1/arguments", "{}"},
      {"messages/3/role", "tool"},
      {"messages/3/parts/0/text", "two"},
      {"messages/3/answers", "2/1"},
      {"messages/4/role", "tool"},
      {"messages/4/parts/0/text", "one"},
      {"messages/4/answers", "2/0"},
      {"messages/5/role", "user"},
      {"messages/5/parts/0/text", "go on"},
      {"tools/0/name", "f"},
      {"tools/0/description", "d"},
      {"tools/0/parameters", R"({"type":"object","properties":{}})"},
      {"parameters", R"({"max_tokens":9,"parallel_tool_calls":false,"reasoning_tokens":1024,)"
                     R"("tool_choice":{"name":"f"}})"}};
  EXPECT_EQ(plain, expected);
  EXPECT_EQ(dropped_fields_header(*parsed), "messages[].content[].is_error");
}

TEST(AnthropicTest, CountingNeedsNoMaxTokens) {
  const auto parsed =
      dialect_of(Api::kAnthropicCountTokens)
          .parse_request(
              Api::kAnthropicCountTokens,
              R"({"model":"m","stream":true,"messages":[{"role":"user","content":"a"}]})", {});
  ASSERT_TRUE(parsed) << parsed.error().message;
  EXPECT_FALSE(parsed->stream);
  EXPECT_EQ(build_engine_request(forwarded_exchange(*parsed, 1, 9), {}).path,
            "/v1/chat/completions/input_tokens");
}

}  // namespace
}  // namespace candor::dialect
