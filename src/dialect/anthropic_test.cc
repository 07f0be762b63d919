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
       "only text blocks"},
      {R"({"model":"m","max_tokens":1,"messages":[{"role":"user","content":[
           {"type":"tool_result","tool_use_id":"x"}]}]})",
       "only text blocks"},
      {R"({"model":"m","max_tokens":1,"messages":[{"role":"user","content":"a"}],
           "tools":[{"name":"x"}]})",
       "not supported by this version"},
      {R"({"model":"m","max_tokens":1,"messages":[{"role":"user","content":"a"}],
           "thinking":{"type":"enabled","budget_tokens":1024}})",
       "only {\"type\":\"disabled\"}"},
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

}  // namespace
}  // namespace candor::dialect
