// Anthropic: POST /v1/messages. After Anthropic's API reference (messages, errors, models).
#include <array>

#include <fmt/format.h>

#include "base/clock.h"
#include "dialect/internal/anthropic_writer.h"
#include "dialect/internal/dialects.h"
#include "dialect/internal/json_parts.h"
#include "dialect/internal/request_reader.h"

namespace candor::dialect {
namespace {

using enum FieldAction;
using Reader = RequestReader;
using json::Value;

constexpr std::string_view kNoTools =
    "calling tools is not supported by this version of Candor; send the request without it";
constexpr std::string_view kTextOnly =
    "only text blocks are supported by this version of Candor; images, documents, tool calls and "
    "their results are refused";

constexpr FieldSpec kMessageFields[] = {
    {{"messages[].role", kHonour, "user or assistant"}},
    {{"messages[].content", kHonour, "a string, or a list of text blocks"}},
    {{"messages[].content[].type", kHonour,
      "text; thinking and redacted_thinking are dropped, all else is refused"}},
    {{"messages[].content[].text", kHonour, "a string"}},
    {{"messages[].content[].cache_control", kDrop, "caching is the server's, within one caller"}},
    {{"messages[].content[].citations", kDrop, "of an earlier answer"}},
};

bool read_block(Reader& reader, const Value& value, std::string_view place, Message& message,
                Exchange& out) {
  const json::Object* block = value.if_object();
  if (block == nullptr) return reader.wrong_type(place, "a list of objects");
  const auto type = text_of(*block, "type");
  if (!type) return reader.refuse(place, "Each block needs a 'type'.", "missing_field");
  if (*type == "thinking" || *type == "redacted_thinking") {
    return reader.drop(out, fmt::format("{}[].thinking", place));
  }
  if (*type != "text") {
    return reader.refuse(place, fmt::format("'{}': {}.", place, kTextOnly), "unsupported_content");
  }
  const Value* text = present(*block, "text");
  if (text == nullptr) {
    return reader.refuse(place, "A text block needs its 'text'.", "missing_field");
  }
  message.parts.emplace_back();
  if (!reader.text(*text, place, message.parts.back().text)) return false;
  for (const auto& member : *block) {
    const std::string_view key = view(member.key());
    if (key == "type" || key == "text" || member.value().is_null()) continue;
    if (!reader.drop(out, fmt::format("{}[].{}", place, key))) return false;
  }
  return true;
}

bool read_content(Reader& reader, const Value& value, std::string_view place, Message& message,
                  Exchange& out) {
  if (value.is_string()) {
    message.parts.emplace_back();
    return reader.text(value, place, message.parts.back().text);
  }
  if (!value.is_array()) return reader.wrong_type(place, "a string or a list of text blocks");
  if (value.get_array().size() > reader.limits().max_parts) {
    return reader.refuse(
        place, fmt::format("'{}' may hold at most {} blocks.", place, reader.limits().max_parts),
        "out_of_range");
  }
  for (const Value& block : value.get_array()) {
    if (!read_block(reader, block, place, message, out)) return false;
  }
  return true;
}

bool read_message(Reader& reader, const Value& value, Exchange& out) {
  const json::Object* object = value.if_object();
  if (object == nullptr) return reader.wrong_type("messages[]", "an object");
  Message message;
  const auto role = text_of(*object, "role");
  if (role == "user") {
    message.role = Role::kUser;
  } else if (role == "assistant") {
    message.role = Role::kAssistant;
  } else {
    return reader.refuse("messages[].role",
                         "'messages[].role' must be user or assistant; instructions belong into "
                         "'system'.",
                         "invalid_role");
  }
  const Value* content = present(*object, "content");
  if (content == nullptr) {
    return reader.refuse("messages[].content", "Each message needs 'content'.", "missing_field");
  }
  if (!read_content(reader, *content, "messages[].content", message, out)) return false;
  for (const auto& member : *object) {
    const std::string_view key = view(member.key());
    if (key == "role" || key == "content" || member.value().is_null()) continue;
    if (!reader.drop(out, fmt::format("messages[].{}", key))) return false;
  }
  out.messages.push_back(std::move(message));
  return true;
}

bool read_messages(Reader& reader, const Value& value, Exchange& out) {
  if (!value.is_array()) return reader.wrong_type("messages", "a list");
  const json::Array& list = value.get_array();
  if (list.size() > reader.limits().max_messages) {
    return reader.refuse(
        "messages",
        fmt::format("'messages' may hold at most {} messages.", reader.limits().max_messages),
        "out_of_range");
  }
  out.messages.reserve(out.messages.size() + list.size());
  for (const Value& item : list) {
    if (!read_message(reader, item, out)) return false;
  }
  return true;
}

// Stands first whatever the order of the body's keys.
bool read_system(Reader& reader, const Value& value, Exchange& out) {
  Message message;
  message.role = Role::kSystem;
  if (!read_content(reader, value, "system", message, out)) return false;
  if (message.parts.empty()) return true;
  out.messages.insert(out.messages.begin(), std::move(message));
  return true;
}

bool read_model(Reader& r, const Value& v, Exchange& out) {
  return r.name_text(v, "model", r.limits().max_model_name, out.model);
}
bool read_max_tokens(Reader& r, const Value& v, Exchange& out) {
  return r.integer(v, "max_tokens", 1, r.limits().max_tokens, out.parameters.max_tokens.emplace());
}
bool read_temperature(Reader& r, const Value& v, Exchange& out) {
  return r.fraction(v, "temperature", 0, 1, out.parameters.temperature);
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
bool read_stops(Reader& r, const Value& v, Exchange& out) {
  if (!v.is_array()) return r.wrong_type("stop_sequences", "a list of strings");
  return r.stops(v, "stop_sequences", out.parameters.stop);
}
bool read_stream(Reader& r, const Value& v, Exchange& out) {
  return r.flag(v, "stream", out.stream);
}
bool accept_disabled_thinking(Reader& r, const Value& v, Exchange&) {
  const json::Object* object = v.if_object();
  if (object != nullptr && text_of(*object, "type") == "disabled") return true;
  return r.refuse(
      "thinking",
      "'thinking': only {\"type\":\"disabled\"} is supported by this version of Candor; "
      "whether a model reasons is decided by its template.",
      "unsupported_field");
}
bool accept_tool_choice(Reader& r, const Value& v, Exchange&) {
  const json::Object* object = v.if_object();
  if (object != nullptr) {
    const auto type = text_of(*object, "type");
    if (type == "auto" || type == "none") return true;
  }
  return r.refuse("tool_choice", fmt::format("'tool_choice': {}.", kNoTools), "unsupported_field");
}

constexpr FieldSpec kFields[] = {
    {{"model", kHonour, "1 to 256 bytes; required"}, read_model},
    {{"messages", kHonour, "1 to 4096; required"}, read_messages},
    {{"system", kHonour, "a string or text blocks; becomes the first message"}, read_system},
    {{"max_tokens", kHonour, "1 to 1048576, and at most the server's cap; required"},
     read_max_tokens},
    {{"temperature", kHonour, "0 to 1"}, read_temperature},
    {{"top_p", kHonour, "0 to 1"}, read_top_p},
    {{"top_k", kHonour, "0 to 1048576"}, read_top_k},
    {{"seed", kHonour, "0 to 4294967294; an extension; chosen and recorded if absent"}, read_seed},
    {{"stop_sequences", kHonour, "up to 16 texts, each 1 to 256 bytes"}, read_stops},
    {{"stream", kHonour, "true or false"}, read_stream},
    {{"thinking", kAccept, "{\"type\":\"disabled\"} only"}, accept_disabled_thinking},
    {{"tool_choice", kAccept, "{\"type\":\"auto\"} or {\"type\":\"none\"}"}, accept_tool_choice},
    {{"tools", kRefuse, kNoTools}},
    {{"mcp_servers", kRefuse, "this server never connects to others"}},
    {{"container", kRefuse, "running code is not supported by this version of Candor"}},
    {{"output_format", kRefuse, "forced formats are not supported by this version of Candor"}},
    {{"metadata", kDrop, "who asks is what the server established itself"}},
    {{"service_tier", kDrop, ""}},
    {{"context_management", kDrop, ""}},
    {{"cache_control", kDrop, "caching is the server's, within one caller"}},
    {{"inference_geo", kDrop, "it runs where the server runs"}},
};

constexpr auto all_rules() {
  std::array<FieldRule, std::size(kFields) + std::size(kMessageFields)> rules{};
  std::size_t i = 0;
  for (const FieldSpec& spec : kFields) rules[i++] = spec.rule;
  for (const FieldSpec& spec : kMessageFields) rules[i++] = spec.rule;
  return rules;
}
constexpr auto kRules = all_rules();

constexpr Route kRoutes[] = {{"POST", "/v1/messages", Api::kAnthropicMessages}};

std::string_view error_type(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::kInvalidRequest:
    case ErrorKind::kMethod:
    case ErrorKind::kMediaType:
    case ErrorKind::kMisdirected: return "invalid_request_error";
    case ErrorKind::kAuthentication: return "authentication_error";
    case ErrorKind::kPermission: return "permission_error";
    case ErrorKind::kNotFound: return "not_found_error";
    case ErrorKind::kTooLarge: return "request_too_large";
    case ErrorKind::kRateLimit: return "rate_limit_error";
    case ErrorKind::kInternal: return "api_error";
    case ErrorKind::kUnavailable: return "overloaded_error";
    case ErrorKind::kTimeout: return "timeout_error";
  }
  return "api_error";
}

void append_model(std::string& out, const ModelInfo& model) {
  out += R"({"type":"model","id":)";
  json::append_string(out, model.name);
  out += R"(,"display_name":)";
  json::append_string(out, model.name);
  out += R"(,"created_at":)";
  json::append_string(out, format_utc(model.created_s * 1'000'000));
  if (!model.digest.empty()) {
    out += R"(,"candor":{"weights_sha256":)";
    json::append_string(out, model.digest);
    out += '}';
  }
  out += '}';
}

class Anthropic final : public Dialect {
 public:
  [[nodiscard]] std::string_view name() const noexcept override { return "anthropic"; }
  [[nodiscard]] std::span<const Route> routes() const noexcept override { return kRoutes; }
  [[nodiscard]] std::span<const FieldRule> fields(Api) const noexcept override { return kRules; }

  [[nodiscard]] std::expected<Exchange, ErrorInfo> parse_request(
      Api api, std::string_view body, const ParseOptions& options) const override {
    RequestReader reader(options);
    Exchange out;
    out.api = api;
    if (!read_fields(reader, body, kFields, out) || !check(reader, out)) {
      return std::unexpected(reader.take_error());
    }
    return out;
  }

  [[nodiscard]] std::unique_ptr<AnswerWriter> make_writer(WriterOptions options) const override {
    return make_anthropic_writer(std::move(options));
  }
  void render_error(const ErrorInfo& error, std::string& out) const override {
    append_anthropic_error(error, out);
  }
  void render_models(std::span<const ModelInfo> models, std::string& out) const override {
    out += R"({"data":[)";
    for (std::size_t i = 0; i < models.size(); ++i) {
      if (i > 0) out += ',';
      append_model(out, models[i]);
    }
    out += R"(],"has_more":false,"first_id":)";
    const auto id = [&](bool first) {
      if (models.empty()) {
        out += "null";
      } else {
        json::append_string(out, first ? models.front().name : models.back().name);
      }
    };
    id(true);
    out += R"(,"last_id":)";
    id(false);
    out += '}';
  }
  void render_model(const ModelInfo& model, std::string& out) const override {
    append_model(out, model);
  }

 private:
  static bool check(RequestReader& reader, const Exchange& out) {
    if (out.model.empty()) {
      return reader.refuse("model", "'model' is missing: name one that GET /v1/models lists.",
                           "missing_field");
    }
    if (!out.parameters.max_tokens) {
      return reader.refuse("max_tokens", "'max_tokens' is missing.", "missing_field");
    }
    if (!out.messages.empty() && out.messages.back().role == Role::kSystem) {
      return reader.refuse("messages", "'messages' must hold at least one message.",
                           "missing_field");
    }
    return check_conversation(reader, out);
  }
};

}  // namespace

void append_anthropic_error(const ErrorInfo& error, std::string& out) {
  out += R"({"type":"error","error":{"type":")";
  out += error_type(error.kind);
  out += R"(","message":)";
  json::append_string(out, error.message);
  out += '}';
  if (!error.exchange.empty()) {
    out += R"(,"request_id":)";
    json::append_string(out, "req_" + error.exchange);
    append_candor(out, error.exchange, {});
  }
  out += '}';
}

const Dialect& anthropic_dialect() noexcept {
  static const Anthropic kDialect;
  return kDialect;
}

}  // namespace candor::dialect
