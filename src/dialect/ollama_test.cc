// Requests after the examples of Ollama's API documentation.
#include <gmock/gmock.h>

#include "dialect/saved.h"
#include "dialect/testing/samples.h"

namespace candor::dialect {
namespace {

using ::testing::HasSubstr;
using testing::plain;

std::expected<Exchange, ErrorInfo> read(Api api, std::string_view body) {
  return dialect_of(api).parse_request(api, body, {});
}

TEST(OllamaChatTest, ReadsOptionsToolsAndResultsByName) {
  const auto parsed = read(Api::kOllamaChat, R"({"model":"m","keep_alive":"5m","think":false,
    "options":{"num_predict":20,"temperature":0,"min_p":0.05,"repeat_penalty":1.1,"seed":-1,
               "stop":["END"],"num_ctx":4096},
    "tools":[{"type":"function","function":{"name":"f","parameters":{"type":"object","properties":{}}}}],
    "messages":[{"role":"system","content":"s"},{"role":"user","content":"q","images":[]},
      {"role":"assistant","content":"","thinking":"t","tool_calls":[
        {"function":{"name":"f","arguments":{"b":1,"a":2}}},
        {"function":{"name":"f","arguments":{}}}]},
      {"role":"tool","tool_name":"f","content":"one"},
      {"role":"tool","content":"two"}]})");
  ASSERT_TRUE(parsed) << parsed.error().message;
  EXPECT_TRUE(parsed->stream);
  using Field = std::pair<std::string, std::string>;
  const std::vector<Field> expected = {
      {"model", "m"},
      {"messages/0/role", "system"},
      {"messages/0/parts/0/text", "s"},
      {"messages/1/role", "user"},
      {"messages/1/parts/0/text", "q"},
      {"messages/2/role", "assistant"},
      {"messages/2/parts/0/text", ""},
      {"messages/2/tool_calls/0/name", "f"},
      {"messages/2/tool_calls/0/arguments", R"({"a":2,"b":1})"},
      {"messages/2/tool_calls/1/name", "f"},
      {"messages/2/tool_calls/1/arguments", "{}"},
      {"messages/3/role", "tool"},
      {"messages/3/parts/0/text", "one"},
      {"messages/3/answers", "2/0"},
      {"messages/4/role", "tool"},
      {"messages/4/parts/0/text", "two"},
      {"messages/4/answers", "2/1"},
      {"tools/0/name", "f"},
      {"tools/0/parameters", R"({"type":"object","properties":{}})"},
      {"parameters",
       R"({"max_tokens":20,"min_p":"0.05","reasoning_effort":"none","repeat_penalty":"1.1",)"
       R"("stop":["END"],"temperature":"0"})"}};
  EXPECT_EQ(plain(request_transcript(*parsed)), expected);
  EXPECT_EQ(dropped_fields_header(*parsed), "keep_alive, options.num_ctx, messages[].thinking");
}

TEST(OllamaGenerateTest, PromptAndSystemAreMessagesUnlessRaw) {
  const auto parsed = read(Api::kOllamaGenerate,
                           R"({"model":"m","prompt":"q","system":"s","stream":false,"format":"json",
                               "context":[],"template":"","suffix":null})");
  ASSERT_TRUE(parsed) << parsed.error().message;
  EXPECT_FALSE(parsed->stream);
  ASSERT_EQ(parsed->messages.size(), 2U);
  EXPECT_EQ(parsed->messages[0].role, Role::kSystem);
  EXPECT_EQ(parsed->messages[1].role, Role::kUser);
  EXPECT_TRUE(parsed->prompts.empty());
  EXPECT_EQ(parsed->response_format.kind, ResponseFormat::Kind::kJsonObject);
  const auto raw = read(Api::kOllamaGenerate, R"({"raw":true,"model":"m","prompt":"q"})");
  ASSERT_TRUE(raw) << raw.error().message;
  EXPECT_EQ(raw->prompts.size(), 1U);
  EXPECT_EQ(build_engine_request(forwarded_exchange(*raw, 1, 9), {}).path, "/v1/completions");
}

TEST(OllamaTest, RefusesWithASentenceThatHelps) {
  const std::tuple<Api, std::string_view, std::string_view> cases[] = {
      {Api::kOllamaChat, R"("messages":[])", "load by themselves"},
      {Api::kOllamaChat, R"("messages":[{"role":"user","content":"x","images":["aa"]}])", "images"},
      {Api::kOllamaChat, R"("messages":[{"role":"tool","tool_name":"f","content":"x"}])",
       "answers no call"},
      {Api::kOllamaChat, R"("messages":[{"role":"user"}])", "needs 'content'"},
      {Api::kOllamaChat, R"("messages":[{"role":"user","content":"x"}],"format":"xml")",
       "json or a schema"},
      {Api::kOllamaGenerate, R"("prompt":"")", "load by themselves"},
      {Api::kOllamaGenerate, R"("prompt":"x","context":[1,2])", "token numbers"},
      {Api::kOllamaGenerate, R"("prompt":"x","raw":true,"system":"s")", "cannot be combined"},
      {Api::kOllamaGenerate, R"("prompt":"x","template":"{{ .Prompt }}")", "own template"},
      {Api::kOllamaEmbed, R"("input":[])", "1 to 512"},
      {Api::kOllamaEmbed, R"("input":"a","dimensions":3)", "dimensions"},
  };
  for (const auto& [api, extra, says] : cases) {
    const auto refused = read(api, R"({"model":"m",)" + std::string(extra) + "}");
    ASSERT_FALSE(refused) << extra;
    EXPECT_THAT(refused.error().message, HasSubstr(std::string(says)));
    std::string out;
    dialect_of(api).render_error(refused.error(), out);
    EXPECT_TRUE(json::parse(out)->at("error").is_string());
  }
}

TEST(EmbeddingsTest, S1_EachWayToWriteAVectorReadsBackToTheLastBit) {
  std::mt19937 random(11);
  std::vector<float> values = {0.0F, 1.0F, 1e-30F, 3.0e7F, 0.1F, 16777217.0F};
  for (int i = 0; i < 500; ++i) {
    values.push_back(static_cast<float>(random()) / 4294967296.0F - 0.5F);
  }
  const Embedding vector(values);
  AnswerBuilder builder(2);
  for (const auto& [api, base64] :
       {std::pair(Api::kOpenAiEmbeddings, false), std::pair(Api::kOpenAiEmbeddings, true),
        std::pair(Api::kOllamaEmbed, false)}) {
    WriterOptions options;
    options.api = api;
    options.exchange = "00112233445566778899aabbccddeeff";
    options.base64 = base64;
    options.choices = 2;
    const auto writer = dialect_of(api).make_writer(options);
    std::string out;
    writer->write(EmbeddingResult{vector}, out);
    writer->write(EmbeddingResult{vector}, out);
    writer->write(UsageReport{{7, 0, 0}}, out);
    EXPECT_TRUE(out.empty());
    writer->finish({.exchange = options.exchange, .receipt = "r\n"}, out);
    const auto saved = read_saved_response(out);
    ASSERT_TRUE(saved) << out.substr(0, 200);
    EXPECT_EQ(saved->api, api);
    EXPECT_EQ(saved->receipt, "r\n");
    const auto fields = plain(answer_transcript(saved->answer));
    ASSERT_EQ(fields.size(), 2U);
    EXPECT_EQ(fields[1].first, "embeddings/1");
    EXPECT_EQ(fields[1].second, embedding_text(vector));
  }
}

}  // namespace
}  // namespace candor::dialect
