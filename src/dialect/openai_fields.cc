// Fields that OpenAI's routes share.
#include "dialect/internal/openai_fields.h"

#include <fmt/format.h>

#include "dialect/internal/tool_fields.h"

namespace candor::dialect {

using Reader = RequestReader;
using json::Value;

bool read_model(Reader& r, const Value& v, Exchange& out) {
  return r.name_text(v, "model", r.limits().max_model_name, out.model);
}
bool read_max_tokens(Reader& r, const Value& v, std::string_view name, Exchange& out) {
  std::uint32_t number = 0;
  if (!r.integer(v, name, 1, r.limits().max_tokens, number)) return false;
  if (out.parameters.max_tokens && *out.parameters.max_tokens != number) {
    return r.refuse(name, "'max_tokens' and 'max_completion_tokens' differ. Send one of them.",
                    "conflicting_fields");
  }
  out.parameters.max_tokens = number;
  return true;
}
bool read_max_tokens_old(Reader& r, const Value& v, Exchange& out) {
  return read_max_tokens(r, v, "max_tokens", out);
}
bool read_max_tokens_new(Reader& r, const Value& v, Exchange& out) {
  return read_max_tokens(r, v, "max_completion_tokens", out);
}
bool read_temperature(Reader& r, const Value& v, Exchange& out) {
  return r.fraction(v, "temperature", 0, 2, out.parameters.temperature);
}
bool read_top_p(Reader& r, const Value& v, Exchange& out) {
  return r.fraction(v, "top_p", 0, 1, out.parameters.top_p);
}
bool read_top_k(Reader& r, const Value& v, Exchange& out) {
  return r.integer(v, "top_k", 0, 1U << 20U, out.parameters.top_k.emplace());
}
bool read_seed(Reader& r, const Value& v, Exchange& out) {
  return r.integer(v, "seed", 0, 4'294'967'294U, out.parameters.seed.emplace());
}
bool read_stop(Reader& r, const Value& v, Exchange& out) {
  return r.stops(v, "stop", out.parameters.stop);
}
bool read_presence(Reader& r, const Value& v, Exchange& out) {
  return r.fraction(v, "presence_penalty", -2, 2, out.parameters.presence_penalty);
}
bool read_frequency(Reader& r, const Value& v, Exchange& out) {
  return r.fraction(v, "frequency_penalty", -2, 2, out.parameters.frequency_penalty);
}
bool read_stream(Reader& r, const Value& v, Exchange& out) {
  return r.flag(v, "stream", out.stream);
}
bool read_stream_options(Reader& r, const Value& v, Exchange& out) {
  const json::Object* object = v.if_object();
  if (object == nullptr) return r.wrong_type("stream_options", "an object");
  for (const auto& member : *object) {
    const std::string_view key = view(member.key());
    if (member.value().is_null()) continue;
    if (key == "include_usage") {
      if (!r.flag(member.value(), "stream_options.include_usage", out.include_usage)) return false;
    } else if (!r.drop(out, fmt::format("stream_options.{}", key))) {
      return false;
    }
  }
  return true;
}
bool read_n(Reader& r, const Value& v, Exchange& out) {
  if (!r.integer(v, "n", 1, 128, out.parameters.n)) return false;
  if (out.parameters.n > r.limits().max_choices) {
    return r.refuse("n",
                    fmt::format("'n' may be at most {}. Send the request again for each further "
                                "answer.",
                                r.limits().max_choices),
                    "out_of_range");
  }
  return true;
}
bool read_top_logprobs(Reader& r, const Value& v, Exchange& out) {
  return r.integer(v, "top_logprobs", 0, 20, out.parameters.top_logprobs);
}
bool read_parallel(Reader& r, const Value& v, Exchange& out) {
  return r.flag(v, "parallel_tool_calls", out.parameters.parallel_calls.emplace());
}
bool read_effort_word(Reader& r, const Value& v, std::string_view name, Exchange& out) {
  const auto effort = v.is_string() ? effort_from_name(view(v.get_string())) : std::nullopt;
  if (!effort) {
    return r.refuse(name, fmt::format("'{}' must be none, minimal, low, medium or high.", name),
                    "out_of_range");
  }
  out.parameters.effort = effort;
  return true;
}
bool read_effort(Reader& r, const Value& v, Exchange& out) {
  return read_effort_word(r, v, "reasoning_effort", out);
}
bool read_choice_word(Reader& r, const Value& v, Exchange& out) {
  const std::string_view word = view(v.get_string());
  if (word == "auto") return true;
  if (word == "none") {
    out.tool_choice.mode = ToolChoice::Mode::kNone;
    return true;
  }
  if (word == "required") {
    out.tool_choice.mode = ToolChoice::Mode::kRequired;
    return true;
  }
  return r.refuse("tool_choice", "'tool_choice' must be none, auto, required or name a function.",
                  "unsupported_field");
}
bool read_plain_format(Reader& r, const json::Object& format, std::string_view name,
                       Exchange& out) {
  const auto type = text_of(format, "type");
  if (type == "json_object") {
    out.response_format.kind = ResponseFormat::Kind::kJsonObject;
  } else if (type != "text") {
    return r.refuse(name,
                    fmt::format("'{}' must have the type text, json_object or json_schema.", name),
                    "unsupported_field");
  }
  for (const auto& member : format) {
    const std::string_view key = view(member.key());
    if (key == "type" || member.value().is_null()) continue;
    if (!r.drop(out, fmt::format("{}.{}", name, key))) return false;
  }
  return true;
}
bool read_schema_format(Reader& r, const json::Object& format, std::string_view name,
                        Exchange& out) {
  bool strict = false;
  if (const Value* value = present(format, "strict")) {
    if (!r.flag(*value, fmt::format("{}.strict", name), strict)) return false;
  }
  out.response_format.kind = ResponseFormat::Kind::kJsonSchema;
  const Value* schema = present(format, "schema");
  const std::string place = fmt::format("{}.schema", name);
  if (schema == nullptr) return r.wrong_type(place, "an object");
  if (!read_schema(r, *schema, place, strict, out.response_format.schema, out)) return false;
  for (const auto& member : format) {
    const std::string_view key = view(member.key());
    if (key == "type" || key == "name" || key == "schema" || key == "strict" ||
        member.value().is_null()) {
      continue;
    }
    if (!r.drop(out, fmt::format("{}.{}", name, key))) return false;
  }
  return true;
}

}  // namespace candor::dialect
