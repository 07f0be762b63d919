// Ollama: POST /api/chat, /api/generate, /api/embed and its lists of models. After Ollama's API
// documentation (docs/api.md). Answers stream unless the request says otherwise.
#include <array>

#include <fmt/format.h>

#include "dialect/internal/dialects.h"
#include "dialect/internal/json_parts.h"
#include "dialect/internal/ollama_writer.h"
#include "dialect/internal/tool_fields.h"

namespace candor::dialect {
namespace {

using enum FieldAction;
using Reader = RequestReader;
using json::Value;

constexpr std::string_view kNoImages =
    "images cannot be scanned and are refused by this version of Candor";
constexpr std::string_view kKeepAlive =
    "how long models stay loaded is the operator's configuration";
constexpr std::size_t kMaxCalls = 64;

// --- messages ---

constexpr FieldSpec kMessageFields[] = {
    {{"messages[].role", kHonour, "system, user, assistant, tool"}},
    {{"messages[].content", kHonour, "a string; may be absent beside tool_calls"}},
    {{"messages[].tool_calls", kHonour, "of an assistant message, up to 64"}},
    {{"messages[].tool_calls[].function.name", kHonour, "1 to 128 letters, digits, _ - ."}},
    {{"messages[].tool_calls[].function.arguments", kHonour, "an object"}},
    {{"messages[].tool_calls[].id", kHonour, "for tool_call_id; not passed on"}},
    {{"messages[].tool_name", kHonour,
      "of a tool message: names the call it answers, the first of that name without a result"}},
    {{"messages[].tool_call_id", kHonour, "as tool_name, by the call's id"}},
    {{"messages[].thinking", kDrop, "of an earlier answer"}},
    {{"messages[].images", kRefuse, kNoImages}},
};

bool read_calls(Reader& reader, const Value& value, CallIds& ids, Exchange& out) {
  if (!value.is_array()) return reader.wrong_type("messages[].tool_calls", "a list");
  if (value.get_array().empty()) return true;
  if (out.messages.back().role != Role::kAssistant || value.get_array().size() > kMaxCalls) {
    return reader.refuse(
        "messages[].tool_calls",
        fmt::format("Only an assistant message calls tools, at most {}.", kMaxCalls),
        "invalid_messages");
  }
  for (const Value& item : value.get_array()) {
    const json::Object* call = item.if_object();
    const Value* function = call != nullptr ? present(*call, "function") : nullptr;
    if (function == nullptr || !function->is_object()) {
      return reader.wrong_type("messages[].tool_calls[].function", "an object");
    }
    const json::Object& inner = function->get_object();
    ToolCall& made = out.messages.back().tool_calls.emplace_back();
    if (!read_tool_name(reader, present(inner, "name"), "messages[].tool_calls[].function.name",
                        made.name) ||
        !read_arguments(reader, present(inner, "arguments"),
                        "messages[].tool_calls[].function.arguments", made.arguments)) {
      return false;
    }
    ids.add(out, text_of(*call, "id").value_or(""));
  }
  return true;
}

// The first call of that name (of any, when there is none) that has no result, in the nearest
// message with calls.
bool answer_by_name(Reader& reader, std::optional<std::string_view> name, Exchange& out) {
  std::size_t m = out.messages.size() - 1;
  while (m > 0 && out.messages[m].tool_calls.empty()) --m;
  const auto& calls = out.messages[m].tool_calls;
  for (std::uint32_t k = 0; k < calls.size(); ++k) {
    if (name && calls[k].name.reveal() != *name) continue;
    bool taken = false;
    for (std::size_t i = m + 1; i + 1 < out.messages.size(); ++i) {
      const auto& answers = out.messages[i].answers;
      taken = taken || (answers && answers->message == m && answers->call == k);
    }
    if (taken) continue;
    out.messages.back().answers = {static_cast<std::uint32_t>(m), k};
    return true;
  }
  return reader.refuse("messages[].tool_name",
                       "A message of role tool answers no call of an earlier message. Send the "
                       "message with the call before its result.",
                       "unknown_call");
}

bool read_role(Reader& reader, const json::Object& object, Message& message) {
  const auto role = text_of(object, "role");
  for (const Role known : {Role::kSystem, Role::kUser, Role::kAssistant, Role::kTool}) {
    if (role == to_string(known)) {
      message.role = known;
      return true;
    }
  }
  return reader.refuse("messages[].role",
                       "'messages[].role' must be system, user, assistant or tool.",
                       "invalid_role");
}

bool read_message(Reader& reader, const Value& value, CallIds& ids, Exchange& out) {
  const json::Object* object = value.if_object();
  if (object == nullptr) return reader.wrong_type("messages[]", "an object");
  Message& message = out.messages.emplace_back();
  if (!read_role(reader, *object, message)) return false;
  const bool is_tool = message.role == Role::kTool;
  for (const auto& member : *object) {
    const std::string_view key = view(member.key());
    if (key == "role" || member.value().is_null()) continue;
    bool read = true;
    if (key == "content") {
      read = reader.text(member.value(), "messages[].content", message.parts.emplace_back().text);
    } else if (key == "tool_calls") {
      read = read_calls(reader, member.value(), ids, out);
    } else if (key == "images") {
      const bool none = member.value().is_array() && member.value().get_array().empty();
      read = none ||
             reader.refuse("messages[].images", fmt::format("'messages[].images': {}.", kNoImages),
                           "unsupported_content");
    } else if (!is_tool || (key != "tool_name" && key != "tool_call_id")) {
      read = reader.drop(out, fmt::format("messages[].{}", key));
    }
    if (!read) return false;
  }
  if (message.parts.empty() && message.tool_calls.empty()) {
    return reader.refuse("messages[].content", "Each message needs 'content'.", "missing_field");
  }
  if (!is_tool) return true;
  if (const auto id = text_of(*object, "tool_call_id"); id && !id->empty()) {
    return ids.answer(reader, *id, "messages[].tool_call_id", out);
  }
  return answer_by_name(reader, text_of(*object, "tool_name"), out);
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
  out.messages.reserve(list.size());
  CallIds ids;
  for (const Value& item : list) {
    if (!read_message(reader, item, ids, out)) return false;
  }
  return true;
}

// --- fields that the routes share ---

bool read_model(Reader& r, const Value& v, Exchange& out) {
  return r.name_text(v, "model", r.limits().max_model_name, out.model);
}
bool read_stream(Reader& r, const Value& v, Exchange& out) {
  return r.flag(v, "stream", out.stream);
}
bool read_format(Reader& r, const Value& v, Exchange& out) {
  if (v.is_string() && v.get_string().empty()) return true;
  if (v.is_string() && view(v.get_string()) == "json") {
    out.response_format.kind = ResponseFormat::Kind::kJsonObject;
    return true;
  }
  if (!v.is_object()) return r.wrong_type("format", "json or a schema");
  out.response_format.kind = ResponseFormat::Kind::kJsonSchema;
  return read_schema(r, v, "format", /*strict=*/false, out.response_format.schema, out);
}
bool read_think(Reader& r, const Value& v, Exchange& out) {
  if (v.is_bool()) {
    if (!v.get_bool()) out.parameters.effort = Effort::kNone;
    return true;
  }
  const auto effort = v.is_string() ? effort_from_name(view(v.get_string())) : std::nullopt;
  if (!effort) return r.wrong_type("think", "true, false, low, medium or high");
  out.parameters.effort = effort;
  return true;
}
bool read_logprobs(Reader& r, const Value& v, Exchange& out) {
  return r.flag(v, "logprobs", out.parameters.logprobs);
}
bool read_top_logprobs(Reader& r, const Value& v, Exchange& out) {
  return r.integer(v, "top_logprobs", 0, 20, out.parameters.top_logprobs);
}

// Negative values mean "none" in this API.
template <typename T>
bool read_optional_count(Reader& r, const Value& v, std::string_view name, std::uint32_t low,
                         std::uint32_t high, std::optional<T>& out) {
  if (const auto* number = v.if_int64(); number != nullptr && *number < std::int64_t{low}) {
    out.reset();
    return true;
  }
  return r.integer(v, name, low, high, out.emplace());
}

bool read_option(Reader& r, std::string_view key, const Value& v, Exchange& out) {
  Parameters& p = out.parameters;
  if (key == "num_predict") {
    return read_optional_count(r, v, "options.num_predict", 1, r.limits().max_tokens, p.max_tokens);
  }
  if (key == "seed") {
    return read_optional_count(r, v, "options.seed", 0, 4'294'967'294U, p.seed);
  }
  if (key == "top_k") return r.integer(v, "options.top_k", 0, 1U << 20U, p.top_k.emplace());
  if (key == "temperature") return r.fraction(v, "options.temperature", 0, 2, p.temperature);
  if (key == "top_p") return r.fraction(v, "options.top_p", 0, 1, p.top_p);
  if (key == "min_p") return r.fraction(v, "options.min_p", 0, 1, p.min_p);
  if (key == "repeat_penalty") {
    return r.fraction(v, "options.repeat_penalty", 0, 2, p.repeat_penalty);
  }
  if (key == "presence_penalty") {
    return r.fraction(v, "options.presence_penalty", -2, 2, p.presence_penalty);
  }
  if (key == "frequency_penalty") {
    return r.fraction(v, "options.frequency_penalty", -2, 2, p.frequency_penalty);
  }
  if (key == "stop") return r.stops(v, "options.stop", p.stop);
  return r.drop(out, fmt::format("options.{}", key));
}
bool read_options(Reader& r, const Value& v, Exchange& out) {
  const json::Object* object = v.if_object();
  if (object == nullptr) return r.wrong_type("options", "an object");
  for (const auto& member : *object) {
    if (member.value().is_null()) continue;
    if (!read_option(r, view(member.key()), member.value(), out)) return false;
  }
  return true;
}

constexpr FieldSpec kOptionFields[] = {
    {{"options.num_predict", kHonour,
      "1 to 1048576, and at most the server's cap, which it is when less than 1"}},
    {{"options.seed", kHonour, "0 to 4294967294; chosen and recorded if absent or negative"}},
    {{"options.temperature", kHonour, "0 to 2"}},
    {{"options.top_k", kHonour, "0 to 1048576"}},
    {{"options.top_p", kHonour, "0 to 1"}},
    {{"options.min_p", kHonour, "0 to 1"}},
    {{"options.repeat_penalty", kHonour, "0 to 2"}},
    {{"options.presence_penalty", kHonour, "-2 to 2"}},
    {{"options.frequency_penalty", kHonour, "-2 to 2"}},
    {{"options.stop", kHonour, "a text or up to 16, each 1 to 256 bytes"}},
    {{"options.num_ctx", kDrop, "the model's configuration"}},
};

// --- chat ---

constexpr FieldSpec kChatFields[] = {
    {{"model", kHonour, "1 to 256 bytes; required"}, read_model},
    {{"messages", kHonour, "1 to 4096; required"}, read_messages},
    {{"tools", kHonour, "up to 128 functions, 512 KiB; not with streamed logprobs"},
     read_function_tools},
    {{"tools[].type", kAccept, "function only"}},
    {{"tools[].function.name", kHonour, "1 to 128 letters, digits, _ - ."}},
    {{"tools[].function.description", kHonour, "a string"}},
    {{"tools[].function.parameters", kHonour, "a schema of an object: schemas.md"}},
    {{"format", kHonour, "json or a schema (schemas.md); not with tools"}, read_format},
    {{"options", kHonour, "below; its other fields are dropped"}, read_options},
    {{"stream", kHonour, "true (also when absent) or false"}, read_stream},
    {{"think", kHonour,
      "true (as the model does), false, low, medium, high; where the template has it"},
     read_think},
    {{"logprobs", kHonour, "true or false"}, read_logprobs},
    {{"top_logprobs", kHonour, "0 to 20; needs logprobs"}, read_top_logprobs},
    {{"keep_alive", kDrop, kKeepAlive}},
    {{"truncate", kDrop, "a conversation beyond the context is refused, never cut"}},
    {{"shift", kDrop, "a conversation beyond the context is refused, never cut"}},
};

bool check_logprobs(RequestReader& reader, const Exchange& out) {
  return out.parameters.top_logprobs == 0 || out.parameters.logprobs ||
         reader.refuse("top_logprobs", "'top_logprobs' needs 'logprobs': true.",
                       "conflicting_fields");
}

bool check_chat(RequestReader& reader, Exchange& out) {
  if (out.messages.empty()) {
    return reader.refuse("messages",
                         "'messages' must hold at least one message; models load by themselves at "
                         "the first one.",
                         "missing_field");
  }
  return check_logprobs(reader, out) && check_conversation(reader, out) && check_tools(reader, out);
}

// --- generate: system and prompt become messages when all is read ---

bool read_prompt(Reader& r, const Value& v, Exchange& out) {
  return r.text(v, "prompt", out.prompts.emplace_back());
}
bool read_system(Reader& r, const Value& v, Exchange& out) {
  Message message;
  message.role = Role::kSystem;
  if (!r.text(v, "system", message.parts.emplace_back().text)) return false;
  if (!message.parts.front().text.reveal().empty()) out.messages.push_back(std::move(message));
  return true;
}
bool read_raw(Reader& r, const Value& v, Exchange& out) { return r.flag(v, "raw", out.raw_prompt); }
bool accept_empty_text(Reader& r, const Value& v, std::string_view name, std::string_view note) {
  if (v.is_string() && v.get_string().empty()) return true;
  return r.refuse(name, fmt::format("'{}': {}.", name, note), "unsupported_field");
}
constexpr std::string_view kNoTemplate =
    "the model's own template is used, since entries name it; send messages, or a raw prompt";
constexpr std::string_view kNoSuffix =
    "filling in the middle is not supported by this version of Candor";
bool accept_no_template(Reader& r, const Value& v, Exchange&) {
  return accept_empty_text(r, v, "template", kNoTemplate);
}
bool accept_no_suffix(Reader& r, const Value& v, Exchange&) {
  return accept_empty_text(r, v, "suffix", kNoSuffix);
}

constexpr FieldSpec kGenerateFields[] = {
    {{"model", kHonour, "1 to 256 bytes; required"}, read_model},
    {{"prompt", kHonour, "a string, not empty; required"}, read_prompt},
    {{"system", kHonour, "a string; becomes the first message; not with raw"}, read_system},
    {{"raw", kHonour, "true: the prompt goes to the model without its template"}, read_raw},
    {{"format", kHonour, "json or a schema (schemas.md); not with raw"}, read_format},
    {{"options", kHonour, "below; its other fields are dropped"}, read_options},
    {{"stream", kHonour, "true (also when absent) or false"}, read_stream},
    {{"think", kHonour,
      "true (as the model does), false, low, medium, high; where the template has it"},
     read_think},
    {{"logprobs", kHonour, "true or false"}, read_logprobs},
    {{"top_logprobs", kHonour, "0 to 20; needs logprobs"}, read_top_logprobs},
    {{"template", kAccept, "empty only"}, accept_no_template},
    {{"suffix", kAccept, "empty only"}, accept_no_suffix},
    {{"context", kRefuse,
      "token numbers cannot be recorded as what they mean; send the conversation to /api/chat"}},
    {{"images", kRefuse, kNoImages}},
    {{"keep_alive", kDrop, kKeepAlive}},
    {{"truncate", kDrop, "a prompt beyond the context is refused, never cut"}},
    {{"shift", kDrop, "a prompt beyond the context is refused, never cut"}},
};

bool check_generate(RequestReader& reader, Exchange& out) {
  if (out.prompts.empty() || out.prompts.front().reveal().empty()) {
    return reader.refuse(
        "prompt", "'prompt' is missing or empty; models load by themselves at the first one.",
        "missing_field");
  }
  if (out.raw_prompt) {
    if (!out.messages.empty() || out.response_format.kind != ResponseFormat::Kind::kText) {
      return reader.refuse("raw", "'raw' cannot be combined with 'system' or 'format'.",
                           "conflicting_fields");
    }
    return check_logprobs(reader, out);
  }
  Message message;
  message.parts.push_back({std::move(out.prompts.front())});
  out.prompts.clear();
  out.messages.push_back(std::move(message));
  return check_logprobs(reader, out);
}

// --- embed ---

bool accept_truncate(Reader& r, const Value& v, Exchange&) {
  bool unused = false;
  return r.flag(v, "truncate", unused);
}

constexpr FieldSpec kEmbedFields[] = {
    {{"model", kHonour, "1 to 256 bytes; required"}, read_model},
    {{"input", kHonour, "a string or up to 512, none empty; required"}, read_inputs},
    {{"truncate", kAccept, "true or false; a text beyond the context is refused, never cut"},
     accept_truncate},
    {{"dimensions", kRefuse, "a vector has the dimensions that the model gives it"}},
    {{"options", kDrop, "embeddings have none"}},
    {{"keep_alive", kDrop, kKeepAlive}},
};

bool check_embed(RequestReader& reader, Exchange& out) {
  out.stream = false;
  return !out.inputs.empty() || reader.refuse("input", "'input' is missing.", "missing_field");
}

constexpr auto kChatRules = rules_of(kChatFields, kOptionFields, kMessageFields);
constexpr auto kGenerateRules = rules_of(kGenerateFields, kOptionFields);
constexpr auto kEmbedRules = rules_of(kEmbedFields);

constexpr Route kRoutes[] = {
    {"POST", "/api/chat", Api::kOllamaChat},
    {"POST", "/api/generate", Api::kOllamaGenerate},
    {"POST", "/api/embed", Api::kOllamaEmbed},
};
constexpr InfoRoute kInfoRoutes[] = {
    {"GET", "/api/tags", Info::kModels},
    {"POST", "/api/show", Info::kModel},
    {"GET", "/api/ps", Info::kLoaded},
    {"GET", "/api/version", Info::kVersion},
};

class Ollama final : public Dialect {
 public:
  [[nodiscard]] std::string_view name() const noexcept override { return "ollama"; }
  [[nodiscard]] std::span<const Route> routes() const noexcept override { return kRoutes; }
  [[nodiscard]] std::span<const InfoRoute> info_routes() const noexcept override {
    return kInfoRoutes;
  }
  [[nodiscard]] std::span<const FieldRule> fields(Api api) const noexcept override {
    return table(api).rules;
  }
  [[nodiscard]] std::expected<Exchange, ErrorInfo> parse_request(
      Api api, std::string_view body, const ParseOptions& options) const override {
    return read_request(api, table(api), body, options);
  }
  [[nodiscard]] std::unique_ptr<AnswerWriter> make_writer(WriterOptions options) const override {
    return make_ollama_writer(std::move(options));
  }
  void render_error(const ErrorInfo& error, std::string& out) const override {
    append_ollama_error(error, out);
  }
  void render_info(Info info, std::span<const ModelInfo> models, std::string& out) const override {
    append_ollama_info(info, models, out);
  }

 private:
  static ApiTable table(Api api) noexcept {
    if (api == Api::kOllamaEmbed) return {kEmbedFields, kEmbedRules, check_embed};
    if (api == Api::kOllamaGenerate) {
      return {kGenerateFields, kGenerateRules, check_generate, /*streams_by_default=*/true};
    }
    return {kChatFields, kChatRules, check_chat, /*streams_by_default=*/true};
  }
};

}  // namespace

const Dialect& ollama_dialect() noexcept {
  static const Ollama kDialect;
  return kDialect;
}

}  // namespace candor::dialect
