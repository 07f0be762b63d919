// Texts and shapes that several tests of this module use.
#pragma once

#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "base/text.h"
#include "dialect/dialect.h"
#include "dialect/engine_codec.h"
#include "dialect/transcript.h"
#include "json/json.h"

namespace candor::dialect::testing {

// Latin, Cyrillic, Arabic, Devanagari, Chinese, Japanese; with marks, joiners, emoji and all that a
// JSON string must escape.
inline constexpr std::string_view kTexts[] = {
    "Größe \"quoted\" \\ back\tslash\r\nline \x01 \x7F é e\xCC\x81 \xF0\x9F\x98\x80",
    "Столица Франции — Париж. \xF0\x9F\x87\xAB\xF0\x9F\x87\xB7",
    "عاصمة فرنسا هي باريس. \xE2\x80\x8F \xF0\x9F\x95\x8C",
    "फ़्रांस की राजधानी पेरिस है। \xE2\x80\x8D \xF0\x9F\x99\x8F\xF0\x9F\x8F\xBD",
    "法國的首都是巴黎。\xF0\xA0\xAE\xB7 \xE2\x80\xA8",
    "フランスの首都はパリです。\xF0\x9F\x91\xA8\xE2\x80\x8D\xF0\x9F\x91\xA9\xE2\x80\x8D\xF0\x9F\x91"
    "\xA7",
    "",
};

inline std::vector<std::pair<std::string, std::string>> plain(const Transcript& transcript) {
  std::vector<std::pair<std::string, std::string>> out;
  for (const TranscriptField& field : transcript) out.emplace_back(field.path, field.text.reveal());
  return out;
}

inline std::string quoted(std::string_view text) {
  std::string out;
  json::append_string(out, text);
  return out;
}

// Every API whose answer is text.
inline constexpr Api kTextApis[] = {Api::kOpenAiChat,      Api::kOpenAiCompletions,
                                    Api::kOpenAiResponses, Api::kAnthropicMessages,
                                    Api::kOllamaChat,      Api::kOllamaGenerate};

// The smallest request of each API, with more members.
inline std::string minimal(Api api, std::string_view extra = "") {
  std::string body = R"({"model":"m")";
  switch (api) {
    case Api::kOpenAiChat:
    case Api::kAnthropicMessages:
    case Api::kAnthropicCountTokens:
      body += R"(,"max_tokens":5,"messages":[{"role":"user","content":"hi"}])";
      break;
    case Api::kOpenAiCompletions: body += R"(,"max_tokens":5,"prompt":"hi")"; break;
    case Api::kOllamaGenerate: body += R"(,"prompt":"hi")"; break;
    case Api::kOllamaChat: body += R"(,"messages":[{"role":"user","content":"hi"}])"; break;
    case Api::kOpenAiResponses:
    case Api::kOpenAiEmbeddings:
    case Api::kOllamaEmbed: body += R"(,"input":"hi")"; break;
  }
  return body + std::string(extra) + "}";
}

// The JSON of a stream's events, without the terminator: SSE or lines.
inline std::vector<std::string> events_of(std::string_view bytes) {
  std::vector<std::string> out;
  while (!bytes.empty()) {
    std::string_view line = bytes.substr(0, bytes.find('\n'));
    bytes.remove_prefix(std::min(bytes.size(), line.size() + 1));
    if (line.starts_with("data: ")) line.remove_prefix(6);
    if (line.starts_with('{')) out.emplace_back(line);
  }
  return out;
}

// Cuts between code points.
inline std::vector<std::string> cut(std::string_view text, std::mt19937& random) {
  std::vector<std::string> out(1);
  while (!text.empty()) {
    const std::size_t length = utf8_sequence(text.substr(0, 4));
    out.back() += text.substr(0, length);
    text.remove_prefix(length);
    if (random() % 3 == 0) out.emplace_back();
  }
  return out;
}

// The source folder of this module, for documents that tests compare with.
inline std::filesystem::path module_folder() { return CANDOR_DIALECT_FOLDER; }
inline std::string file_text(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  EXPECT_TRUE(in.good()) << path;
  return {std::istreambuf_iterator<char>(in), {}};
}

inline Exchange chat_request(std::string_view extra = "") {
  const std::string body =
      R"({"model":"m","messages":[{"role":"user","content":"hi"}])" + std::string(extra) + "}";
  auto parsed = dialect_of(Api::kOpenAiChat).parse_request(Api::kOpenAiChat, body, {});
  EXPECT_TRUE(parsed) << parsed.error().message;
  return parsed ? *std::move(parsed) : Exchange{};
}

// What an EngineReader makes of a stream's payloads.
struct Read {
  Answer answer;
  std::optional<EngineError> error;
  int starts = 0;
};

inline Read read_events(const Exchange& exchange, const std::vector<std::string>& payloads,
                        EngineLimits limits = {}) {
  EngineReader reader(exchange, limits);
  std::vector<AnswerEvent> events;
  Read out;
  const auto note = [&](const std::expected<void, EngineError>& result) {
    if (!result && !out.error) out.error = result.error();
    return result.has_value();
  };
  for (const std::string& payload : payloads) {
    if (!note(reader.event(payload, events))) break;
  }
  if (!out.error) note(reader.end(events));
  AnswerBuilder builder(exchange.choice_count());
  for (const AnswerEvent& event : events) {
    out.starts += std::holds_alternative<AnswerStart>(event) ? 1 : 0;
    if (const auto* delta = std::get_if<TextDelta>(&event)) {
      EXPECT_TRUE(is_utf8(delta->text.reveal()));
    }
    builder.add(event);
  }
  out.answer = std::move(builder).take();
  return out;
}

}  // namespace candor::dialect::testing
