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
      {R"("tools":[{"type":"function"}])", "tools[].function", "an object"},
      {R"("tools":[{"type":"web_search"}])", "tools[].type", "runs no tools itself"},
      {R"("tools":[{"type":"function","function":{"name":"a b"}}])", "tools[].function.name",
       "letters, digits"},
      {R"("tools":[{"type":"function","function":{"name":"f","parameters":{"type":"array"}}}])",
       "tools[].function.parameters", "type object at its root"},
      {R"("response_format":{"type":"json_schema","json_schema":{}})",
       "response_format.json_schema.schema", "an object"},
      {R"("response_format":{"type":"xml"})", "response_format", "text, json_object"},
      {R"("n":17)", "n", "at most 16"},
      {R"("tool_choice":"required")", "tool_choice", "no 'tools'"},
      {R"("tool_choice":{"type":"function","function":{"name":"g"}},
          "tools":[{"type":"function","function":{"name":"f"}}])",
       "tool_choice", "none of the 'tools'"},
      {R"("tools":[{"type":"function","function":{"name":"f"}}],"logprobs":true,"stream":true)",
       "logprobs", "cannot be streamed together with 'tools'"},
      {R"("tools":[{"type":"function","function":{"name":"f"}}],
          "response_format":{"type":"json_object"})",
       "response_format", "cannot be combined"},
      {R"("reasoning_effort":"huge")", "reasoning_effort", "none, minimal"},
      {R"("temperature":2.5)", "temperature", "between 0 and 2"},
      {R"("top_logprobs":3)", "top_logprobs", "needs 'logprobs'"},
      {R"("seed":4294967295)", "seed", "between 0 and 4294967294"},
      {R"("seed":1.5)", "seed", "an integer"},
      {R"("max_tokens":0)", "max_tokens", "between 1"},
      {R"("max_tokens":1,"max_completion_tokens":2)", "max_completion_tokens", "Send one"},
      {R"("stop":[""])", "stop", "1 to 256"},
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
      {R"([{"role":"tool","tool_call_id":"x","content":"y"}])", "no tool call of an earlier"},
      {R"([{"role":"assistant","content":"x","tool_calls":[{"id":"a"}]}])", "an object"},
      {R"([{"role":"assistant","content":null,"tool_calls":[
           {"id":"a","function":{"name":"f","arguments":"{]"}}]}])",
       "a JSON object"},
      {R"([{"role":"assistant","content":null,"tool_calls":[
           {"id":"a","function":{"name":"f","arguments":"{}"}}]}])",
       "Send their results"},
      {R"([{"role":"user","content":"x","tool_calls":[
           {"id":"a","function":{"name":"f","arguments":"{}"}}]}])",
       "Only an assistant"},
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

TEST(OpenAiChatTest, ReadsToolsTheirCallsAndTheirResults) {
  const auto parsed = chat(R"({"model":"m","tool_choice":"required","parallel_tool_calls":false,
    "reasoning_effort":"low",
    "tools":[{"type":"function","function":{"name":"weather","description":"Of a city.",
      "strict":false,"parameters":{"type":"object","title":"T","properties":{
        "city":{"type":"string","pattern":"^x$"}},"required":["city"]}}},
      {"type":"function","function":{"name":"now","parameters":{}}}],
    "messages":[{"role":"user","content":"a"},
      {"role":"assistant","content":null,"tool_calls":[
        {"id":"1","type":"function","function":{"name":"weather","arguments":" { \"city\": \"Rome\", \"a\":1.0 } "}},
        {"id":"2","type":"function","function":{"name":"now","arguments":""}}]},
      {"role":"tool","tool_call_id":"2","content":"12:00"},
      {"role":"tool","tool_call_id":"1","content":[{"type":"text","text":"20 C"}]}]})");
  ASSERT_TRUE(parsed) << parsed.error().message;
  ASSERT_EQ(parsed->tools.size(), 2U);
  EXPECT_FALSE(parsed->tools[1].parameters.has_value());
  EXPECT_EQ(parsed->tools[0].parameters->enforced.reveal(),
            R"({"type":"object","properties":{"city":{"type":"string"}},"required":["city"],)"
            R"("additionalProperties":false,"title":"T"})");
  EXPECT_EQ(parsed->tool_choice.mode, ToolChoice::Mode::kRequired);
  EXPECT_EQ(parsed->parameters.parallel_calls, false);
  EXPECT_EQ(parsed->parameters.effort, Effort::kLow);
  ASSERT_EQ(parsed->messages.size(), 4U);
  EXPECT_EQ(parsed->messages[1].tool_calls[0].arguments.reveal(), R"({"a":1,"city":"Rome"})");
  EXPECT_EQ(parsed->messages[1].tool_calls[1].arguments.reveal(), "{}");
  EXPECT_EQ(parsed->messages[2].answers->call, 1U);
  EXPECT_EQ(parsed->messages[3].answers->call, 0U);
  EXPECT_EQ(parsed->messages[3].answers->message, 1U);
  EXPECT_EQ(dropped_fields_header(*parsed), "tools[].function.parameters.pattern");
}

TEST(OpenAiChatTest, StrictSchemasAreEnforcedOrRefused) {
  const auto with = [](std::string_view schema) {
    return chat(R"({"model":"m","messages":[{"role":"user","content":"a"}],"response_format":{
      "type":"json_schema","json_schema":{"name":"n","strict":true,"schema":)" +
                std::string(schema) + "}}}");
  };
  EXPECT_TRUE(with(R"({"type":"object","properties":{"a":{"type":"integer"}}})"));
  const auto refused = with(R"({"type":"string","pattern":"^a$"})");
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message, HasSubstr("'pattern' in a way that cannot be enforced"));
}

TEST(OpenAiEmbeddingsTest, ReadsTextsAndRefusesTokens) {
  const auto read = [](std::string_view extra) {
    return dialect_of(Api::kOpenAiEmbeddings)
        .parse_request(Api::kOpenAiEmbeddings, R"({"model":"m",)" + std::string(extra) + "}", {});
  };
  const auto parsed = read(R"("input":["a","b"],"encoding_format":"base64")");
  ASSERT_TRUE(parsed) << parsed.error().message;
  EXPECT_EQ(parsed->inputs.size(), 2U);
  EXPECT_EQ(parsed->answer_bound(), 2U);
  EXPECT_TRUE(parsed->base64_embeddings);
  EXPECT_EQ(read(R"("input":"a")")->inputs.size(), 1U);
  for (const std::string_view bad :
       {R"("input":[])", R"("input":"")", R"("input":[1,2])", R"("input":[[1]])", R"("x":1)",
        R"("input":"a","dimensions":2)", R"("input":"a","encoding_format":"int8")"}) {
    EXPECT_FALSE(read(bad)) << bad;
  }
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
