#include "dialect/dialect.h"

#include <set>

#include <gmock/gmock.h>

#include "dialect/testing/samples.h"

namespace candor::dialect {
namespace {

using testing::chat_request;
using ::testing::HasSubstr;
using testing::kTexts;
using ::testing::Not;
using testing::quoted;

using testing::kTextApis;
using testing::minimal;

TEST(FindRouteTest, EachPathBelongsToOneDialectAndAWrongMethodIsTold) {
  EXPECT_EQ(find_route("POST", "/v1/chat/completions").route->api, Api::kOpenAiChat);
  EXPECT_EQ(find_route("POST", "/v1/completions").route->api, Api::kOpenAiCompletions);
  EXPECT_EQ(find_route("POST", "/v1/messages").dialect->name(), "anthropic");
  EXPECT_EQ(find_route("POST", "/v1/responses").route->api, Api::kOpenAiResponses);
  EXPECT_EQ(find_route("POST", "/v1/embeddings").route->api, Api::kOpenAiEmbeddings);
  EXPECT_EQ(find_route("POST", "/v1/messages/count_tokens").route->api, Api::kAnthropicCountTokens);
  EXPECT_EQ(find_route("POST", "/api/chat").dialect->name(), "ollama");
  EXPECT_EQ(find_route("POST", "/v1/chat/completions/").dialect, nullptr);
  const RouteMatch get = find_route("GET", "/v1/messages");
  EXPECT_TRUE(get.wrong_method);
  EXPECT_EQ(get.route, nullptr);
  EXPECT_EQ(shape_for("/nowhere", true).name(), "anthropic");
  EXPECT_EQ(shape_for("/nowhere", false).name(), "openai");
  EXPECT_EQ(shape_for("/v1/messages", false).name(), "anthropic");
}

TEST(RequestTest, S8_DuplicateKeysAreRefusedAtAnyDepth) {
  for (const Api api : kTextApis) {
    EXPECT_FALSE(dialect_of(api).parse_request(api, minimal(api, R"(,"model":"n")"), {}));
    EXPECT_FALSE(dialect_of(api).parse_request(api, minimal(api, R"(,"x":{"a":1,"a":2})"), {}));
  }
}

TEST(RequestTest, S8_UnknownFieldsAreDroppedCountedAndNamedOrRefusedWhenStrict) {
  for (const Api api : kTextApis) {
    const std::string body = minimal(api, R"(,"grammar":"root ::= x","lora":[{"id":0}])");
    const auto parsed = dialect_of(api).parse_request(api, body, {});
    ASSERT_TRUE(parsed) << parsed.error().message;
    EXPECT_EQ(parsed->dropped_count, 2U);
    EXPECT_EQ(dropped_fields_header(*parsed), "grammar, lora");
    ParseOptions strict;
    strict.strict_fields = true;
    const auto refused = dialect_of(api).parse_request(api, body, strict);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().status, 400);
    EXPECT_EQ(refused.error().param, "grammar");
  }
}

TEST(RequestTest, S8_TheListOfDroppedNamesIsBounded) {
  std::string extra;
  for (int i = 0; i < 100; ++i) {
    extra += ",\"" + std::string(300, 'x') + std::to_string(i) + "\":1";
  }
  const auto parsed = dialect_of(Api::kOpenAiChat)
                          .parse_request(Api::kOpenAiChat, minimal(Api::kOpenAiChat, extra), {});
  ASSERT_TRUE(parsed);
  EXPECT_EQ(parsed->dropped_count, 100U);
  EXPECT_EQ(parsed->dropped_fields.size(), kMaxDroppedNames);
  for (const std::string& name : parsed->dropped_fields) EXPECT_EQ(name.size(), 64U);
}

TEST(RequestTest, EveryRefusedFieldSaysWhyAndNothingIsAskedForByNullOrEmpty) {
  for (const Api api : kTextApis) {
    int refused_fields = 0;
    for (const FieldRule& rule : dialect_of(api).fields(api)) {
      if (rule.action != FieldAction::kRefuse || rule.name.contains("[") ||
          rule.name.contains(".")) {
        continue;
      }
      ++refused_fields;
      const std::string key = ",\"" + std::string(rule.name) + "\":";
      const auto refused = dialect_of(api).parse_request(api, minimal(api, key + "[{}]"), {});
      ASSERT_FALSE(refused) << rule.name;
      EXPECT_EQ(refused.error().param, rule.name);
      EXPECT_THAT(refused.error().message, HasSubstr(std::string(rule.note)));
      EXPECT_THAT(refused.error().message, Not(HasSubstr("comes with")));
      EXPECT_TRUE(dialect_of(api).parse_request(api, minimal(api, key + "null"), {})) << rule.name;
      EXPECT_TRUE(dialect_of(api).parse_request(api, minimal(api, key + "[]"), {})) << rule.name;
    }
    EXPECT_GT(refused_fields, api == Api::kOllamaChat ? -1 : 1) << to_string(api);
  }
}

// Every honoured or accepted field meets values of all the wrong types.
TEST(RequestTest, EveryReadFieldRefusesWrongTypes) {
  for (const Api api : kTextApis) {
    for (const FieldRule& rule : dialect_of(api).fields(api)) {
      if (rule.name.contains("[") || rule.name == "max_tokens" || rule.name == "model" ||
          rule.name == "messages" || rule.name == "prompt" || rule.name == "input" ||
          rule.name.contains(".")) {
        continue;
      }
      if (rule.action != FieldAction::kHonour && rule.action != FieldAction::kAccept) continue;
      for (const std::string_view value :
           {R"([[1]])", R"({"type":"nonsense","x":[1]})", "-1e300"}) {
        // These drop what they ignore.
        constexpr std::string_view kDropping[] = {"stream_options", "options", "reasoning", "text",
                                                  "output_config"};
        const bool dropping = std::ranges::find(kDropping, rule.name) != std::end(kDropping);
        if (value[0] == '{' && (dropping || rule.name == "format")) continue;
        const std::string key = ",\"" + std::string(rule.name) + "\":" + std::string(value);
        const auto refused = dialect_of(api).parse_request(api, minimal(api, key), {});
        EXPECT_FALSE(refused) << to_string(api) << key;
        if (!refused) EXPECT_EQ(refused.error().status, 400);
      }
    }
  }
}

TEST(RequestTest, LimitsHold) {
  ParseOptions tight;
  tight.limits.max_text_bytes = 10;
  const std::string_view two = R"({"model":"m","messages":[{"role":"user","content":"123456"},
                                  {"role":"user","content":"123456"}]})";
  const auto& openai = dialect_of(Api::kOpenAiChat);
  EXPECT_FALSE(openai.parse_request(Api::kOpenAiChat, two, tight));
  tight = {};
  tight.limits.max_messages = 1;
  EXPECT_FALSE(openai.parse_request(Api::kOpenAiChat, two, tight));
  tight = {};
  tight.limits.max_body_bytes = 20;
  EXPECT_FALSE(openai.parse_request(Api::kOpenAiChat, two, tight));
  EXPECT_TRUE(openai.parse_request(Api::kOpenAiChat, two, {}));
  std::string deep(2000, '[');
  EXPECT_FALSE(openai.parse_request(Api::kOpenAiChat, deep, {}));
}

TEST(ErrorTest, S19_MessagesHoldNoTextOfTheRequestButCleanNames) {
  const std::string hostile = "a\\u001b[31m\\u202e\\\"" + std::string(500, 'z');
  ParseOptions strict;
  strict.strict_fields = true;
  const auto refused =
      dialect_of(Api::kOpenAiChat)
          .parse_request(Api::kOpenAiChat, minimal(Api::kOpenAiChat, ",\"" + hostile + "\":1"),
                         strict);
  ASSERT_FALSE(refused);
  EXPECT_LE(refused.error().param.size(), 64U);
  EXPECT_LE(refused.error().message.size(), 250U);
  for (const char c : refused.error().message) EXPECT_TRUE(c >= 0x20 && c < 0x7F);
  const auto broken = dialect_of(Api::kOpenAiChat).parse_request(Api::kOpenAiChat, "{\"SECRET", {});
  ASSERT_FALSE(broken);
  EXPECT_THAT(broken.error().message, Not(HasSubstr("SECRET")));
}

TEST(ErrorTest, EachDialectHasItsOwnShape) {
  ErrorInfo error = make_error(ErrorKind::kNotFound, "No model \"x\".", "model", "model_not_found");
  EXPECT_EQ(error.status, 404);
  error.exchange = "00112233445566778899aabbccddeeff";
  std::string out;
  dialect_of(Api::kOpenAiChat).render_error(error, out);
  EXPECT_EQ(
      out,
      R"({"error":{"message":"No model \"x\".","type":"not_found_error","param":"model",)"
      R"("code":"model_not_found"},"candor":{"exchange":"00112233445566778899aabbccddeeff"}})");
  out.clear();
  dialect_of(Api::kAnthropicMessages).render_error(error, out);
  EXPECT_EQ(out,
            R"({"type":"error","error":{"type":"not_found_error","message":"No model \"x\"."},)"
            R"("request_id":"req_00112233445566778899aabbccddeeff",)"
            R"("candor":{"exchange":"00112233445566778899aabbccddeeff"}})");
  EXPECT_EQ(make_error(Code::kCancelled, "").status, 499);
  EXPECT_EQ(make_error(Code::kFailedPrecondition, "").status, 409);
}

TEST(InfoTest, ListAndSingleAreValidJsonOfEachDialect) {
  std::vector<ModelInfo> models(2);
  models[0].name = "a\"b";
  models[0].created_s = 1'700'000'000;
  models[0].digest = "00ff";
  models[0].loaded = true;
  models[0].architecture = "llama";
  models[0].context_tokens = 2048;
  models[1].name = "second";
  for (const Dialect* dialect : dialects()) {
    const bool ollama = dialect->name() == "ollama";
    const char* key = ollama ? "models" : "data";
    const char* id = ollama ? "name" : "id";
    std::string out;
    dialect->render_info(Info::kModels, models, out);
    const auto list = json::parse(out);
    ASSERT_TRUE(list) << out;
    EXPECT_EQ(list->at(key).as_array().size(), 2U);
    EXPECT_EQ(list->at(key).at(0).at(id).as_string(), "a\"b");
    out.clear();
    dialect->render_info(Info::kModels, {}, out);
    EXPECT_TRUE(json::parse(out)) << out;
    for (const ModelInfo& model : models) {
      out.clear();
      dialect->render_info(Info::kModel, {&model, 1}, out);
      const auto one = json::parse(out);
      ASSERT_TRUE(one) << out;
      if (!ollama) EXPECT_EQ(one->at("id").as_string(), model.name.c_str());
    }
  }
  std::string out;
  dialect_of(Api::kAnthropicMessages).render_info(Info::kModels, models, out);
  EXPECT_THAT(out, HasSubstr("\"created_at\":\"2023-11-14T22:13:20"));
  out.clear();
  dialect_of(Api::kOllamaChat).render_info(Info::kLoaded, models, out);
  EXPECT_EQ(json::parse(out)->at("models").as_array().size(), 1U);
  out.clear();
  dialect_of(Api::kOllamaChat).render_info(Info::kVersion, {}, out);
  EXPECT_TRUE(json::parse(out)->at("version").is_string());
  const auto capabilities = [&](const ModelInfo& model) {
    out.clear();
    dialect_of(Api::kOllamaChat).render_info(Info::kModel, {&model, 1}, out);
    return json::to_text(json::parse(out)->at("capabilities"));
  };
  EXPECT_EQ(capabilities(models[1]), R"(["completion"])");
  models[1].has_tools = models[1].thinks = models[1].embeds = true;
  EXPECT_EQ(capabilities(models[1]), R"(["completion","tools","thinking","embedding"])");
}

TEST(InfoTest, ThePathOrTheBodyNamesTheModel) {
  const Dialect& openai = shape_for("/v1/models", /*has_anthropic_headers=*/false);
  EXPECT_EQ(find_info(openai, "GET", "/v1/models", "").route->info, Info::kModels);
  const InfoMatch one = find_info(openai, "GET", "/v1/models/org/name", "");
  ASSERT_NE(one.route, nullptr);
  EXPECT_EQ(one.name, "org/name");
  EXPECT_EQ(find_info(openai, "POST", "/v1/models", "").route, nullptr);
  EXPECT_EQ(find_info(openai, "GET", "/api/tags", "").route, nullptr);
  const Dialect& ollama = shape_for("/api/show", /*has_anthropic_headers=*/false);
  EXPECT_EQ(ollama.name(), "ollama");
  EXPECT_EQ(find_info(ollama, "POST", "/api/show", R"({"model":"m"})").name, "m");
  EXPECT_EQ(find_info(ollama, "POST", "/api/show", R"({"name":"m"})").name, "m");
  EXPECT_EQ(find_info(ollama, "POST", "/api/show", "[]").name, "");
  EXPECT_EQ(find_info(ollama, "GET", "/api/version", "").route->info, Info::kVersion);
}

// P1, S1: the end of a stream and its receipt exist only after finish(); nothing follows it but
// the dialect's terminator.
TEST(WriterTest, S1_TheReceiptStandsOnTheLastRegularEventAndNothingEndsBeforeIt) {
  for (const Api api : kTextApis) {
    for (const bool usage : {false, true}) {
      WriterOptions options;
      options.api = api;
      options.exchange = "00112233445566778899aabbccddeeff";
      options.model = "m";
      options.stream = true;
      options.include_usage = usage;
      const auto writer = dialect_of(api).make_writer(options);
      std::string before;
      writer->write(AnswerStart{}, before);
      writer->write(TextDelta{0, Text("Paris"), {}}, before);
      writer->write(Finish{0, FinishReason::kStop, std::nullopt}, before);
      writer->write(UsageReport{{3, 1, 0}}, before);
      EXPECT_THAT(before, HasSubstr("Paris"));
      for (const std::string_view end : {"stop\"", "end_turn", "[DONE]", "message_stop", "candor",
                                         "completed", "\"done\":true"}) {
        EXPECT_EQ(before.find(end), std::string::npos) << end << before;
      }
      std::string after;
      writer->finish({options.exchange, "line one\nline two\n"}, after);
      const bool openai = api == Api::kOpenAiChat || api == Api::kOpenAiCompletions;
      EXPECT_EQ(after.ends_with("\n\ndata: [DONE]\n\n"), openai) << after;
      const std::vector<std::string> events = testing::events_of(after);
      ASSERT_FALSE(events.empty());
      const auto value = json::parse(events.back());
      ASSERT_TRUE(value) << events.back();
      const json::Value& holder = api == Api::kOpenAiResponses ? value->at("response") : *value;
      EXPECT_EQ(holder.at("candor").at("receipt").as_string(), "line one\nline two\n");
      EXPECT_EQ(holder.at("candor").at("exchange").as_string(), options.exchange);
      EXPECT_EQ(after.find("candor"), after.rfind("candor"));
      if (api == Api::kAnthropicMessages) EXPECT_EQ(value->at("type").as_string(), "message_stop");
      if (api == Api::kOpenAiResponses) {
        EXPECT_EQ(value->at("type").as_string(), "response.completed");
      }
      if (holder.as_object().contains("done")) EXPECT_TRUE(holder.at("done").as_bool());
    }
  }
}

TEST(WriterTest, EveryEventIsValidSseAndJsonForAnyText) {
  for (const Api api : kTextApis) {
    for (const std::string_view text : kTexts) {
      WriterOptions options;
      options.api = api;
      options.exchange = "00112233445566778899aabbccddeeff";
      options.model = text;
      options.stream = true;
      const auto writer = dialect_of(api).make_writer(options);
      std::string out;
      writer->ping(out);
      writer->write(ReasoningDelta{0, Text(std::string(text))}, out);
      writer->write(TextDelta{0, Text(std::string(text)), {}}, out);
      writer->ping(out);
      writer->fail(make_error(ErrorKind::kInternal, std::string(text)), out);
      if (api == Api::kOllamaChat || api == Api::kOllamaGenerate) {
        ASSERT_TRUE(out.ends_with('\n'));
        for (const std::string& line : testing::events_of(out)) {
          EXPECT_TRUE(json::parse(line)) << line;
        }
        EXPECT_EQ(std::ranges::count(out, '\n'), std::ssize(testing::events_of(out)));
        continue;
      }
      std::string_view rest = out;
      int events = 0;
      while (!rest.empty()) {
        const std::size_t end = rest.find("\n\n");
        ASSERT_NE(end, std::string_view::npos);
        const std::string_view event = rest.substr(0, end);
        rest.remove_prefix(end + 2);
        const std::size_t data = event.find("data: ");
        if (data == std::string_view::npos) {
          EXPECT_TRUE(event.starts_with(":"));
          continue;
        }
        EXPECT_TRUE(data == 0 || event.starts_with("event: "));
        EXPECT_EQ(event.substr(data).find('\n'), std::string_view::npos);
        EXPECT_TRUE(json::parse(event.substr(data + 6))) << event;
        ++events;
      }
      EXPECT_GE(events, text.empty() ? 1 : 2);
    }
  }
}

// The sequence of Anthropic's documentation ("Streaming messages").
TEST(WriterTest, AnthropicStreamsInTheDocumentedOrder) {
  WriterOptions options;
  options.api = Api::kAnthropicMessages;
  options.stream = true;
  const auto writer = dialect_of(options.api).make_writer(options);
  std::string out;
  writer->write(AnswerStart{}, out);
  writer->write(ReasoningDelta{0, Text("hm")}, out);
  writer->write(TextDelta{0, Text("a"), {}}, out);
  writer->write(TextDelta{0, Text("b"), {}}, out);
  writer->write(Finish{0, FinishReason::kLength, std::nullopt}, out);
  writer->write(UsageReport{{10, 4, 3}}, out);
  writer->finish({"", ""}, out);
  std::vector<std::string> names;
  for (std::size_t at = 0; (at = out.find("event: ", at)) != std::string::npos;) {
    at += 7;
    names.push_back(out.substr(at, out.find('\n', at) - at));
  }
  EXPECT_EQ(names,
            (std::vector<std::string>{
                "message_start", "content_block_start", "ping", "content_block_delta",
                "content_block_stop", "content_block_start", "content_block_delta",
                "content_block_delta", "content_block_stop", "message_delta", "message_stop"}));
  EXPECT_THAT(out, HasSubstr(R"("stop_reason":"max_tokens")"));
  EXPECT_THAT(out, HasSubstr(R"("input_tokens":7,"cache_creation_input_tokens":0,)"
                             R"("cache_read_input_tokens":3,"output_tokens":4)"));
}

TEST(WriterTest, LogprobsStandInBothFormsOfOpenAi) {
  TokenLogprob token{
      Text("Pa"),
      Text("Pa"),
      -0.5F,
      {{Text("Pa"), Text("Pa"), -0.5F}, {Text("\xEF\xBF\xBD"), Text("\xE2"), -2.0F}}};
  for (const bool stream : {false, true}) {
    WriterOptions options;
    options.logprobs = true;
    options.stream = stream;
    const auto chat = dialect_of(options.api).make_writer(options);
    std::string out;
    chat->write(TextDelta{0, Text("Pa"), {token}}, out);
    chat->finish({"", ""}, out);
    EXPECT_THAT(out,
                HasSubstr(R"("logprobs":{"content":[{"token":"Pa","logprob":-0.5,"bytes":[80,97],)"
                          R"("top_logprobs":[{"token":"Pa","logprob":-0.5,"bytes":[80,97]},)"));
    EXPECT_THAT(out, HasSubstr(R"("bytes":[226])"));
    options.api = Api::kOpenAiCompletions;
    const auto completions = dialect_of(options.api).make_writer(options);
    out.clear();
    completions->write(TextDelta{0, Text("Pa"), {token}}, out);
    completions->write(TextDelta{0, Text("Pa"), {token}}, out);
    completions->finish({"", ""}, out);
    EXPECT_THAT(out, HasSubstr(R"("top_logprobs":[{"Pa":-0.5,)"));
    EXPECT_THAT(out, HasSubstr(stream ? R"("text_offset":[2])" : R"("text_offset":[0,2])"));
  }
}

}  // namespace
}  // namespace candor::dialect
