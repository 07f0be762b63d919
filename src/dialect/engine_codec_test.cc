// Payloads have the shapes that llama-server v0.5.0 builds (tools/server/server-task.cpp).
#include "dialect/engine_codec.h"

#include <random>
#include <set>

#include <gmock/gmock.h>

#include "dialect/testing/request_property.h"
#include "dialect/testing/samples.h"

namespace candor::dialect {
namespace {

using testing::chat_request;
using ::testing::HasSubstr;
using testing::kTexts;
using ::testing::Not;
using testing::plain;
using testing::quoted;
using testing::Read;
using testing::read_events;
using Kind = EngineError::Kind;

Exchange forwarded(std::string_view extra = "") {
  return forwarded_exchange(chat_request(extra), 77, 1000);
}

TEST(EngineRequestTest, ChatHoldsExactlyWhatWasAskedForAndWhatTheMonitorSets) {
  const EngineCall call = build_engine_request(
      forwarded(R"(,"temperature":0.7,"stop":"x","logprobs":true,"max_tokens":2000)"),
      {.id_slot = 3});
  EXPECT_EQ(call.path, "/v1/chat/completions");
  EXPECT_EQ(
      call.body,
      R"({"model":"m","messages":[{"role":"user","content":"hi"}],"max_tokens":1000,"seed":77,)"
      R"("temperature":0.7,"stop":["x"],"logprobs":true,"top_logprobs":1,"stream":true,)"
      R"("stream_options":{"include_usage":true},"id_slot":3,"cache_prompt":false,)"
      R"("return_progress":false,"timings_per_token":false,"return_tokens":false})");
}

TEST(EngineRequestTest, CompletionsAndPartsKeepTheirText) {
  auto parsed = dialect_of(Api::kOpenAiCompletions)
                    .parse_request(Api::kOpenAiCompletions,
                                   R"({"model":"m","prompt":"a\"b","logprobs":0,"seed":5})", {});
  ASSERT_TRUE(parsed);
  const EngineCall call = build_engine_request(forwarded_exchange(*parsed, 77, 9),
                                               {.cache_prompt = true, .stream = false});
  EXPECT_EQ(call.path, "/v1/completions");
  EXPECT_THAT(call.body, HasSubstr(R"("prompt":"a\"b","max_tokens":9,"seed":5,"logprobs":1,)"
                                   R"("stream":false,"cache_prompt":true)"));
  const auto parts = dialect_of(Api::kOpenAiChat)
                         .parse_request(Api::kOpenAiChat,
                                        R"({"model":"m","messages":[{"role":"user","content":[
                       {"type":"text","text":"a"},{"type":"text","text":"b"}]}]})",
                                        {});
  ASSERT_TRUE(parts);
  EXPECT_THAT(build_engine_request(forwarded_exchange(*parts, 1, 1), {}).body,
              HasSubstr(R"("content":[{"type":"text","text":"a"},{"type":"text","text":"b"}])"));
}

TEST(EngineRequestTest, TheForwardedTranscriptDiffersInSeedAndTokenCapOnly) {
  const Exchange received = chat_request(R"(,"temperature":0.5)");
  auto before = plain(request_transcript(received));
  const auto after = plain(request_transcript(forwarded_exchange(received, 77, 1000)));
  EXPECT_EQ(before.back().second, R"({"temperature":"0.5"})");
  before.back().second = R"({"max_tokens":1000,"seed":77,"temperature":"0.5"})";
  EXPECT_EQ(before, after);
}

// S8: every name that llama-server reads is tried in every dialect, at the top, in a message and in
// a part, with values that would show.
TEST(EngineRequestTest, S8_NoFieldOfTheServersOwnReachesIt) {
  const std::string list =
      testing::file_text(testing::module_folder() / "testdata/llama-server-fields.txt");
  std::vector<std::string> names;
  std::string_view rest = list;
  while (!rest.empty()) {
    names.emplace_back(rest.substr(0, rest.find('\n')));
    rest.remove_prefix(names.back().size() + 1);
  }
  ASSERT_GT(names.size(), 90U);
  int forwarded_count = 0;
  for (const Api api : {Api::kOpenAiChat, Api::kOpenAiCompletions, Api::kAnthropicMessages}) {
    for (const std::string& name : names) {
      for (const std::string_view value :
           {R"("CANARY")", "987654321", "true", R"(["CANARY"])", R"({"CANARY":987654321})",
            R"([{"id":0,"scale":987654321}])"}) {
        const std::string field = ",\"" + name + "\":" + std::string(value);
        const bool at_root = api == Api::kOpenAiCompletions;
        const std::string message =
            R"({"role":"user","content":[{"type":"text","text":"hi")" + field + "}]" + field + "}";
        const std::string base = R"({"model":"m")";
        const std::string need =
            api == Api::kAnthropicMessages && name != "max_tokens" ? R"(,"max_tokens":5)" : "";
        const std::string input =
            at_root ? R"(,"prompt":"hi")" : R"(,"messages":[{"role":"user","content":"hi"}])";
        for (const std::string& body :
             {base + need + (name == "prompt" || name == "messages" ? "" : input) + field + "}",
              base + need + R"(,"messages":[)" + message + "]}"}) {
          const auto parsed = dialect_of(api).parse_request(api, body, {});
          if (!parsed) continue;
          ++forwarded_count;
          const EngineCall call = build_engine_request(forwarded_exchange(*parsed, 1, 5), {});
          const auto sent = json::parse(call.body);
          ASSERT_TRUE(sent) << call.body;
          for (const auto& member : sent->as_object()) {
            const std::string_view key = member.key();
            EXPECT_TRUE(key == "id_slot" || testing::engine_names().contains(key)) << call.body;
          }
          EXPECT_THAT(call.body, Not(HasSubstr("scale")));
          // Texts that are honoured as such may carry it, nothing else.
          if (name != "stop" && name != "prompt" && name != "messages") {
            EXPECT_THAT(call.body, Not(HasSubstr("CANARY"))) << body;
            // Numbers of honoured fields have their own bounds.
            if (name != "seed") EXPECT_THAT(call.body, Not(HasSubstr("987654321"))) << body;
          }
          EXPECT_THAT(call.body, HasSubstr(R"("cache_prompt":false)"));
        }
      }
    }
  }
  EXPECT_GT(forwarded_count, 500);
}

// The list of names stays that of the source where the source is at hand.
TEST(EngineRequestTest, S8_TheListOfTheServersFieldsIsThatOfItsSource) {
  const char* folder = std::getenv("CANDOR_LLAMA_SOURCE");
  std::filesystem::path path = folder != nullptr
                                   ? std::filesystem::path(folder)
                                   : testing::module_folder() / "../../third_party/llama.cpp";
  path /= "tools/server/server-schema.cpp";
  if (!std::filesystem::exists(path)) GTEST_SKIP() << "llama.cpp's sources are not here";
  const std::string source = testing::file_text(path);
  const std::string list =
      "\n" + testing::file_text(testing::module_folder() / "testdata/llama-server-fields.txt");
  int found = 0;
  for (const std::string_view mark : {"(new field_", "add_alias("}) {
    for (std::size_t at = 0; (at = source.find(mark, at)) != std::string::npos; ++at) {
      const std::size_t begin = source.find('"', at);
      const std::size_t open = source.find('(', at + 1);
      if (begin == std::string::npos || (mark[0] == '(' && open + 1 != begin)) continue;
      const std::string name = source.substr(begin + 1, source.find('"', begin + 1) - begin - 1);
      EXPECT_THAT(list, HasSubstr("\n" + name + "\n"));
      ++found;
    }
  }
  EXPECT_GT(found, 60);
}

// --- answers ---

std::string chunk(std::string_view delta, std::string_view finish = "null") {
  return R"({"choices":[{"finish_reason":)" + std::string(finish) + R"(,"index":0,"delta":)" +
         std::string(delta) +
         R"(}],"created":1,"id":"chatcmpl-engine","model":"CANARY","system_fingerprint":"CANARY",)"
         R"("object":"chat.completion.chunk","timings":{"prompt_ms":1.5}})";
}
const std::string kUsage =
    R"({"choices":[],"created":1,"id":"x","model":"CANARY","object":"chat.completion.chunk",)"
    R"("usage":{"completion_tokens":3,"prompt_tokens":5,"total_tokens":8,)"
    R"("prompt_tokens_details":{"cached_tokens":2}},"timings":{"predicted_ms":1}})";

TEST(EngineReaderTest, ReadsAChatStream) {
  const Read read = read_events(
      forwarded(), {chunk(R"({"role":"assistant","content":null})"),
                    chunk(R"({"reasoning_content":"hm"})"), chunk(R"({"content":"Pa"})"),
                    chunk(R"({"content":"ris"})"), chunk("{}", "\"stop\""), kUsage, "[DONE]"});
  EXPECT_FALSE(read.error);
  EXPECT_EQ(read.starts, 1);
  EXPECT_EQ(plain(answer_transcript(read.answer)),
            (std::vector<std::pair<std::string, std::string>>{{"choices/0/reasoning", "hm"},
                                                              {"choices/0/content", "Paris"},
                                                              {"choices/0/finish", "stop"}}));
  EXPECT_EQ(read.answer.usage.prompt_tokens, 5U);
  EXPECT_EQ(read.answer.usage.completion_tokens, 3U);
  EXPECT_EQ(read.answer.usage.cached_tokens, 2U);
}

TEST(EngineReaderTest, ReadsBodiesOfBothRoutesWithLogprobs) {
  const std::string logprobs =
      R"({"content":[{"id":1,"token":"Paris","bytes":[80,97,114,105,115],"logprob":-0.25,)"
      R"("top_logprobs":[{"id":1,"token":"Paris","bytes":[80],"logprob":-0.25},)"
      R"({"id":2,"token":"x","bytes":[120],"logprob":-3.4028234663852886e+38}]}]})";
  const std::string chat =
      R"({"choices":[{"finish_reason":"length","index":0,"message":{"role":"assistant",)"
      R"("content":"Paris"},"logprobs":)" +
      logprobs +
      R"(}],"object":"chat.completion","usage":{"completion_tokens":1,"prompt_tokens":4},)"
      R"("__verbose":{"prompt":"CANARY"}})";
  const Exchange exchange = forwarded(R"(,"logprobs":true,"top_logprobs":1)");
  EngineReader reader(exchange);
  std::vector<AnswerEvent> events;
  ASSERT_TRUE(reader.body(chat, events));
  EXPECT_TRUE(reader.done());
  ASSERT_TRUE(reader.end(events));
  AnswerBuilder builder;
  for (const AnswerEvent& event : events) builder.add(event);
  const Choice& choice = builder.answer().choices.at(0);
  EXPECT_EQ(choice.content.reveal(), "Paris");
  EXPECT_EQ(choice.finish, FinishReason::kLength);
  ASSERT_EQ(choice.logprobs.size(), 1U);
  EXPECT_EQ(choice.logprobs[0].logprob, -0.25F);
  EXPECT_EQ(choice.logprobs[0].top.size(), 1U);  // not more than asked for
  // Not asked for: not passed on.
  const Read plain_read = read_events(forwarded(), {chat});
  EXPECT_TRUE(plain_read.answer.choices[0].logprobs.empty());

  auto parsed = dialect_of(Api::kOpenAiCompletions)
                    .parse_request(Api::kOpenAiCompletions, R"({"model":"m","prompt":"a"})", {});
  ASSERT_TRUE(parsed);
  const Read completion =
      read_events(forwarded_exchange(*parsed, 1, 10),
                  {R"({"choices":[{"text":"Pa","index":0,"logprobs":null,"finish_reason":null}]})",
                   R"({"choices":[{"text":"","index":0,"logprobs":null,"finish_reason":"stop"}],
           "usage":{"completion_tokens":2,"prompt_tokens":4}})",
                   "[DONE]"});
  EXPECT_FALSE(completion.error);
  EXPECT_EQ(completion.answer.choices[0].content.reveal(), "Pa");
  EXPECT_EQ(completion.answer.usage.completion_tokens, 2U);
}

TEST(EngineReaderTest, LogprobsAreFiniteAndClamped) {
  const Exchange exchange = forwarded(R"(,"logprobs":true,"top_logprobs":2)");
  const Read read = read_events(
      exchange,
      {R"({"choices":[{"index":0,"delta":{"content":"a"},"finish_reason":"stop","logprobs":{"content":[
           {"token":"a","logprob":-3.4028234663852886e+38,"bytes":null,"top_logprobs":[]},
           {"token":"b","logprob":3,"bytes":[98]}]}}]})"});
  EXPECT_FALSE(read.error);
  ASSERT_EQ(read.answer.choices[0].logprobs.size(), 2U);
  EXPECT_EQ(read.answer.choices[0].logprobs[0].logprob, -9999.0F);
  EXPECT_EQ(read.answer.choices[0].logprobs[1].logprob, 0.0F);
}

// The property of the module: cut anywhere between bytes, even within code points and within
// escaped surrogate pairs, the transcript is the same.
TEST(EngineReaderTest, EverySplitOfTheStreamGivesTheSameTranscript) {
  std::mt19937 random(3);
  const Exchange exchange = forwarded();
  for (const std::string_view text : kTexts) {
    for (int round = 0; round < 60; ++round) {
      std::vector<std::string> payloads;
      for (const std::string_view field : {"reasoning_content", "content", "refusal"}) {
        std::string piece;
        const auto emit = [&] {
          std::string escaped = "\"";
          for (const char c : piece) {
            if (c == '"' || c == '\\') escaped += '\\';
            if (static_cast<unsigned char>(c) < 0x20) {
              constexpr std::string_view kHex = "0123456789abcdef";
              escaped += "\\u00";
              escaped += kHex[static_cast<unsigned char>(c) >> 4U];
              escaped += kHex[static_cast<unsigned char>(c) & 15U];
              continue;
            }
            escaped += c;
          }
          payloads.push_back(chunk("{\"" + std::string(field) + "\":" + escaped + "\"}"));
          piece.clear();
        };
        for (const char c : text) {
          piece += c;
          if (random() % 4 < static_cast<unsigned>(round % 5)) emit();
        }
        if (!piece.empty()) emit();
      }
      payloads.push_back(chunk("{}", "\"stop\""));
      const Read read = read_events(exchange, payloads);
      EXPECT_FALSE(read.error);
      EXPECT_EQ(read.answer.choices[0].content.reveal(), text);
      EXPECT_EQ(read.answer.choices[0].reasoning.reveal(), text);
      EXPECT_EQ(read.answer.choices[0].refusal.reveal(), text);
    }
  }
}

TEST(EngineReaderTest, SurrogateHalvesAndBytesAreJoinedOrReplaced) {
  const auto content = [](const std::vector<std::string>& pieces) {
    std::vector<std::string> payloads;
    for (const std::string& piece : pieces) {
      payloads.push_back(chunk("{\"content\":\"" + piece + "\"}"));
    }
    payloads.push_back(chunk("{}", "\"stop\""));
    const Read read = read_events(forwarded(), payloads);
    EXPECT_FALSE(read.error);
    return read.answer.choices[0].content.reveal();
  };
  const std::string lost = "\xEF\xBF\xBD";
  EXPECT_EQ(content({R"(a\ud83d)", R"(\ude00b)"}),
            "a\xF0\x9F\x98\x80"
            "b");
  EXPECT_EQ(content({R"(a\ud83d\ude00b)"}),
            "a\xF0\x9F\x98\x80"
            "b");
  EXPECT_EQ(content({R"(a\ud83d)", "b"}), "a" + lost + "b");
  EXPECT_EQ(content({R"(\ud83d)", "", R"(\ude00)"}), "\xF0\x9F\x98\x80");
  EXPECT_EQ(content({R"(a\ude00b)"}), "a" + lost + "b");
  EXPECT_EQ(content({R"(a\ud83d)"}), "a" + lost);
  EXPECT_EQ(content({"a\xE2\x82"}), "a" + lost);
  EXPECT_EQ(content({"\xE2", "\x82", "\xAC"}), "\xE2\x82\xAC");
  EXPECT_EQ(content({"\xFF"
                     "a"}),
            lost + "a");
  EXPECT_EQ(content({"\xC0\x80"}), lost + lost);
}

TEST(EngineReaderTest, S16_WhatIsNotTheProtocolEndsTheAnswer) {
  const std::string start = chunk(R"({"content":"a"})");
  const std::string stop = chunk("{}", "\"stop\"");
  const std::pair<std::vector<std::string>, Kind> cases[] = {
      {{"no json"}, Kind::kMalformed},
      {{"[]"}, Kind::kMalformed},
      {{"{}"}, Kind::kMalformed},
      {{R"({"choices":[{"index":1,"delta":{}}]})"}, Kind::kBound},
      {{R"({"choices":[{"index":0,"delta":{"content":5}}]})"}, Kind::kMalformed},
      {{R"({"choices":[{"index":0,"delta":{}},{"index":0,"delta":{}}]})"}, Kind::kMalformed},
      {{R"({"choices":[{"index":0,"delta":{},"delta":{}}]})"}, Kind::kMalformed},
      {{start, stop, start}, Kind::kMalformed},
      {{start, stop, stop}, Kind::kMalformed},
      {{start, "[DONE]", start}, Kind::kMalformed},
      {{start}, Kind::kTruncated},
      {{start, "[DONE]"}, Kind::kTruncated},
      {{R"({"choices":[],"usage":{"completion_tokens":1001,"prompt_tokens":1}})"}, Kind::kBound},
      {{R"({"choices":[],"usage":{"completion_tokens":1,"prompt_tokens":1,
            "prompt_tokens_details":{"cached_tokens":2}}})"},
       Kind::kBound},
      {{R"({"error":{"code":500,"message":"CANARY","type":"server_error"}})"}, Kind::kFailed},
      {{R"({"error":{"code":400,"message":"CANARY","type":"invalid_request_error"}})"},
       Kind::kRejected},
      {{R"({"error":"CANARY"})"}, Kind::kFailed},
  };
  for (const auto& [payloads, kind] : cases) {
    const Read read = read_events(forwarded(), payloads);
    ASSERT_TRUE(read.error) << payloads.back();
    EXPECT_EQ(to_string(read.error->kind), to_string(kind)) << payloads.back();
    EXPECT_THAT(error_info(*read.error).message, Not(HasSubstr("CANARY")));
  }
}

TEST(EngineReaderTest, S16_BoundsOnPiecesTextAndPayloads) {
  Exchange exchange = forwarded_exchange(chat_request(), 1, 4);
  std::vector<std::string> many(200, chunk(R"({"content":"a"})"));
  EXPECT_EQ(read_events(exchange, many).error->kind, Kind::kBound);
  EngineLimits limits;
  limits.max_text_bytes = 10;
  EXPECT_EQ(read_events(exchange, {chunk(R"({"content":"12345678901"})")}, limits).error->kind,
            Kind::kBound);
  limits = {};
  limits.max_payload_bytes = 20;
  EXPECT_EQ(read_events(exchange, {chunk("{}")}, limits).error->kind, Kind::kBound);
  const std::string deep =
      R"({"choices":[],"x":)" + std::string(100, '[') + std::string(100, ']') + "}";
  EXPECT_EQ(read_events(exchange, {deep}).error->kind, Kind::kMalformed);
}

// Found by engine_chunks_fuzz: reasoning in an answer to /v1/completions, which cannot show it.
TEST(EngineReaderTest, TextInAPlaceOfTheOtherApiIsNotTaken) {
  Exchange completions;
  completions.api = Api::kOpenAiCompletions;
  completions.prompts.emplace_back();
  EXPECT_EQ(
      read_events(completions, {chunk(R"({"reasoning_content":"a"})", "\"stop\"")}).error->kind,
      Kind::kMalformed);
  const Read chat =
      read_events(forwarded(), {R"({"choices":[{"index":0,"text":"a","finish_reason":"stop"}]})"});
  EXPECT_FALSE(chat.error);
  EXPECT_EQ(chat.answer.choices[0].content.reveal(), "");
}

TEST(EngineReaderTest, FinishReasonsAreAClosedSet) {
  const Read read = read_events(forwarded(), {chunk("{}", R"("<script>")")});
  EXPECT_FALSE(read.error);
  EXPECT_EQ(read.answer.choices[0].finish, FinishReason::kError);
}

// S16: a canary in every other place of the engine's answer never comes out of a writer.
TEST(EngineReaderTest, S16_NothingButTheModelsTextComesThrough) {
  const std::string body =
      R"({"CANARY":"CANARY","id":"CANARY","model":"CANARY","object":"CANARY","created":"CANARY",)"
      R"("system_fingerprint":"CANARY","service_tier":"CANARY","__verbose":{"prompt":"CANARY"},)"
      R"("timings":{"CANARY":1},"prompt_progress":"CANARY","choices":[{"index":0,"CANARY":"CANARY",)"
      R"("delta":{"role":"CANARY","content":"fine","CANARY":"CANARY","audio":{"CANARY":1}},)"
      R"("logprobs":{"CANARY":[1]},"finish_reason":"CANARY"}],)"
      R"("usage":{"prompt_tokens":1,"completion_tokens":1,"CANARY":9,"total_tokens":"CANARY"}})";
  for (const Api api : {Api::kOpenAiChat, Api::kAnthropicMessages}) {
    for (const bool stream : {false, true}) {
      Exchange exchange = forwarded(R"(,"logprobs":true)");
      exchange.api = api;
      exchange.stream = stream;
      EngineReader reader(exchange);
      std::vector<AnswerEvent> events;
      ASSERT_TRUE(reader.event(body, events));
      ASSERT_TRUE(reader.end(events));
      const auto writer = dialect_of(api).make_writer(writer_options(exchange, "00", "m", 1));
      std::string out;
      for (const AnswerEvent& event : events) writer->write(event, out);
      writer->finish({"00", "r"}, out);
      EXPECT_THAT(out, HasSubstr("fine"));
      EXPECT_THAT(out, Not(HasSubstr("CANARY")));
    }
  }
}

TEST(EngineErrorTest, StatusAndTypeBecomeAClosedSetWithoutTheEnginesWords) {
  const EngineError full = engine_error(
      400, R"({"error":{"code":400,"message":"CANARY","type":"exceed_context_size_error",
              "n_prompt_tokens":900,"n_ctx":512}})");
  EXPECT_EQ(full.kind, Kind::kContextFull);
  EXPECT_EQ(error_info(full).message,
            "The prompt has 900 tokens, the model's context 512. Shorten it.");
  EXPECT_EQ(error_info(full).status, 400);
  EXPECT_EQ(engine_error(503, R"({"error":{"message":"Loading model"}})").kind, Kind::kBusy);
  EXPECT_EQ(engine_error(400, "CANARY").kind, Kind::kRejected);
  EXPECT_EQ(engine_error(404, "").kind, Kind::kFailed);
  EXPECT_EQ(engine_error(500, "{").kind, Kind::kFailed);
  for (const Kind kind : {Kind::kRejected, Kind::kContextFull, Kind::kBusy, Kind::kFailed,
                          Kind::kMalformed, Kind::kBound, Kind::kTruncated}) {
    EngineError error;
    error.kind = kind;
    EXPECT_FALSE(error_info(error).message.empty());
    EXPECT_FALSE(to_string(kind).empty());
  }
}

}  // namespace
}  // namespace candor::dialect
