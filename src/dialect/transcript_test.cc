#include "dialect/transcript.h"

#include <gmock/gmock.h>

#include "dialect/saved.h"
#include "dialect/testing/samples.h"

namespace candor::dialect {
namespace {

using testing::chat_request;
using testing::plain;
using testing::quoted;

std::vector<std::pair<std::string, std::string>> expected(const json::Value& list) {
  std::vector<std::pair<std::string, std::string>> out;
  for (const json::Value& field : list.as_array()) {
    out.emplace_back(field.at(0).as_string().c_str(), field.at(1).as_string().c_str());
  }
  return out;
}

json::Value known() {
  auto value =
      json::parse(testing::file_text(testing::module_folder() / "testdata/transcript-v1.json"));
  EXPECT_TRUE(value);
  return value ? *std::move(value) : json::Value();
}

TEST(TranscriptTest, S1_RequestsOfEachDialectGiveTheHandWrittenTranscripts) {
  const json::Value file = known();
  for (const json::Value& item : file.at("requests").as_array()) {
    const std::string body(item.at("body").as_string().c_str());
    const auto api = api_from_name(item.at("api").as_string().c_str());
    ASSERT_TRUE(api);
    const auto parsed = dialect_of(*api).parse_request(*api, body, {});
    ASSERT_TRUE(parsed) << parsed.error().message << body;
    EXPECT_EQ(plain(request_transcript(*parsed, item.at("nonce").as_string().c_str())),
              expected(item.at("transcript")));
    const auto saved = read_saved_request(body, *api);
    ASSERT_TRUE(saved);
    EXPECT_EQ(plain(request_transcript(*saved)), plain(request_transcript(*parsed)));
  }
}

TEST(TranscriptTest, S1_SavedResponsesGiveTheHandWrittenTranscripts) {
  const json::Value file = known();
  for (const json::Value& item : file.at("answers").as_array()) {
    const auto saved = read_saved_response(item.at("response").as_string().c_str());
    ASSERT_TRUE(saved) << saved.error().message();
    EXPECT_EQ(plain(answer_transcript(saved->answer)), expected(item.at("transcript")));
    EXPECT_EQ(saved->exchange, "000102030405060708090a0b0c0d0e0f");
    EXPECT_EQ(saved->receipt, "r\n");
    EXPECT_TRUE(saved->complete);
  }
}

TEST(TranscriptTest, ParametersAreCanonicalJson) {
  for (const std::string_view text : testing::kTexts) {
    if (text.empty()) continue;
    Exchange exchange = chat_request(
        R"(,"temperature":0.1,"top_p":0.25,"top_k":3,"seed":9,"presence_penalty":1,"max_tokens":4,
            "frequency_penalty":-1.25,"logprobs":true,"top_logprobs":4,"stop":[)" +
        quoted(text) + "]");
    exchange.parameters.n = 2;
    const std::string written = parameters_text(exchange);
    const auto value = json::parse_canonical(written);
    ASSERT_TRUE(value) << written;
    EXPECT_EQ(value->as_object().size(), 11U);
    EXPECT_EQ(std::string(value->at("stop").at(0).as_string().c_str()), text);
  }
}

TEST(TranscriptTest, StreamingDoesNotChangeIt) {
  EXPECT_EQ(plain(request_transcript(chat_request())),
            plain(request_transcript(
                chat_request(R"(,"stream":true,"stream_options":{"include_usage":true})"))));
}

TEST(TranscriptTest, AnyChangeThatHasAnEffectShows) {
  const auto base = plain(request_transcript(chat_request()));
  for (const std::string_view extra : {R"(,"temperature":0)", R"(,"seed":0)", R"(,"stop":["x"])",
                                       R"(,"max_tokens":1)", R"(,"logprobs":true)"}) {
    EXPECT_NE(plain(request_transcript(chat_request(extra))), base) << extra;
  }
  EXPECT_NE(plain(request_transcript(chat_request(), "n")), base);
}

TEST(TranscriptTest, NoncesAreShortPrintableAscii) {
  EXPECT_TRUE(is_nonce("abc-123"));
  EXPECT_FALSE(is_nonce(""));
  EXPECT_FALSE(is_nonce("a b"));
  EXPECT_FALSE(is_nonce("a\n"));
  EXPECT_FALSE(is_nonce("\xC3\xA9"));
  EXPECT_FALSE(is_nonce(std::string(129, 'a')));
}

TEST(TranscriptTest, EmptyContentIsAFieldOfItsOwn) {
  AnswerBuilder builder;
  EXPECT_EQ(plain(answer_transcript(std::move(builder).take())),
            (std::vector<std::pair<std::string, std::string>>{{"choices/0/content", ""},
                                                              {"choices/0/finish", "error"}}));
}

}  // namespace
}  // namespace candor::dialect
