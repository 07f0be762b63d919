// What holds for every request body, for the fuzzers.
#pragma once

#include <set>
#include <string>
#include <string_view>

#include "base/check.h"
#include "base/text.h"
#include "dialect/dialect.h"
#include "dialect/engine_codec.h"
#include "dialect/transcript.h"
#include "json/json.h"

namespace candor::dialect::testing {

inline void check_request(Api api, std::string_view body) {
  for (const bool strict : {false, true}) {
    ParseOptions options;
    options.strict_fields = strict;
    options.limits.max_choices = 4;
    options.limits.max_prompts = 4;
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
    const Exchange forwarded = forwarded_exchange(*parsed, 1, 100);
    const auto sent = json::parse(build_engine_request(forwarded, {}).body);
    CANDOR_CHECK(sent.has_value() && sent->is_object());
    static const std::set<std::string_view> kKnown = {"model",
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
                                                      "encoding_format"};
    for (const auto& member : sent->get_object()) {
      CANDOR_CHECK(kKnown.contains({member.key().data(), member.key().size()}));
    }
    std::set<std::string> paths;
    for (const TranscriptField& field : request_transcript(*parsed)) {
      CANDOR_CHECK(paths.insert(field.path).second && is_utf8(field.text.reveal()));
      if (field.path == "parameters") CANDOR_CHECK(json::parse_canonical(field.text.reveal()));
    }
  }
}

}  // namespace candor::dialect::testing
