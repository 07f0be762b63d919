// Anthropic: POST /v1/messages. After Anthropic's API reference (messages, errors, models).
#include <array>

#include <fmt/format.h>

#include "base/clock.h"
#include "dialect/internal/anthropic_writer.h"
#include "dialect/internal/dialects.h"
#include "dialect/internal/json_parts.h"
#include "dialect/internal/tool_fields.h"

namespace candor::dialect {
namespace {

using enum FieldAction;
using Reader = RequestReader;
using json::Value;

constexpr std::string_view kTextOnly =
    "only text can be recorded and scanned by this version of Candor; images, documents and "
    "results "
    "of other tools than the caller's own are refused";
constexpr std::size_t kMaxCalls = 64;

constexpr FieldSpec kMessageFields[] = {
    {{"messages[].role", kHonour, "user or assistant"}},
    {{"messages[].content", kHonour, "a string, or a list of blocks"}},
    {{"messages[].content[].type", kHonour,
      "text; tool_use (assistant); tool_result (user); thinking and redacted_thinking are dropped, "
      "all else is refused"}},
    {{"messages[].content[].text", kHonour, "of a text: a string"}},
    {{"messages[].content[].id", kHonour, "of a tool_use: for tool_use_id; not passed on"}},
    {{"messages[].content[].name", kHonour, "of a tool_use: 1 to 128 letters, digits, _ - ."}},
    {{"messages[].content[].input", kHonour, "of a tool_use: an object"}},
    {{"messages[].content[].tool_use_id", kHonour,
      "of a tool_result: names a call of an earlier message"}},
    {{"messages[].content[].content", kHonour, "of a tool_result: a string or text blocks"}},
    {{"messages[].content[].is_error", kDrop, "the engine's templates have no place for it"}},
    {{"messages[].content[].cache_control", kDrop, "caching is the server's, within one caller"}},
    {{"messages[].content[].citations", kDrop, "of an earlier answer"}},
};

bool drop_others(Reader& reader, const json::Object& block, std::string_view place,
                 std::initializer_list<std::string_view> known, Exchange& out) {
  for (const auto& member : block) {
    const std::string_view key = view(member.key());
    if (key == "type" || member.value().is_null()) continue;
    if (std::ranges::find(known, key) != known.end()) continue;
    if (!reader.drop(out, fmt::format("{}[].{}", place, key))) return false;
  }
  return true;
}

bool read_text(Reader& reader, const json::Object& block, std::string_view place, Message& message,
               Exchange& out) {
  const Value* text = present(block, "text");
  if (text == nullptr) {
    return reader.refuse(place, "A text block needs its 'text'.", "missing_field");
  }
  return reader.text(*text, place, message.parts.emplace_back().text) &&
         drop_others(reader, block, place, {"text"}, out);
}

// A string, or a list of blocks of text only.
bool read_texts(Reader& reader, const Value& value, std::string_view place, Message& message,
                Exchange& out) {
  if (value.is_string()) return reader.text(value, place, message.parts.emplace_back().text);
  if (!value.is_array()) return reader.wrong_type(place, "a string or a list of text blocks");
  if (value.get_array().size() > reader.limits().max_parts) {
    return reader.refuse(
        place, fmt::format("'{}' may hold at most {} blocks.", place, reader.limits().max_parts),
        "out_of_range");
  }
  for (const Value& item : value.get_array()) {
    const json::Object* block = item.if_object();
    if (block == nullptr) return reader.wrong_type(place, "a list of objects");
    if (text_of(*block, "type") != "text") {
      return reader.refuse(place, fmt::format("'{}': {}.", place, kTextOnly),
                           "unsupported_content");
    }
    if (!read_text(reader, *block, place, message, out)) return false;
  }
  return true;
}

bool read_tool_use(Reader& reader, const json::Object& block, CallIds& ids, Exchange& out) {
  constexpr std::string_view kPlace = "messages[].content";
  Message& message = out.messages.back();
  if (message.role != Role::kAssistant || message.tool_calls.size() >= kMaxCalls) {
    return reader.refuse(kPlace,
                         fmt::format("A tool_use stands in an assistant message, which may have at "
                                     "most {}.",
                                     kMaxCalls),
                         "invalid_messages");
  }
  ToolCall& call = message.tool_calls.emplace_back();
  const Value* input = present(block, "input");
  if (input != nullptr && !input->is_object()) {
    return reader.wrong_type("messages[].content[].input", "an object");
  }
  if (!read_tool_name(reader, present(block, "name"), "messages[].content[].name", call.name) ||
      !read_arguments(reader, input, "messages[].content[].input", call.arguments)) {
    return false;
  }
  ids.add(out, text_of(block, "id").value_or(""));
  return drop_others(reader, block, kPlace, {"id", "name", "input"}, out);
}

bool read_tool_result(Reader& reader, const json::Object& block, CallIds& ids, Exchange& out) {
  constexpr std::string_view kPlace = "messages[].content";
  const auto id = text_of(block, "tool_use_id");
  if (!id) return reader.wrong_type("messages[].content[].tool_use_id", "a string");
  Message& message = out.messages.emplace_back();
  message.role = Role::kTool;
  if (const Value* content = present(block, "content")) {
    if (!read_texts(reader, *content, "messages[].content[].content", message, out)) return false;
  }
  return ids.answer(reader, *id, "messages[].content[].tool_use_id", out) &&
         drop_others(reader, block, kPlace, {"tool_use_id", "content"}, out);
}

// One message of the API is several of ours where results of tools stand in it.
bool read_blocks(Reader& reader, const json::Array& blocks, Role role, CallIds& ids,
                 Exchange& out) {
  constexpr std::string_view kPlace = "messages[].content";
  if (blocks.size() > reader.limits().max_parts) {
    return reader.refuse(
        kPlace, fmt::format("'{}' may hold at most {} blocks.", kPlace, reader.limits().max_parts),
        "out_of_range");
  }
  const std::size_t before = out.messages.size();
  bool open = false;  // messages.back() is of this role and takes more
  const auto begin = [&] {
    if (!open) out.messages.emplace_back().role = role;
    open = true;
  };
  for (const Value& item : blocks) {
    const json::Object* block = item.if_object();
    if (block == nullptr) return reader.wrong_type(kPlace, "a list of objects");
    const auto type = text_of(*block, "type");
    if (!type) return reader.refuse(kPlace, "Each block needs a 'type'.", "missing_field");
    bool read = true;
    if (*type == "text") {
      begin();
      read = read_text(reader, *block, kPlace, out.messages.back(), out);
    } else if (*type == "tool_use") {
      begin();
      read = read_tool_use(reader, *block, ids, out);
    } else if (*type == "tool_result" && role == Role::kUser) {
      open = false;
      read = read_tool_result(reader, *block, ids, out);
    } else if (*type == "thinking" || *type == "redacted_thinking") {
      read = reader.drop(out, "messages[].content[].thinking");
    } else {
      return reader.refuse(kPlace, fmt::format("'{}': {}.", kPlace, kTextOnly),
                           "unsupported_content");
    }
    if (!read) return false;
    if (out.messages.size() > reader.limits().max_messages) {
      return reader.refuse(
          "messages",
          fmt::format("'messages' may hold at most {} messages.", reader.limits().max_messages),
          "out_of_range");
    }
  }
  if (out.messages.size() == before) begin();
  return true;
}

bool read_message(Reader& reader, const Value& value, CallIds& ids, Exchange& out) {
  const json::Object* object = value.if_object();
  if (object == nullptr) return reader.wrong_type("messages[]", "an object");
  const auto role = text_of(*object, "role");
  if (role != "user" && role != "assistant") {
    return reader.refuse("messages[].role",
                         "'messages[].role' must be user or assistant; instructions belong into "
                         "'system'.",
                         "invalid_role");
  }
  const Role ours = role == "user" ? Role::kUser : Role::kAssistant;
  const Value* content = present(*object, "content");
  if (content == nullptr) {
    return reader.refuse("messages[].content", "Each message needs 'content'.", "missing_field");
  }
  bool read = false;
  if (content->is_array()) {
    read = read_blocks(reader, content->get_array(), ours, ids, out);
  } else {
    Message& message = out.messages.emplace_back();
    message.role = ours;
    read = read_texts(reader, *content, "messages[].content", message, out);
  }
  if (!read) return false;
  for (const auto& member : *object) {
    const std::string_view key = view(member.key());
    if (key == "role" || key == "content" || member.value().is_null()) continue;
    if (!reader.drop(out, fmt::format("messages[].{}", key))) return false;
  }
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
  // `system` may have come before: it is kept first, and calls count from it.
  CallIds ids;
  for (const Value& item : list) {
    if (!read_message(reader, item, ids, out)) return false;
  }
  return true;
}

// Stands first whatever the order of the body's keys.
bool read_system(Reader& reader, const Value& value, Exchange& out) {
  Message message;
  message.role = Role::kSystem;
  if (!read_texts(reader, value, "system", message, out)) return false;
  if (!message.parts.empty()) insert_first(std::move(message), out);
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
bool read_thinking(Reader& r, const Value& v, Exchange& out) {
  const json::Object* object = v.if_object();
  const auto type = object != nullptr ? text_of(*object, "type") : std::nullopt;
  if (type == "disabled") {
    out.parameters.effort = Effort::kNone;
    return true;
  }
  if (type == "adaptive") return true;
  if (type != "enabled") {
    return r.refuse("thinking", "'thinking' must have the type enabled, adaptive or disabled.",
                    "unsupported_field");
  }
  const Value* budget = present(*object, "budget_tokens");
  if (budget == nullptr) return r.wrong_type("thinking.budget_tokens", "an integer");
  return r.integer(*budget, "thinking.budget_tokens", 0, r.limits().max_tokens,
                   out.parameters.reasoning_tokens.emplace());
}
bool read_tools(Reader& reader, const Value& value, Exchange& out) {
  if (!value.is_array()) return reader.wrong_type("tools", "a list");
  for (const Value& item : value.get_array()) {
    const json::Object* tool = item.if_object();
    if (tool == nullptr) return reader.wrong_type("tools[]", "an object");
    if (text_of(*tool, "type").value_or("custom") != "custom") {
      return reader.refuse("tools[].type",
                           "'tools[].type' may only be custom: this server runs no tools itself.",
                           "unsupported_tool");
    }
    if (present(*tool, "input_schema") == nullptr) {
      return reader.refuse("tools[].input_schema", "A tool needs its 'input_schema'.",
                           "missing_field");
    }
    if (!read_tool(reader, *tool, {"tools[]", "input_schema"}, out)) return false;
  }
  return true;
}
bool read_tool_choice(Reader& r, const Value& v, Exchange& out) {
  const json::Object* object = v.if_object();
  if (object == nullptr) return r.wrong_type("tool_choice", "an object");
  const auto type = text_of(*object, "type");
  if (type == "none") {
    out.tool_choice.mode = ToolChoice::Mode::kNone;
  } else if (type == "any") {
    out.tool_choice.mode = ToolChoice::Mode::kRequired;
  } else if (type == "tool") {
    out.tool_choice.mode = ToolChoice::Mode::kNamed;
    if (!read_tool_name(r, present(*object, "name"), "tool_choice.name", out.tool_choice.name)) {
      return false;
    }
  } else if (type != "auto") {
    return r.refuse("tool_choice", "'tool_choice' must have the type auto, any, tool or none.",
                    "unsupported_field");
  }
  if (const Value* single = present(*object, "disable_parallel_tool_use")) {
    bool one = false;
    if (!r.flag(*single, "tool_choice.disable_parallel_tool_use", one)) return false;
    out.parameters.parallel_calls = !one;
  }
  return true;
}
bool read_format(Reader& r, const Value& v, std::string_view name, Exchange& out) {
  const json::Object* format = v.if_object();
  const Value* schema = format != nullptr ? present(*format, "schema") : nullptr;
  if (schema == nullptr || text_of(*format, "type") != "json_schema") {
    return r.refuse(name, fmt::format("'{}' must have the type json_schema and a schema.", name),
                    "unsupported_field");
  }
  out.response_format.kind = ResponseFormat::Kind::kJsonSchema;
  return read_schema(r, *schema, fmt::format("{}.schema", name), /*strict=*/true,
                     out.response_format.schema, out);
}
bool read_output_format(Reader& r, const Value& v, Exchange& out) {
  return read_format(r, v, "output_format", out);
}
bool read_output_config(Reader& r, const Value& v, Exchange& out) {
  const json::Object* object = v.if_object();
  if (object == nullptr) return r.wrong_type("output_config", "an object");
  for (const auto& member : *object) {
    const std::string_view key = view(member.key());
    if (member.value().is_null()) continue;
    if (key == "format") {
      if (!read_format(r, member.value(), "output_config.format", out)) return false;
    } else if (!r.drop(out, fmt::format("output_config.{}", key))) {
      return false;
    }
  }
  return true;
}

constexpr FieldSpec kFields[] = {
    {{"model", kHonour, "1 to 256 bytes; required"}, read_model},
    {{"messages", kHonour, "1 to 4096; required"}, read_messages},
    {{"system", kHonour, "a string or text blocks; becomes the first message"}, read_system},
    {{"max_tokens", kHonour,
      "1 to 1048576, and at most the server's cap; required but for counting"},
     read_max_tokens},
    {{"temperature", kHonour, "0 to 1"}, read_temperature},
    {{"top_p", kHonour, "0 to 1"}, read_top_p},
    {{"top_k", kHonour, "0 to 1048576"}, read_top_k},
    {{"seed", kHonour, "0 to 4294967294; an extension; chosen and recorded if absent"}, read_seed},
    {{"stop_sequences", kHonour, "up to 16 texts, each 1 to 256 bytes"}, read_stops},
    {{"stream", kHonour, "true or false"}, read_stream},
    {{"tools", kHonour, "up to 128 of the caller's own, 512 KiB"}, read_tools},
    {{"tools[].type", kAccept, "custom only"}},
    {{"tools[].name", kHonour, "1 to 128 letters, digits, _ - ."}},
    {{"tools[].description", kHonour, "a string"}},
    {{"tools[].input_schema", kHonour, "a schema of an object, required: schemas.md"}},
    {{"tools[].strict", kHonour, "true refuses schemas that cannot be enforced"}},
    {{"tools[].cache_control", kDrop, "caching is the server's, within one caller"}},
    {{"tool_choice", kHonour,
      "auto, none, any or tool with its name; the last two are held by a grammar"},
     read_tool_choice},
    {{"tool_choice.disable_parallel_tool_use", kHonour,
      "true or false; a forced call is one call unless false, then up to 8"}},
    {{"thinking", kHonour,
      "enabled with budget_tokens, adaptive (as the model does), disabled; where the template has "
      "it"},
     read_thinking},
    {{"output_config", kHonour, "format: a json_schema; its other fields are dropped"},
     read_output_config},
    {{"output_config.format.schema", kHonour, "schemas.md, always strict"}},
    {{"output_format", kHonour, "as output_config.format"}, read_output_format},
    {{"mcp_servers", kRefuse, "this server never connects to others"}},
    {{"container", kRefuse, "running code is not supported by this version of Candor"}},
    {{"metadata", kDrop, "who asks is what the server established itself"}},
    {{"service_tier", kDrop, ""}},
    {{"context_management", kDrop, ""}},
    {{"cache_control", kDrop, "caching is the server's, within one caller"}},
    {{"inference_geo", kDrop, "it runs where the server runs"}},
};

constexpr auto kRules = rules_of(kFields, kMessageFields);

constexpr Route kRoutes[] = {
    {"POST", "/v1/messages", Api::kAnthropicMessages},
    {"POST", "/v1/messages/count_tokens", Api::kAnthropicCountTokens},
};

constexpr InfoRoute kInfoRoutes[] = {
    {"GET", "/v1/models", Info::kModels},
    {"GET", "/v1/models/", Info::kModel},
};

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
    return read_request(api, {kFields, kRules, check}, body, options);
  }

  [[nodiscard]] std::unique_ptr<AnswerWriter> make_writer(WriterOptions options) const override {
    if (options.api == Api::kAnthropicCountTokens) return make_count_writer(std::move(options));
    return make_anthropic_writer(std::move(options));
  }
  void render_error(const ErrorInfo& error, std::string& out) const override {
    append_anthropic_error(error, out);
  }
  [[nodiscard]] std::span<const InfoRoute> info_routes() const noexcept override {
    return kInfoRoutes;
  }
  void render_info(Info info, std::span<const ModelInfo> models, std::string& out) const override {
    if (info == Info::kModel) {
      append_model(out, models.front());
      return;
    }
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

 private:
  static bool check(RequestReader& reader, Exchange& out) {
    if (out.api == Api::kAnthropicMessages && !out.parameters.max_tokens) {
      return reader.refuse("max_tokens", "'max_tokens' is missing.", "missing_field");
    }
    if (!out.messages.empty() && out.messages.back().role == Role::kSystem) {
      return reader.refuse("messages", "'messages' must hold at least one message.",
                           "missing_field");
    }
    if (out.api == Api::kAnthropicCountTokens) out.stream = false;
    return check_conversation(reader, out) && check_tools(reader, out);
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
