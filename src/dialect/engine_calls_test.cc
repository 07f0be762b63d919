// Tools towards the engine and calls from it; embeddings and counts. Payloads have the shapes that
// llama-server v0.5.0 builds (tools/server/server-task.cpp).
#include <gmock/gmock.h>

#include "dialect/engine_codec.h"
#include "dialect/testing/samples.h"

namespace candor::dialect {
namespace {

using testing::chat_request;
using ::testing::HasSubstr;
using ::testing::Not;
using testing::quoted;
using testing::Read;
using testing::read_events;
using Kind = EngineError::Kind;

Exchange forwarded(std::string_view extra = "") {
  return forwarded_exchange(chat_request(extra), 77, 1000);
}

constexpr std::string_view kTools =
    R"(,"tools":[{"type":"function","function":{"name":"f","description":"d","parameters":{)"
    R"("type":"object","CANARY":1,"properties":{"a":{"type":"string"}},"required":["a"]}}},)"
    R"({"type":"function","function":{"name":"g"}}])";

TEST(EngineRequestTest, S8_ToolsAreBuiltFromTypedValuesAndForcedCallsFromASchemaOfOurs) {
  const std::string automatic = build_engine_request(forwarded(kTools), {}).body;
  EXPECT_EQ(automatic.find("CANARY"), std::string::npos);
  EXPECT_THAT(
      automatic,
      HasSubstr(R"("tools":[{"type":"function","function":{"name":"f","description":"d",)"
                R"("parameters":{"type":"object","properties":{"a":{"type":"string"}},)"
                R"("required":["a"],"additionalProperties":false}}},{"type":"function",)"
                R"("function":{"name":"g","parameters":{"type":"object","properties":{}}}}],)"
                R"("tool_choice":"auto")"));
  EXPECT_THAT(automatic, Not(HasSubstr("response_format")));
  const std::string forced =
      build_engine_request(
          forwarded(std::string(kTools) +
                    R"(,"tool_choice":{"type":"function","function":{"name":"g"}})"),
          {})
          .body;
  EXPECT_THAT(forced, HasSubstr(R"("tool_choice":"none")"));
  EXPECT_THAT(
      forced,
      HasSubstr(R"("response_format":{"type":"json_schema","json_schema":{"name":"answer",)"
                R"("strict":true,"schema":{"type":"object","properties":{"name":{"const":"g"},)"));
}

TEST(EngineRequestTest, CallsAndTheirResultsGetIdsOfOurs) {
  const auto parsed = dialect_of(Api::kOpenAiChat)
                          .parse_request(Api::kOpenAiChat, R"({"model":"m",
      "messages":[{"role":"user","content":"q"},
        {"role":"assistant","content":null,"tool_calls":[{"id":"CANARY","type":"function",
          "function":{"name":"f","arguments":"{\"a\":1}"}}]},
        {"role":"tool","tool_call_id":"CANARY","content":"r"}]})",
                                         {});
  ASSERT_TRUE(parsed) << parsed.error().message;
  const std::string body = build_engine_request(forwarded_exchange(*parsed, 1, 9), {}).body;
  EXPECT_EQ(body.find("CANARY"), std::string::npos);
  EXPECT_THAT(body, HasSubstr(R"({"role":"assistant","content":"","tool_calls":[{"type":)"
                              R"("function","id":"c00000100","function":{"name":"f",)"
                              R"("arguments":"{\"a\":1}"}}]},{"role":"tool","content":"r",)"
                              R"("tool_call_id":"c00000100","name":"f"})"));
}

TEST(EngineRequestTest, EmbeddingsHoldNothingButTheirTexts) {
  const auto parsed =
      dialect_of(Api::kOllamaEmbed)
          .parse_request(Api::kOllamaEmbed, R"({"model":"m","input":["a","b"]})", {});
  ASSERT_TRUE(parsed);
  const EngineCall call = build_engine_request(forwarded_exchange(*parsed, 1, 9), {});
  EXPECT_EQ(call.path, "/v1/embeddings");
  EXPECT_EQ(call.body, R"({"model":"m","input":["a","b"],"encoding_format":"float"})");
}

std::string content_event(std::string_view text) {
  return R"({"choices":[{"index":0,"finish_reason":null,"delta":{"content":)" + quoted(text) +
         "}}]}";
}
std::string finish_event(std::string_view reason) {
  return R"({"choices":[{"index":0,"finish_reason":")" + std::string(reason) + R"(","delta":{}}]})";
}
// The text cut into one piece for each `size` bytes.
Read forced(const Exchange& exchange, std::string_view text, std::size_t size,
            std::string_view reason = "stop") {
  std::vector<std::string> payloads;
  for (std::size_t at = 0; at < text.size(); at += size) {
    payloads.push_back(content_event(text.substr(at, size)));
  }
  payloads.push_back(finish_event(reason));
  payloads.emplace_back("[DONE]");
  return read_events(exchange, payloads);
}

TEST(ForcedCallTest, TextBecomesCallsHoweverItIsCut) {
  const Exchange one = forwarded(std::string(kTools) + R"(,"tool_choice":"required")");
  const Exchange list =
      forwarded(std::string(kTools) + R"(,"tool_choice":"required","parallel_tool_calls":true)");
  constexpr std::string_view kOne =
      "{\n  \"name\" : \"f\",\n \"arguments\": { \"a\": \"}\\\"{\", \"b\": [{}] }\n}\n";
  constexpr std::string_view kTwo =
      R"( [ {"name":"g","arguments":{}} , {"name":"f","arguments":{"a":"x"}} ] )";
  for (const std::size_t size : {1U, 2U, 3U, 7U, 1000U}) {
    const Read read = forced(one, kOne, size);
    ASSERT_FALSE(read.error) << size;
    ASSERT_EQ(read.answer.choices[0].tool_calls.size(), 1U);
    EXPECT_EQ(read.answer.choices[0].tool_calls[0].name.reveal(), "f");
    EXPECT_EQ(read.answer.choices[0].tool_calls[0].arguments.reveal(),
              R"({ "a": "}\"{", "b": [{}] })");
    EXPECT_EQ(read.answer.choices[0].content.reveal(), "");
    EXPECT_EQ(read.answer.choices[0].finish, FinishReason::kToolCalls);
    const Read two = forced(list, kTwo, size);
    ASSERT_FALSE(two.error) << size;
    ASSERT_EQ(two.answer.choices[0].tool_calls.size(), 2U);
    EXPECT_EQ(two.answer.choices[0].tool_calls[0].arguments.reveal(), "{}");
    EXPECT_EQ(two.answer.choices[0].tool_calls[1].arguments.reveal(), R"({"a":"x"})");
  }
}

TEST(ForcedCallTest, S16_AnythingElseIsABadCall) {
  const Exchange one = forwarded(std::string(kTools) + R"(,"tool_choice":"required")");
  const Exchange named = forwarded(std::string(kTools) +
                                   R"(,"tool_choice":{"type":"function","function":{"name":"g"}})");
  for (const std::string_view bad :
       {R"(Sure! {"name":"f","arguments":{}})", R"({"name":"h","arguments":{}})",
        R"({"arguments":{},"name":"f"})", R"({"name":"f","arguments":[]})",
        R"({"name":"f","arguments":{}} more)", R"([{"name":"f","arguments":{}}])",
        R"({"name":"f"})", R"({"name":"f","arguments":{})", R"({"na me":"f","arguments":{}})",
        " "}) {
    for (const std::size_t size : {1U, 1000U}) {
      const Read read = forced(one, bad, size);
      ASSERT_TRUE(read.error) << bad;
      EXPECT_EQ(read.error->kind, Kind::kBadCall) << bad;
    }
  }
  EXPECT_TRUE(forced(named, R"({"name":"f","arguments":{}})", 5).error);
  EXPECT_FALSE(forced(named, R"({"name":"g","arguments":{}})", 5).error);
}

TEST(ForcedCallTest, ACallThatTheTokenLimitCutIsLeftOutWhereItCouldNotBeShown) {
  const std::string extra = std::string(kTools) + R"(,"tool_choice":"required")";
  constexpr std::string_view kCut = R"({"name":"f","arguments":{"a":"Par)";
  const Read shown = forced(forwarded(extra), kCut, 4, "length");
  ASSERT_FALSE(shown.error);
  EXPECT_EQ(shown.answer.choices[0].finish, FinishReason::kLength);
  EXPECT_EQ(shown.answer.choices[0].tool_calls[0].arguments.reveal(), R"({"a":"Par)");
  Exchange whole = forwarded(extra);
  whole.api = Api::kAnthropicMessages;
  const Read held = forced(whole, kCut, 4, "length");
  ASSERT_FALSE(held.error);
  EXPECT_TRUE(held.answer.choices[0].tool_calls.empty());
  EXPECT_EQ(held.answer.choices[0].finish, FinishReason::kLength);
}

TEST(ToolCallTest, OnlyTheRequestsToolsMayBeCalledAndOnlyWhenAsked) {
  const std::string call =
      R"({"choices":[{"index":0,"finish_reason":null,"delta":{"tool_calls":[{"index":0,"id":"CANARY",)"
      R"("type":"function","function":{"name":"NAME","arguments":"{"}}]}}]})";
  const auto with = [&](std::string_view name) {
    std::string text = call;
    return text.replace(text.find("NAME"), 4, name);
  };
  const std::string more =
      R"({"choices":[{"index":0,"finish_reason":null,"delta":{"tool_calls":[{"index":0,)"
      R"("function":{"arguments":"}"}}]}}]})";
  const Read read =
      read_events(forwarded(kTools), {with("f"), more, finish_event("tool_calls"), "[DONE]"});
  ASSERT_FALSE(read.error);
  EXPECT_EQ(read.answer.choices[0].tool_calls[0].name.reveal(), "f");
  EXPECT_EQ(read.answer.choices[0].tool_calls[0].arguments.reveal(), "{}");
  EXPECT_EQ(read_events(forwarded(kTools), {with("h")}).error->kind, Kind::kBadCall);
  EXPECT_EQ(read_events(forwarded(), {with("f")}).error->kind, Kind::kMalformed);
  EXPECT_EQ(read_events(forwarded(std::string(kTools) + R"(,"tool_choice":"none")"), {with("f")})
                .error->kind,
            Kind::kMalformed);
  // A finish that the answer itself does not show becomes one that it does.
  EXPECT_EQ(read_events(forwarded(), {content_event("x"), finish_event("tool_calls"), "[DONE]"})
                .answer.choices[0]
                .finish,
            FinishReason::kStop);
}

// Found by engine_actions_fuzz: streams whose calls are blocks would begin a new one, without a
// name, and no longer read as what was released.
TEST(ToolCallTest, S16_PiecesOfACallComeOneAfterAnother) {
  const auto delta = [](std::string_view members) {
    return R"({"choices":[{"index":0,"finish_reason":null,"delta":{)" + std::string(members) +
           "}}]}";
  };
  const std::string f =
      delta(R"("tool_calls":[{"index":0,"function":{"name":"f","arguments":"{"}}])");
  const std::string more_f = delta(R"("tool_calls":[{"index":0,"function":{"arguments":"}"}}])");
  const std::string g =
      delta(R"("tool_calls":[{"index":1,"function":{"name":"g","arguments":"{}"}}])");
  const auto read = [](const std::vector<std::string>& payloads) {
    return read_events(forwarded(kTools), payloads);
  };
  EXPECT_FALSE(read({f, more_f, g, finish_event("tool_calls"), "[DONE]"}).error);
  EXPECT_FALSE(read({f, more_f, content_event("x"), g, finish_event("stop"), "[DONE]"}).error);
  EXPECT_EQ(read({f, g, more_f}).error->kind, Kind::kMalformed);
  EXPECT_EQ(read({f, content_event("x"), more_f}).error->kind, Kind::kMalformed);
  EXPECT_EQ(read({f, delta(R"("reasoning_content":"x")"), more_f}).error->kind, Kind::kMalformed);
  // A byte that a call's arguments end in is shown before what follows.
  const Read held = read({delta("\"tool_calls\":[{\"index\":0,\"function\":{\"name\":\"f\","
                                "\"arguments\":\"\xC3\"}}]"),
                          g, finish_event("tool_calls"), "[DONE]"});
  ASSERT_FALSE(held.error);
  EXPECT_EQ(held.answer.choices[0].tool_calls[0].arguments.reveal(), "\xEF\xBF\xBD");
  EXPECT_EQ(held.answer.choices[0].tool_calls[1].arguments.reveal(), "{}");
}

TEST(ToolCallTest, S16_NothingStandsWithinAForcedCall) {
  const auto delta = [](std::string_view member) {
    return R"({"choices":[{"index":0,"finish_reason":null,"delta":{")" + std::string(member) +
           R"(":"x"}}]})";
  };
  const Exchange one = forwarded(std::string(kTools) + R"(,"tool_choice":"required")");
  const std::string begin = content_event(R"({"name":"f","arguments":{)");
  const std::string rest = content_event("}}");
  const auto read = [&one](const std::vector<std::string>& payloads) {
    return read_events(one, payloads);
  };
  const std::string end = finish_event("stop");
  const Read good = read({delta("reasoning_content"), begin, rest, end, "[DONE]"});
  ASSERT_FALSE(good.error);
  EXPECT_EQ(good.answer.choices[0].tool_calls[0].arguments.reveal(), "{}");
  for (const std::string_view member : {"reasoning_content", "reasoning", "refusal"}) {
    const Read bad = read({begin, delta(member), rest, end, "[DONE]"});
    ASSERT_TRUE(bad.error) << member;
    EXPECT_EQ(bad.error->kind, Kind::kMalformed) << member;
  }
}

TEST(EmbeddingReaderTest, S16_ExactlyTheVectorsThatWereAskedFor) {
  Exchange exchange;
  exchange.api = Api::kOpenAiEmbeddings;
  exchange.inputs.resize(2);
  const auto read = [&](std::string_view body, EngineLimits limits = {}) {
    EngineReader reader(exchange, limits);
    std::vector<AnswerEvent> events;
    const auto result = reader.body(body, events);
    AnswerBuilder builder(2);
    for (const AnswerEvent& event : events) builder.add(event);
    return std::pair(result, std::move(builder).take());
  };
  const auto [good, answer] =
      read(R"({"data":[{"index":1,"embedding":[1,-0.5]},{"index":0,"embedding":[0.25,2e0]}],)"
           R"("usage":{"prompt_tokens":4},"CANARY":1})");
  ASSERT_TRUE(good);
  ASSERT_EQ(answer.embeddings.size(), 2U);
  EXPECT_EQ(answer.embeddings[0].reveal(), (std::vector<float>{0.25F, 2.0F}));
  EXPECT_TRUE(answer.choices.empty());
  for (const std::string_view bad :
       {R"({"data":[{"index":0,"embedding":[1]}]})",
        R"({"data":[{"index":0,"embedding":[1]},{"index":0,"embedding":[1]}]})",
        R"({"data":[{"index":0,"embedding":[1]},{"index":1,"embedding":[1,2]}]})",
        R"({"data":[{"index":0,"embedding":[]},{"index":1,"embedding":[]}]})",
        R"({"data":[{"index":0,"embedding":["x"]},{"index":1,"embedding":[1]}]})",
        R"({"data":[{"index":0,"embedding":[1e300]},{"index":1,"embedding":[1]}]})", "[]", ""}) {
    EXPECT_FALSE(read(bad).first) << bad;
  }
  EngineLimits tight;
  tight.max_dimensions = 1;
  EXPECT_FALSE(
      read(R"({"data":[{"index":1,"embedding":[1,2]},{"index":0,"embedding":[1,2]}]})", tight)
          .first);
  exchange.api = Api::kAnthropicCountTokens;
  const auto [counted, count] = read(R"({"input_tokens":34})");
  ASSERT_TRUE(counted);
  EXPECT_EQ(count.input_tokens, 34U);
  EXPECT_EQ(count.usage.prompt_tokens, 0U);
  EXPECT_FALSE(read(R"({"input_tokens":-1})").first);
}

}  // namespace
}  // namespace candor::dialect
