// What holds for every answer that a client gets, whatever the engine did (S16, S19, B8, B9).
#pragma once

#include <algorithm>
#include <array>
#include <string>
#include <string_view>

#include <fmt/format.h>

#include "base/check.h"
#include "base/text.h"
#include "dialect/dialect.h"
#include "dialect/saved.h"
#include "dialect/transcript.h"
#include "gateway/testing/engine_script.h"
#include "json/json.h"

namespace candor::gateway {

struct AnswerForm {
  const dialect::Exchange& asked;
  std::string_view exchange;  // 32 hex digits; empty: not known
  std::string_view model;
};

// Each JSON document of an answer: a body, or the events of a stream.
template <typename Visit>
void for_each_document(std::string_view out, Visit visit) {
  while (!out.empty()) {
    std::string_view line = out.substr(0, out.find('\n'));
    out.remove_prefix(std::min(out.size(), line.size() + 1));
    if (line.starts_with("data: ")) line.remove_prefix(6);
    if (!line.starts_with('{')) {
      CANDOR_CHECK(line.empty() || line == "[DONE]" || line.starts_with("event: ") ||
                   line.starts_with(':'));
      continue;
    }
    const auto value = json::parse(line);
    CANDOR_CHECK(value && value->is_object());
    visit(value->get_object());
  }
}

// Names, models and reasons stand at many depths.
inline void check_members(const json::Value& value, std::string_view model) {
  static constexpr std::array<std::string_view, 14> kReasons = {
      "stop",      "length",      "tool_calls",    "content_filter", "error",
      "end_turn",  "max_tokens",  "stop_sequence", "tool_use",       "refusal",
      "completed", "in_progress", "incomplete",    "failed"};
  if (const auto* list = value.if_array()) {
    for (const json::Value& item : *list) check_members(item, model);
  }
  const auto* object = value.if_object();
  if (object == nullptr) return;
  for (const auto& member : *object) {
    const std::string_view key(member.key().data(), member.key().size());
    const auto* text = member.value().if_string();
    const std::string_view said = text != nullptr ? std::string_view(*text) : std::string_view();
    if (key == "model" && text != nullptr) CANDOR_CHECK(said == model);
    if (key == "finish_reason" || key == "stop_reason" || key == "done_reason" || key == "status") {
      CANDOR_CHECK(text == nullptr || std::ranges::find(kReasons, said) != kReasons.end());
    }
    if (key != "input" && key != "arguments") check_members(member.value(), model);  // the model's
  }
}

inline void check_names(const AnswerForm& form, std::string_view out) {
  CANDOR_CHECK(out.find(kEngineCanary) == std::string_view::npos);
  CANDOR_CHECK(is_utf8(out));
  for_each_document(out, [&](const json::Object& event) { check_members(event, form.model); });
}

// The failing input is a fuzzer's, so its texts may be shown.
inline void check_same(const dialect::Answer& was, const dialect::Answer& is,
                       std::string_view out) {
  const Transcript a = answer_transcript(was);
  const Transcript b = answer_transcript(is);
  const bool same =
      std::ranges::equal(a, b, [](const TranscriptField& x, const TranscriptField& y) {
        return x.path == y.path && x.text.reveal() == y.text.reveal();
      });
  if (same) return;
  for (const Transcript* transcript : {&a, &b}) {
    for (const TranscriptField& field : *transcript) {
      fmt::print(stderr, "{} = {}\n", field.path, field.text.reveal());
    }
    fmt::print(stderr, "--\n");
  }
  fmt::print(stderr, "{}\n", out);
  CANDOR_CHECK(same);
}

// An answer that ended well reads back as what was released.
inline dialect::SavedAnswer check_whole(const AnswerForm& form, std::string_view out,
                                        const dialect::Answer& answer) {
  auto saved = dialect::read_saved_response(out);
  CANDOR_CHECK(saved.has_value());
  CANDOR_CHECK(form.exchange.empty() || saved->exchange == form.exchange);
  CANDOR_CHECK(!saved->receipt.empty());
  check_same(answer, saved->answer, out);
  return *std::move(saved);
}

// One of the dialects' error shapes: {"error":{"message","type"}}, with "type":"error" in
// Anthropic's, {"error":"..."} in Ollama's, an event of its own in a stream of responses.
inline bool is_error(dialect::Api api, const json::Object& object) {
  const json::Value* error = json::find(object, "error");
  if (api == dialect::Api::kOllamaChat || api == dialect::Api::kOllamaGenerate ||
      api == dialect::Api::kOllamaEmbed) {
    return error != nullptr && error->is_string() && !error->get_string().empty();
  }
  if (api == dialect::Api::kOpenAiResponses && error == nullptr) {
    return json::get_string(object, "type").value_or("") == "error" &&
           json::get_string(object, "message").has_value();
  }
  if (error == nullptr || !error->is_object()) return false;
  const bool anthropic =
      api == dialect::Api::kAnthropicMessages || api == dialect::Api::kAnthropicCountTokens;
  return (!anthropic || json::get_string(object, "type").value_or("") == "error") &&
         json::get_string(error->get_object(), "message").has_value() &&
         json::get_string(error->get_object(), "type").has_value();
}

inline void check_error(const AnswerForm& form, std::string_view body, int status) {
  CANDOR_CHECK(status >= 400 && status <= 599);
  const auto value = json::parse(body);
  CANDOR_CHECK(value && value->is_object() && is_error(form.asked.api, value->get_object()));
}

// A stream that has begun ends with one error event, and never reads as a whole answer.
inline void check_broken_off(const AnswerForm& form, std::string_view out) {
  int errors = 0;
  bool last = false;
  for_each_document(out, [&](const json::Object& event) {
    last = is_error(form.asked.api, event);
    errors += last ? 1 : 0;
  });
  CANDOR_CHECK(last && errors == 1);
  const auto saved = dialect::read_saved_response(out);
  CANDOR_CHECK(!saved || !saved->complete);
}

}  // namespace candor::gateway
