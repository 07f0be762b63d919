// Requests and events after the examples of OpenAI's API reference (responses).
#include <gmock/gmock.h>

#include "dialect/saved.h"
#include "dialect/testing/samples.h"

namespace candor::dialect {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::plain;

constexpr Api kApi = Api::kOpenAiResponses;
constexpr std::string_view kExchange = "00112233445566778899aabbccddeeff";

std::expected<Exchange, ErrorInfo> responses(std::string_view body) {
  return dialect_of(kApi).parse_request(kApi, body, {});
}

TEST(ResponsesTest, ItemsBecomeAConversation) {
  const auto parsed = responses(R"({"model":"m","input":[
      {"role":"user","content":"What is the weather?"},
      {"type":"reasoning","id":"rs_1","summary":[]},
      {"type":"message","id":"msg_1","status":"completed","role":"assistant",
       "content":[{"type":"output_text","text":"Let me see.","annotations":[]}]},
      {"type":"function_call","id":"fc_1","call_id":"call_1","name":"f","arguments":"{\"a\":1}"},
      {"type":"function_call","call_id":"call_2","name":"g","arguments":"{}"},
      {"type":"function_call_output","call_id":"call_2","output":"two"},
      {"type":"function_call_output","call_id":"call_1","output":[{"type":"input_text","text":"one"}]}],
    "instructions":"Be brief.","max_output_tokens":50,"temperature":0.5,
    "tools":[{"type":"function","name":"f","parameters":{"type":"object","properties":{}},"strict":true}],
    "tool_choice":"none","text":{"format":{"type":"text"}},"reasoning":{"effort":"high"},
    "store":true,"previous_response_id":null})");
  ASSERT_TRUE(parsed) << parsed.error().message;
  using Field = std::pair<std::string, std::string>;
  const std::vector<Field> expected = {
      {"model", "m"},
      {"messages/0/role", "system"},
      {"messages/0/parts/0/text", "Be brief."},
      {"messages/1/role", "user"},
      {"messages/1/parts/0/text", "What is the weather?"},
      {"messages/2/role", "assistant"},
      {"messages/2/parts/0/text", "Let me see."},
      {"messages/2/tool_calls/0/name", "f"},
      {"messages/2/tool_calls/0/arguments", R"({"a":1})"},
      {"messages/2/tool_calls/1/name", "g"},
      {"messages/2/tool_calls/1/arguments", "{}"},
      {"messages/3/role", "tool"},
      {"messages/3/parts/0/text", "two"},
      {"messages/3/answers", "2/1"},
      {"messages/4/role", "tool"},
      {"messages/4/parts/0/text", "one"},
      {"messages/4/answers", "2/0"},
      {"tools/0/name", "f"},
      {"tools/0/parameters", R"({"type":"object","properties":{}})"},
      {"parameters",
       R"({"max_tokens":50,"reasoning_effort":"high","temperature":"0.5","tool_choice":"none"})"}};
  EXPECT_EQ(plain(request_transcript(*parsed)), expected);
}

TEST(ResponsesTest, B2_WhatNeedsAStoreIsRefusedWithAReason) {
  const std::pair<std::string_view, std::string_view> cases[] = {
      {R"("input":"x","previous_response_id":"resp_1")", "stores no responses"},
      {R"("input":"x","conversation":"conv_1")", "stores no responses"},
      {R"("input":"x","background":true)", "stores no responses"},
      {R"("input":[{"type":"item_reference","id":"msg_1"}])", "stores no responses"},
      {R"("input":"x","truncation":"auto")", "never cut silently"},
      {R"("input":"x","prompt":{"id":"p"})", "no stored prompts"},
      {R"("input":[{"role":"user","content":[{"type":"input_image","image_url":"data:,"}]}])",
       "images"},
      {R"("input":"x","tools":[{"type":"web_search"}])", "runs no tools itself"},
      {R"("input":[{"type":"function_call_output","call_id":"c","output":"x"}])",
       "no tool call of an earlier"},
      {R"("x":1)", "'input' is missing"},
  };
  for (const auto& [extra, says] : cases) {
    const auto refused = responses(R"({"model":"m",)" + std::string(extra) + "}");
    ASSERT_FALSE(refused) << extra;
    EXPECT_THAT(refused.error().message, HasSubstr(std::string(says)));
  }
}

std::string stream(bool whole) {
  WriterOptions options;
  options.api = kApi;
  options.exchange = kExchange;
  options.model = "m";
  options.stream = !whole;
  const auto writer = dialect_of(kApi).make_writer(options);
  std::string out;
  writer->write(AnswerStart{}, out);
  writer->write(ReasoningDelta{0, Text("hm")}, out);
  writer->write(TextDelta{0, Text("Par"), {}}, out);
  writer->write(TextDelta{0, Text("is"), {}}, out);
  writer->write(ToolCallDelta{0, 0, Text("f"), {}}, out);
  writer->write(ToolCallDelta{0, 0, {}, Text("{}")}, out);
  writer->write(Finish{0, FinishReason::kToolCalls, std::nullopt}, out);
  writer->write(UsageReport{{3, 4, 0}}, out);
  writer->finish({.exchange = kExchange, .receipt = "r\n"}, out);
  return out;
}

TEST(ResponsesTest, StreamsInTheDocumentedOrder) {
  std::vector<std::string> types;
  std::uint64_t number = 0;
  for (const std::string& text : testing::events_of(stream(false))) {
    const auto event = json::parse(text);
    ASSERT_TRUE(event) << text;
    types.emplace_back(event->at("type").as_string().c_str());
    EXPECT_EQ(event->at("sequence_number").to_number<std::uint64_t>(), number++);
  }
  EXPECT_THAT(types,
              ElementsAre("response.created", "response.in_progress", "response.output_item.added",
                          "response.content_part.added", "response.reasoning_text.delta",
                          "response.reasoning_text.done", "response.content_part.done",
                          "response.output_item.done", "response.output_item.added",
                          "response.content_part.added", "response.output_text.delta",
                          "response.output_text.delta", "response.output_text.done",
                          "response.content_part.done", "response.output_item.done",
                          "response.output_item.added", "response.function_call_arguments.delta",
                          "response.function_call_arguments.done", "response.output_item.done",
                          "response.completed"));
}

TEST(ResponsesTest, S1_EventsThatDifferFromTheLastOneAreNoAnswer) {
  const std::string bytes = stream(false);
  ASSERT_TRUE(read_saved_response(bytes));
  for (std::size_t at = 0; (at = bytes.find("Paris", at)) != std::string::npos; ++at) {
    std::string changed = bytes;
    changed[at] = 'p';
    const auto saved = read_saved_response(changed);
    ASSERT_FALSE(saved) << at;
    EXPECT_THAT(saved.error().message(), HasSubstr("differs"));
  }
  std::string changed = bytes;
  changed.replace(changed.find(R"("delta":"Par")"), 13, R"("delta":"Tar")");
  EXPECT_FALSE(read_saved_response(changed));
  const auto whole = read_saved_response(stream(true));
  ASSERT_TRUE(whole);
  EXPECT_EQ(plain(answer_transcript(whole->answer)),
            plain(answer_transcript(read_saved_response(bytes)->answer)));
  EXPECT_EQ(whole->receipt, "r\n");
}

TEST(ResponsesTest, TheBodyRepeatsWhatWasAsked) {
  const auto parsed = responses(R"({"model":"m","input":"x","max_output_tokens":5,"tools":[
      {"type":"function","name":"f","description":"d","parameters":{"type":"object","properties":{}}}],
      "tool_choice":{"type":"function","name":"f"},"text":{"format":{"type":"text"}}})");
  ASSERT_TRUE(parsed) << parsed.error().message;
  const auto writer =
      dialect_of(kApi).make_writer(writer_options(*parsed, std::string(kExchange), "m", 1));
  std::string out;
  writer->write(Finish{0, FinishReason::kLength, std::nullopt}, out);
  writer->finish({.exchange = kExchange, .receipt = "r"}, out);
  const auto body = json::parse(out);
  ASSERT_TRUE(body) << out;
  EXPECT_EQ(body->at("status").as_string(), "incomplete");
  EXPECT_EQ(body->at("incomplete_details").at("reason").as_string(), "max_output_tokens");
  EXPECT_EQ(body->at("tools").at(0).at("name").as_string(), "f");
  EXPECT_EQ(body->at("max_output_tokens").as_int64(), 5);
  EXPECT_EQ(body->at("tool_choice").at("name").as_string(), "f");
}

}  // namespace
}  // namespace candor::dialect
