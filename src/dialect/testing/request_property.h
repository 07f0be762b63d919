// What holds for every request body, for the fuzzers.
#pragma once

#include <algorithm>
#include <set>
#include <span>
#include <string>
#include <string_view>

#include "base/check.h"
#include "base/text.h"
#include "dialect/dialect.h"
#include "dialect/engine_codec.h"
#include "dialect/saved.h"
#include "dialect/testing/request_maker.h"
#include "dialect/transcript.h"
#include "json/json.h"

namespace candor::dialect::testing {

// Every name that a request to an engine may hold, with where it stands; but for id_slot, which is
// the monitor's own.
inline const std::set<std::string, std::less<>>& engine_names() {
  static const std::set<std::string, std::less<>> kKnown = {
      "model",
      "messages",
      "prompt",
      "max_tokens",
      "seed",
      "n",
      "temperature",
      "top_p",
      "top_k",
      "presence_penalty",
      "frequency_penalty",
      "stop",
      "logprobs",
      "top_logprobs",
      "stream",
      "stream_options",
      "stream_options.include_usage",
      "cache_prompt",
      "return_progress",
      "timings_per_token",
      "return_tokens",
      "min_p",
      "repeat_penalty",
      "tools",
      "tool_choice",
      "parallel_tool_calls",
      "response_format",
      "reasoning_effort",
      "reasoning_budget_tokens",
      "input",
      "encoding_format",
      "messages[].role",
      "messages[].content",
      "messages[].content[].type",
      "messages[].content[].text",
      "messages[].tool_calls",
      "messages[].tool_calls[].id",
      "messages[].tool_calls[].type",
      "messages[].tool_calls[].function",
      "messages[].tool_calls[].function.name",
      "messages[].tool_calls[].function.arguments",
      "messages[].tool_call_id",
      "messages[].name",
      "tools[].type",
      "tools[].function",
      "tools[].function.name",
      "tools[].function.description",
      "tools[].function.parameters",
      "response_format.type",
      "response_format.json_schema",
      "response_format.json_schema.name",
      "response_format.json_schema.schema",
      "response_format.json_schema.strict",
      "response_format.schema"};
  return kKnown;
}

inline void check_engine_names(const json::Value& value, std::string_view place) {
  if (place.ends_with("parameters") || place.ends_with("schema.schema")) return;  // schema_fuzz
  if (const auto* list = value.if_array()) {
    for (const json::Value& item : *list) check_engine_names(item, std::string(place) + "[]");
  } else if (const auto* object = value.if_object()) {
    for (const auto& member : *object) {
      std::string name(place);
      if (!name.empty()) name += '.';
      name.append(member.key().data(), member.key().size());
      CANDOR_CHECK(engine_names().contains(name));
      check_engine_names(member.value(), name);
    }
  }
}

inline void check_bounds(const Exchange& exchange, const RequestLimits& limits) {
  std::size_t texts = 0;
  CANDOR_CHECK(exchange.messages.size() <= limits.max_messages + 1);
  for (const Message& message : exchange.messages) {
    CANDOR_CHECK(message.parts.size() <= limits.max_parts && message.tool_calls.size() <= 64);
    for (const Part& part : message.parts) texts += part.text.reveal().size();
    for (const ToolCall& call : message.tool_calls) texts += call.arguments.reveal().size();
    if (message.answers) CANDOR_CHECK(message.answers->message < exchange.messages.size());
  }
  for (const Text& prompt : exchange.prompts) texts += prompt.reveal().size();
  for (const Text& input : exchange.inputs) texts += input.reveal().size();
  CANDOR_CHECK(texts <= limits.max_text_bytes);
  CANDOR_CHECK(exchange.prompts.size() <= limits.max_prompts);
  CANDOR_CHECK(exchange.inputs.size() <= limits.max_inputs && exchange.tools.size() <= 128);
  CANDOR_CHECK(exchange.model.size() <= limits.max_model_name && !exchange.model.empty());
  const Parameters& p = exchange.parameters;
  CANDOR_CHECK(p.n >= 1 && p.n <= limits.max_choices && p.top_logprobs <= 20);
  CANDOR_CHECK(p.stop.size() <= limits.max_stops);
  for (const std::string& stop : p.stop) CANDOR_CHECK(stop.size() <= limits.max_stop_bytes);
  CANDOR_CHECK(!p.max_tokens || (*p.max_tokens >= 1 && *p.max_tokens <= limits.max_tokens));
}

inline ParseOptions fuzz_options(bool strict) {
  ParseOptions options;
  options.strict_fields = strict;
  options.limits.max_choices = 4;
  options.limits.max_prompts = 4;
  return options;
}

inline void check_request(Api api, std::string_view body) {
  for (const bool strict : {false, true}) {
    const ParseOptions options = fuzz_options(strict);
    const auto parsed = dialect_of(api).parse_request(api, body, options);
    if (!parsed) {
      CANDOR_CHECK(parsed.error().status == 400 && !parsed.error().message.empty());
      CANDOR_CHECK(parsed.error().param.size() <= 64 && is_utf8(parsed.error().message));
      std::string out;
      dialect_of(api).render_error(parsed.error(), out);
      CANDOR_CHECK(json::parse(out).has_value());
      continue;
    }
    CANDOR_CHECK(!strict || parsed->dropped_count == 0);
    CANDOR_CHECK(parsed->dropped_fields.size() <= kMaxDroppedNames);
    for (const char c : dropped_fields_header(*parsed)) CANDOR_CHECK(c >= 0x20 && c < 0x7F);
    check_bounds(*parsed, options.limits);
    const Exchange forwarded = forwarded_exchange(*parsed, 1, 100);
    const auto sent = json::parse(build_engine_request(forwarded, {}).body);
    CANDOR_CHECK(sent.has_value() && sent->is_object());
    check_engine_names(*sent, "");
    std::set<std::string> paths;
    for (const TranscriptField& field : request_transcript(*parsed)) {
      CANDOR_CHECK(paths.insert(field.path).second && is_utf8(field.text.reveal()));
      if (field.path == "parameters") CANDOR_CHECK(json::parse_canonical(field.text.reveal()));
    }
  }
}

inline bool same(const Transcript& a, const Transcript& b) {
  return std::ranges::equal(a, b, [](const TranscriptField& x, const TranscriptField& y) {
    return x.path == y.path && x.text.reveal() == y.text.reveal();
  });
}

// Property of the structure fuzzers. A lawful request is taken, in any spelling; no field that has
// no effect reaches the engine. What is broken on purpose is refused, or keeps what
// check_request() says; and whether it is taken does not depend on how it is spelled.
inline void check_structure(std::span<const Api> apis, const std::uint8_t* bytes,
                            std::size_t size) {
  FuzzedDataProvider data(bytes, size);
  RequestMaker maker(data);
  const Api api = apis[data.ConsumeIntegralInRange<std::size_t>(0, apis.size() - 1)];
  json::Object body = maker.lawful(api);
  const auto choice = data.ConsumeIntegralInRange<unsigned>(0, 3);
  const bool broken = choice >= 2;
  if (broken) maker.break_structure(body);
  std::string text = json::to_text(body);
  if (choice == 3) {
    maker.break_text(text);
    return check_request(api, text);
  }
  check_request(api, text);

  const ParseOptions options = fuzz_options(/*strict=*/false);
  const Dialect& dialect = dialect_of(api);
  const auto parsed = dialect.parse_request(api, text, options);
  const std::string other = maker.spelled(body);
  const auto again = dialect.parse_request(api, other, options);
  CANDOR_CHECK(parsed.has_value() == again.has_value());
  CANDOR_CHECK(broken || parsed.has_value());
  if (!parsed) return;
  const Transcript transcript = request_transcript(*parsed);
  CANDOR_CHECK(same(transcript, request_transcript(*again)));
  const auto saved = read_saved_request(other, api);
  CANDOR_CHECK(saved && same(transcript, request_transcript(*saved)));
  if (broken) return;
  const std::string sent = build_engine_request(forwarded_exchange(*parsed, 1, 100), {}).body;
  CANDOR_CHECK(sent.find(kCanary) == std::string::npos);
  CANDOR_CHECK(dropped_fields_header(*parsed).find(kCanary) == std::string::npos);
}

}  // namespace candor::dialect::testing
