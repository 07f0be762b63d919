// Requests after the examples of OpenAI's API reference.
#include <gmock/gmock.h>

#include "dialect/testing/samples.h"

namespace candor::dialect {
namespace {

using testing::chat_request;
using ::testing::HasSubstr;

std::expected<Exchange, ErrorInfo> chat(std::string_view body) {
  return dialect_of(Api::kOpenAiChat).parse_request(Api::kOpenAiChat, body, {});
}
std::expected<Exchange, ErrorInfo> completion(std::string_view body) {
  return dialect_of(Api::kOpenAiCompletions).parse_request(Api::kOpenAiCompletions, body, {});
}

TEST(OpenAiChatTest, ReadsTheReferenceExample) {
  const auto parsed = chat(R"({
    "model": "gpt-5.4",
    "messages": [
      {"role": "developer", "content": "You are a helpful assistant."},
      {"role": "user", "content": [{"type": "text", "text": "Hello!"}, {"type": "text", "text": "?"}]}
    ],
    "max_completion_tokens": 100, "temperature": 0.7, "top_p": 1, "seed": 42,
    "stop": ["\n", "END"], "presence_penalty": -0.5, "frequency_penalty": 2,
    "stream": true, "stream_options": {"include_usage": true},
    "logprobs": true, "top_logprobs": 2, "n": 1, "tool_choice": "auto",
    "response_format": {"type": "text"}, "user": "u", "tools": null
  })");
  ASSERT_TRUE(parsed) << parsed.error().message;
  EXPECT_EQ(parsed->model, "gpt-5.4");
  ASSERT_EQ(parsed->messages.size(), 2U);
  EXPECT_EQ(parsed->messages[0].role, Role::kSystem);
  ASSERT_EQ(parsed->messages[1].parts.size(), 2U);
  EXPECT_EQ(parsed->messages[1].parts[0].text.reveal(), "Hello!");
  EXPECT_EQ(parsed->parameters.max_tokens, 100U);
  EXPECT_EQ(parsed->parameters.seed, 42U);
  EXPECT_EQ(parsed->parameters.stop, (std::vector<std::string>{"\n", "END"}));
  EXPECT_TRUE(parsed->stream);
  EXPECT_TRUE(parsed->include_usage);
  EXPECT_TRUE(parsed->parameters.logprobs);
  EXPECT_EQ(parsed->parameters.top_logprobs, 2U);
  EXPECT_EQ(dropped_fields_header(*parsed), "user");
}

TEST(OpenAiChatTest, ReadsAnAnswerThatAClientSendsBack) {
  const auto parsed = chat(R"({"model":"m","messages":[{"role":"user","content":"a"},
    {"role":"assistant","content":"b","refusal":null,"annotations":[],"audio":null,
     "function_call":null,"tool_calls":null,"reasoning_content":"r"},
    {"role":"user","content":"c"}]})");
  ASSERT_TRUE(parsed) << parsed.error().message;
  EXPECT_EQ(parsed->messages.size(), 3U);
  EXPECT_EQ(dropped_fields_header(*parsed), "messages[].annotations, messages[].reasoning_content");
}

TEST(OpenAiChatTest, RefusesWithASentenceThatHelps) {
  struct Case {
    std::string_view extra;
    std::string_view param;
    std::string_view says;
  };
  const Case cases[] = {
      {R"("tools":[{"type":"function"}])", "tools", "not supported by this version"},
      {R"("response_format":{"type":"json_schema","json_schema":{}})", "response_format",
       "only {\"type\":\"text\"}"},
      {R"("n":2)", "n", "at most 1"},
      {R"("temperature":2.5)", "temperature", "between 0 and 2"},
      {R"("top_logprobs":3)", "top_logprobs", "needs 'logprobs'"},
      {R"("seed":4294967295)", "seed", "between 0 and 4294967294"},
      {R"("seed":1.5)", "seed", "an integer"},
      {R"("max_tokens":0)", "max_tokens", "between 1"},
      {R"("max_tokens":1,"max_completion_tokens":2)", "max_completion_tokens", "Send one"},
      {R"("stop":[""])", "stop", "1 to 256"},
      {R"("tool_choice":"required")", "tool_choice", "not supported"},
      {R"("logit_bias":{"50256":-100})", "logit_bias", "not supported"},
  };
  for (const Case& c : cases) {
    const auto refused = chat(R"({"model":"m","messages":[{"role":"user","content":"a"}],)" +
                              std::string(c.extra) + "}");
    ASSERT_FALSE(refused) << c.extra;
    EXPECT_EQ(refused.error().param, c.param);
    EXPECT_THAT(refused.error().message, HasSubstr(std::string(c.says)));
    EXPECT_EQ(refused.error().status, 400);
  }
}

TEST(OpenAiChatTest, RefusesMessagesItCannotHonour) {
  const std::pair<std::string_view, std::string_view> cases[] = {
      {R"([])", "at least one"},
      {R"([{"role":"user"}])", "needs 'content'"},
      {R"([{"role":"user","content":null}])", "needs 'content'"},
      {R"([{"role":"alien","content":"x"}])", "must be system"},
      {R"([{"role":"tool","tool_call_id":"x","content":"y"}])", "not supported"},
      {R"([{"role":"assistant","content":"x","tool_calls":[{"id":"a"}]}])", "not supported"},
      {R"([{"role":"user","content":[{"type":"image_url","image_url":{"url":"http://x"}}]}])",
       "images"},
      {R"([{"role":"user","content":[{"type":"text"}]}])", "must be a string"},
      {R"([{"role":"user","content":[["x"]]}])", "an object"},
      {R"([{"role":"user","content":"q"},{"role":"assistant","content":"a"},
           {"role":"assistant","content":"b"}])",
       "not with two"},
      {R"("hi")", "a list"},
  };
  for (const auto& [messages, says] : cases) {
    const auto refused = chat(R"({"model":"m","messages":)" + std::string(messages) + "}");
    ASSERT_FALSE(refused) << messages;
    EXPECT_THAT(refused.error().message, HasSubstr(std::string(says)));
  }
  EXPECT_FALSE(chat(R"({"messages":[{"role":"user","content":"a"}]})"));
  EXPECT_FALSE(chat("[]"));
  EXPECT_FALSE(chat(""));
}

TEST(OpenAiCompletionsTest, ReadsPromptsAndRefusesTokens) {
  const auto parsed = completion(
      R"({"model":"m","prompt":"Say this","max_tokens":7,"temperature":0,"logprobs":5,"stream":true,
          "echo":false,"best_of":1})");
  ASSERT_TRUE(parsed) << parsed.error().message;
  ASSERT_EQ(parsed->prompts.size(), 1U);
  EXPECT_TRUE(parsed->parameters.logprobs);
  EXPECT_EQ(parsed->parameters.top_logprobs, 5U);
  EXPECT_EQ(parsed->choice_count(), 1U);
  EXPECT_TRUE(completion(R"({"model":"m","prompt":["one"]})"));
  EXPECT_TRUE(completion(R"({"model":"m","prompt":""})"));
  for (const std::string_view prompt :
       {R"([1,2])", R"([[1]])", R"(["a","b"])", R"([])", R"({})", "null"}) {
    EXPECT_FALSE(completion(R"({"model":"m","prompt":)" + std::string(prompt) + "}")) << prompt;
  }
  EXPECT_FALSE(completion(R"({"model":"m","prompt":"x","suffix":"y"})"));
  EXPECT_FALSE(completion(R"({"model":"m","prompt":"x","echo":true})"));
}

}  // namespace
}  // namespace candor::dialect
