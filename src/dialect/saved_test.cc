#include "dialect/saved.h"

#include <random>

#include <gmock/gmock.h>

#include "base/testing/result_matchers.h"
#include "dialect/testing/samples.h"

namespace candor::dialect {
namespace {

using testing::cut;
using testing::kTexts;
using testing::plain;

using testing::kTextApis;
using testing::quoted;
constexpr std::string_view kExchange = "00112233445566778899aabbccddeeff";
constexpr std::string_view kReceipt = "c2sp.org/tlog-proof@v1\nextra AA==\nindex 3\n";

struct Written {
  std::string bytes;
  std::vector<std::pair<std::string, std::string>> transcript;
};

Written write(Api api, bool stream, std::string_view text, FinishReason finish,
              std::mt19937& random) {
  WriterOptions options;
  options.api = api;
  options.exchange = kExchange;
  options.model = "m";
  options.stream = stream;
  options.include_usage = random() % 2 == 0;
  AnswerBuilder builder;
  const auto writer = dialect_of(api).make_writer(options);
  Written out;
  const auto give = [&](AnswerEvent event) {
    builder.add(event);
    writer->write(event, out.bytes);
    if (random() % 5 == 0) writer->ping(out.bytes);
  };
  give(AnswerStart{});
  if (api != Api::kOpenAiCompletions) {
    for (std::string& piece : cut(text, random)) give(ReasoningDelta{0, Text(std::move(piece))});
  }
  for (std::string& piece : cut(text, random)) give(TextDelta{0, Text(std::move(piece)), {}});
  if (api == Api::kOpenAiChat || api == Api::kOpenAiResponses) {
    for (std::string& piece : cut(text, random)) give(RefusalDelta{0, Text(std::move(piece))});
  }
  if (finish == FinishReason::kToolCalls) {
    for (std::uint32_t k = 0; k < 2; ++k) {
      const std::string arguments = R"({"b": 1.0, "a":)" + quoted(text) + "}";
      if (api == Api::kOllamaChat) {
        give(ToolCallDelta{0, k, Text("f"), Text(arguments)});
        continue;
      }
      give(ToolCallDelta{0, k, Text("f"), {}});
      for (std::string& piece : cut(arguments, random)) {
        give(ToolCallDelta{0, k, {}, Text(std::move(piece))});
      }
    }
  }
  give(Finish{0, finish, std::nullopt});
  give(UsageReport{{1, 2, 0}});
  writer->finish({kExchange, kReceipt}, out.bytes);
  out.transcript = plain(answer_transcript(builder.answer()));
  return out;
}

TEST(SavedTest, S1_WhatEachWriterWroteReadsBackToTheSameTranscriptInSixWritingSystems) {
  std::mt19937 random(7);
  for (const Api api : kTextApis) {
    for (const bool stream : {false, true}) {
      for (const std::string_view text : kTexts) {
        for (const FinishReason finish :
             {FinishReason::kStop, FinishReason::kLength, FinishReason::kToolCalls,
              FinishReason::kContentFilter, FinishReason::kError}) {
          const bool calls = api != Api::kOpenAiCompletions && api != Api::kOllamaGenerate;
          if (finish == FinishReason::kToolCalls && !calls) continue;
          const Written written = write(api, stream, text, finish, random);
          const auto saved = read_saved_response(written.bytes);
          ASSERT_OK(saved);
          EXPECT_EQ(plain(answer_transcript(saved->answer)), written.transcript) << written.bytes;
          EXPECT_EQ(saved->api, api);
          EXPECT_EQ(saved->exchange, kExchange);
          EXPECT_EQ(saved->receipt, kReceipt);
          EXPECT_TRUE(saved->complete);
        }
      }
    }
  }
}

// As a client library writes it: other white space, key order, escapes, fields of its own.
std::string ascii_json(const json::Value& value) {
  if (const auto* object = value.if_object()) {
    std::vector<std::string> members;
    for (const auto& member : *object) {
      members.push_back(ascii_json(json::Value(member.key())) + " : " + ascii_json(member.value()));
    }
    std::ranges::reverse(members);
    std::string out = "{\n \"_request_id\": null";
    for (const std::string& member : members) out += " ,\n  " + member;
    return out + "\n}";
  }
  if (const auto* array = value.if_array()) {
    std::string out = "[ ";
    for (std::size_t i = 0; i < array->size(); ++i)
      out += (i > 0 ? ", " : "") + ascii_json((*array)[i]);
    return out + " ]";
  }
  const auto* text = value.if_string();
  if (text == nullptr) return json::to_text(value);
  std::string out = "\"";
  constexpr std::string_view kHex = "0123456789ABCDEF";
  const auto unit = [&](unsigned u) {
    out += "\\u";
    for (const unsigned shift : {12U, 8U, 4U, 0U}) out += kHex[(u >> shift) & 15U];
  };
  for (std::size_t i = 0; i < text->size();) {
    const std::size_t length = utf8_sequence(
        std::string_view(text->data() + i, std::min<std::size_t>(4, text->size() - i)));
    unsigned point = static_cast<unsigned char>((*text)[i]);
    if (length > 1) point &= 0x7FU >> length;
    for (std::size_t k = 1; k < length; ++k) {
      point = (point << 6U) | (static_cast<unsigned char>((*text)[i + k]) & 0x3FU);
    }
    if (point >= 0x10000) {
      unit(0xD800 + ((point - 0x10000) >> 10U));
      unit(0xDC00 + ((point - 0x10000) & 0x3FFU));
    } else {
      unit(point);
    }
    i += length;
  }
  return out + "\"";
}

TEST(SavedTest, S1_AFileThatAClientLibraryWroteAgainReadsTheSame) {
  std::mt19937 random(8);
  for (const Api api : kTextApis) {
    for (const std::string_view text : kTexts) {
      const Written body = write(api, false, text, FinishReason::kStop, random);
      const auto again = read_saved_response(ascii_json(*json::parse(body.bytes)));
      ASSERT_OK(again);
      EXPECT_EQ(plain(answer_transcript(again->answer)), body.transcript);
      EXPECT_EQ(again->receipt, kReceipt);

      // A stream's events as a list, and one a line.
      const Written stream = write(api, true, text, FinishReason::kStop, random);
      std::string list = "[";
      std::string lines;
      for (const std::string& data : testing::events_of(stream.bytes)) {
        const std::string event = ascii_json(*json::parse(data));
        list += (list.size() > 1 ? "," : "") + event;
        lines += data + "\n";
      }
      for (const std::string& file : {list + "]", lines}) {
        const auto read = read_saved_response(file);
        ASSERT_OK(read);
        EXPECT_EQ(plain(answer_transcript(read->answer)), stream.transcript);
        EXPECT_EQ(read->receipt, kReceipt);
      }
    }
  }
}

TEST(SavedTest, SseReadsWithAnyLineEndAndWithoutTheLastBlankLine) {
  std::mt19937 random(9);
  const Written written =
      write(Api::kAnthropicMessages, true, kTexts[0], FinishReason::kStop, random);
  for (const std::string_view end : {"\r\n", "\r", "\n"}) {
    std::string file = "\xEF\xBB\xBF";
    for (const char c : written.bytes) {
      if (c == '\n') {
        file += end;
      } else {
        file += c;
      }
    }
    while (file.ends_with('\n') || file.ends_with('\r')) file.pop_back();
    const auto saved = read_saved_response(file);
    ASSERT_OK(saved);
    EXPECT_EQ(plain(answer_transcript(saved->answer)), written.transcript);
    EXPECT_EQ(saved->receipt, kReceipt);
  }
}

TEST(SavedTest, S1_EveryChangedByteOfTheTextChangesTheTranscript) {
  std::mt19937 random(10);
  for (const Api api : kTextApis) {
    const Written written = write(api, true, "Paris", FinishReason::kStop, random);
    int changed = 0;
    for (std::size_t i = 0; i < written.bytes.size(); ++i) {
      std::string bytes = written.bytes;
      bytes[i] ^= 0x01;
      const auto saved = read_saved_response(bytes);
      if (!saved) {
        // A place that an API repeats: no answer at all is read.
        changed += saved.error().message().contains("differs") ? 1 : 0;
        continue;
      }
      changed += plain(answer_transcript(saved->answer)) != written.transcript ? 1 : 0;
    }
    EXPECT_GE(changed, 5) << to_string(api);
  }
}

TEST(SavedTest, AnUnfinishedStreamIsIncomplete) {
  const auto saved = read_saved_response(
      "data: "
      "{\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Pa\"},\"finish_reason\":null}]}\n\n"
      "data: "
      "{\"error\":{\"message\":\"x\"},\"candor\":{\"exchange\":"
      "\"00112233445566778899aabbccddeeff\"}}\n\n");
  ASSERT_OK(saved);
  EXPECT_FALSE(saved->complete);
  EXPECT_EQ(saved->exchange, kExchange);
  EXPECT_EQ(saved->answer.choices[0].content.reveal(), "Pa");
}

TEST(SavedTest, WhatIsNoResponseIsToldWithoutItsText) {
  for (const std::string_view file :
       {"", "  \n", "SECRET", "{", "[1]", "{}", "{\"SECRET\":1}", "data: SECRET\n\n", "data: 1\n\n",
        "{\"choices\":[{\"index\":999999}]}", "{\"type\":\"message\"}", "[]",
        "{\"choices\":[],\"choices\":[]}"}) {
    const auto saved = read_saved_response(file);
    EXPECT_THAT(saved, HasCode(Code::kInvalidArgument)) << file;
    if (!saved) EXPECT_EQ(saved.error().message().find("SECRET"), std::string::npos);
  }
}

TEST(SavedRequestTest, TheShapeTellsTheDialectAndTheCallerMayNameIt) {
  const auto api = [](std::string_view body) {
    const auto read = read_saved_request(body);
    EXPECT_TRUE(read) << body;
    return read ? read->api : Api::kOpenAiChat;
  };
  EXPECT_EQ(api(R"({"model":"m","prompt":"x"})"), Api::kOpenAiCompletions);
  EXPECT_EQ(api(R"({"model":"m","messages":[{"role":"user","content":"x"}]})"), Api::kOpenAiChat);
  EXPECT_EQ(api(R"({"model":"m","max_tokens":1,"system":"s","messages":[
                 {"role":"user","content":"x"}]})"),
            Api::kAnthropicMessages);
  const std::string_view both =
      R"({"model":"m","max_tokens":3,"temperature":0.5,"messages":[{"role":"user","content":"x"}]})";
  const auto openai = read_saved_request(both, Api::kOpenAiChat);
  const auto anthropic = read_saved_request(both, Api::kAnthropicMessages);
  ASSERT_OK(openai);
  ASSERT_OK(anthropic);
  EXPECT_EQ(plain(request_transcript(*openai)), plain(request_transcript(*anthropic)));
  EXPECT_THAT(read_saved_request("no json"), HasCode(Code::kInvalidArgument));
}

}  // namespace
}  // namespace candor::dialect
