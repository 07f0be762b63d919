// OpenAI: POST /v1/chat/completions, POST /v1/completions, the models list. After OpenAI's API
// reference (chat/create, completions/create, models, error codes).
#include <array>

#include <fmt/format.h>

#include "dialect/internal/dialects.h"
#include "dialect/internal/json_parts.h"
#include "dialect/internal/openai_writer.h"
#include "dialect/internal/request_reader.h"

namespace candor::dialect {
namespace {

using enum FieldAction;
using Reader = RequestReader;
using json::Value;

constexpr std::string_view kNoTools =
    "calling tools is not supported by this version of Candor; send the request without it";
constexpr std::string_view kNoImages =
    "only text parts are supported by this version of Candor; images, audio and files cannot be "
    "scanned and are refused";

// --- messages ---

constexpr FieldSpec kMessageFields[] = {
    {{"messages[].role", kHonour, "system, developer (read as system), user, assistant"}},
    {{"messages[].content", kHonour, "a string, or a list of text parts"}},
    {{"messages[].content[].type", kHonour, "text; images, audio and files are refused"}},
    {{"messages[].content[].text", kHonour, "a string"}},
    {{"messages[].name", kDrop, "the engine's templates have no place for it"}},
    {{"messages[].refusal", kDrop, "of an earlier answer"}},
    {{"messages[].reasoning_content", kDrop, "of an earlier answer"}},
    {{"messages[].annotations", kDrop, "of an earlier answer"}},
    {{"messages[].audio", kRefuse, kNoImages}},
    {{"messages[].tool_calls", kRefuse, kNoTools}},
    {{"messages[].tool_call_id", kRefuse, kNoTools}},
    {{"messages[].function_call", kRefuse, kNoTools}},
};

bool read_part(Reader& reader, const Value& value, Message& message, Exchange& out) {
  const json::Object* part = value.if_object();
  if (part == nullptr) return reader.wrong_type("messages[].content[]", "an object");
  const auto type = text_of(*part, "type");
  if (!type) return reader.wrong_type("messages[].content[].type", "a string");
  if (*type != "text") {
    return reader.refuse("messages[].content[].type",
                         fmt::format("'messages[].content[].type': {}.", kNoImages),
                         "unsupported_content");
  }
  const Value* text = present(*part, "text");
  if (text == nullptr) return reader.wrong_type("messages[].content[].text", "a string");
  message.parts.emplace_back();
  if (!reader.text(*text, "messages[].content[].text", message.parts.back().text)) return false;
  for (const auto& member : *part) {
    const std::string_view name = view(member.key());
    if (name == "type" || name == "text" || member.value().is_null()) continue;
    if (!reader.drop(out, fmt::format("messages[].content[].{}", name))) return false;
  }
  return true;
}

bool read_content(Reader& reader, const Value& value, Message& message, Exchange& out) {
  if (value.is_string()) {
    message.parts.emplace_back();
    return reader.text(value, "messages[].content", message.parts.back().text);
  }
  if (!value.is_array()) return reader.wrong_type("messages[].content", "a string or a list");
  if (value.get_array().size() > reader.limits().max_parts) {
    return reader.refuse(
        "messages[].content",
        fmt::format("A message may have at most {} parts.", reader.limits().max_parts),
        "out_of_range");
  }
  for (const Value& part : value.get_array()) {
    if (!read_part(reader, part, message, out)) return false;
  }
  return true;
}

bool read_role(Reader& reader, const json::Object& object, Message& message) {
  const auto role = text_of(object, "role");
  if (!role) return reader.wrong_type("messages[].role", "a string");
  if (*role == "system" || *role == "developer") {
    message.role = Role::kSystem;
  } else if (*role == "user") {
    message.role = Role::kUser;
  } else if (*role == "assistant") {
    message.role = Role::kAssistant;
  } else if (*role == "tool" || *role == "function") {
    return reader.refuse("messages[].role", fmt::format("A message of a tool: {}.", kNoTools),
                         "unsupported_role");
  } else {
    return reader.refuse("messages[].role",
                         "'messages[].role' must be system, developer, user or assistant.",
                         "invalid_role");
  }
  return true;
}

bool read_message(Reader& reader, const Value& value, Exchange& out) {
  const json::Object* object = value.if_object();
  if (object == nullptr) return reader.wrong_type("messages[]", "an object");
  Message message;
  if (!read_role(reader, *object, message)) return false;
  bool has_content = false;
  for (const auto& member : *object) {
    const std::string_view key = view(member.key());
    if (key == "role" || member.value().is_null()) continue;
    if (key == "content") {
      has_content = true;
      if (!read_content(reader, member.value(), message, out)) return false;
      continue;
    }
    const std::string name = fmt::format("messages[].{}", key);
    const FieldSpec* spec = find_spec(kMessageFields, name);
    if (spec != nullptr && spec->rule.action == kRefuse) {
      if (member.value().is_array() && member.value().get_array().empty()) continue;
      return reader.refuse(name, fmt::format("'{}': {}.", name, spec->rule.note),
                           "unsupported_field");
    }
    if (!reader.drop(out, name)) return false;
  }
  if (!has_content) {
    return reader.refuse("messages[].content", "Each message needs 'content'.", "missing_field");
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
  out.messages.reserve(list.size());
  for (const Value& item : list) {
    if (!read_message(reader, item, out)) return false;
  }
  return true;
}

// --- fields that both routes share ---

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
                    fmt::format("'n' may be at most {} on this server. Send the request again for "
                                "each further answer.",
                                r.limits().max_choices),
                    "out_of_range");
  }
  return true;
}
bool accept_no_tools(Reader& r, const Value& v, std::string_view name) {
  if (v.is_string() && (view(v.get_string()) == "none" || view(v.get_string()) == "auto")) {
    return true;  // what it means without tools
  }
  return r.refuse(name, fmt::format("'{}': {}.", name, kNoTools), "unsupported_field");
}
bool accept_tool_choice(Reader& r, const Value& v, Exchange&) {
  return accept_no_tools(r, v, "tool_choice");
}
bool accept_function_call(Reader& r, const Value& v, Exchange&) {
  return accept_no_tools(r, v, "function_call");
}
bool accept_text_format(Reader& r, const Value& v, Exchange&) {
  const json::Object* object = v.if_object();
  if (object == nullptr) return r.wrong_type("response_format", "an object");
  if (text_of(*object, "type") == "text" && object->size() == 1) return true;
  return r.refuse("response_format",
                  "'response_format': only {\"type\":\"text\"} is supported by this version of "
                  "Candor; ask for JSON in the prompt and check it yourself.",
                  "unsupported_field");
}
bool accept_text_modality(Reader& r, const Value& v, Exchange&) {
  if (v.is_array() && v.get_array().size() == 1 && v.get_array()[0].is_string() &&
      view(v.get_array()[0].get_string()) == "text") {
    return true;
  }
  return r.refuse("modalities", "'modalities' may only be [\"text\"].", "unsupported_field");
}
bool accept_no_echo(Reader& r, const Value& v, Exchange&) {
  bool echo = false;
  if (!r.flag(v, "echo", echo)) return false;
  return !echo || r.refuse("echo", "'echo' may only be false.", "unsupported_field");
}
bool accept_one_best(Reader& r, const Value& v, Exchange&) {
  std::uint32_t best = 0;
  return r.integer(v, "best_of", 1, 1, best);
}

// --- chat ---

bool read_logprobs(Reader& r, const Value& v, Exchange& out) {
  return r.flag(v, "logprobs", out.parameters.logprobs);
}
bool read_top_logprobs(Reader& r, const Value& v, Exchange& out) {
  return r.integer(v, "top_logprobs", 0, 20, out.parameters.top_logprobs);
}

constexpr FieldSpec kChatFields[] = {
    {{"model", kHonour, "1 to 256 bytes; required"}, read_model},
    {{"messages", kHonour, "1 to 4096; required"}, read_messages},
    {{"max_tokens", kHonour, "1 to 1048576, and at most the server's cap"}, read_max_tokens_old},
    {{"max_completion_tokens", kHonour, "as max_tokens; both may only be equal"},
     read_max_tokens_new},
    {{"temperature", kHonour, "0 to 2"}, read_temperature},
    {{"top_p", kHonour, "0 to 1"}, read_top_p},
    {{"top_k", kHonour, "0 to 1048576; an extension"}, read_top_k},
    {{"seed", kHonour, "0 to 4294967294; chosen and recorded by the server if absent"}, read_seed},
    {{"stop", kHonour, "a text or up to 16, each 1 to 256 bytes"}, read_stop},
    {{"presence_penalty", kHonour, "-2 to 2"}, read_presence},
    {{"frequency_penalty", kHonour, "-2 to 2"}, read_frequency},
    {{"stream", kHonour, "true or false"}, read_stream},
    {{"stream_options", kHonour, "include_usage; its other fields are dropped"},
     read_stream_options},
    {{"n", kHonour, "1; more where the server is configured for it"}, read_n},
    {{"logprobs", kHonour, "true or false"}, read_logprobs},
    {{"top_logprobs", kHonour, "0 to 20; needs logprobs"}, read_top_logprobs},
    {{"response_format", kAccept, "{\"type\":\"text\"} only"}, accept_text_format},
    {{"modalities", kAccept, "[\"text\"] only"}, accept_text_modality},
    {{"tool_choice", kAccept, "none or auto"}, accept_tool_choice},
    {{"function_call", kAccept, "none or auto"}, accept_function_call},
    {{"tools", kRefuse, kNoTools}},
    {{"functions", kRefuse, kNoTools}},
    {{"logit_bias", kRefuse, "token biases are not supported by this version of Candor"}},
    {{"audio", kRefuse, kNoImages}},
    {{"web_search_options", kRefuse, "this server never searches the web"}},
    {{"user", kDrop, "who asks is what the server established itself"}},
    {{"safety_identifier", kDrop, "who asks is what the server established itself"}},
    {{"metadata", kDrop, ""}},
    {{"store", kDrop, "what is kept is the operator's configuration"}},
    {{"service_tier", kDrop, ""}},
    {{"parallel_tool_calls", kDrop, ""}},
    {{"prediction", kDrop, "speeds up, never changes, an answer"}},
    {{"prompt_cache_key", kDrop, "caching is the server's, within one caller"}},
    {{"prompt_cache_retention", kDrop, "caching is the server's, within one caller"}},
    {{"reasoning_effort", kDrop, "the model's template decides"}},
    {{"verbosity", kDrop, ""}},
};

// --- completions ---

bool read_prompt(Reader& reader, const Value& value, Exchange& out) {
  if (value.is_string()) {
    out.prompts.emplace_back();
    return reader.text(value, "prompt", out.prompts.back());
  }
  if (!value.is_array()) return reader.wrong_type("prompt", "a string");
  const json::Array& list = value.get_array();
  if (list.empty() || list.size() > reader.limits().max_prompts) {
    return reader.refuse("prompt",
                         fmt::format("'prompt' may be a string or a list of 1 to {} strings; lists "
                                     "of token numbers are refused.",
                                     reader.limits().max_prompts),
                         "out_of_range");
  }
  for (const Value& item : list) {
    if (!item.is_string()) {
      return reader.refuse("prompt",
                           "'prompt' must be text: lists of token numbers cannot be recorded as "
                           "what they mean and are refused.",
                           "unsupported_prompt");
    }
    out.prompts.emplace_back();
    if (!reader.text(item, "prompt", out.prompts.back())) return false;
  }
  return true;
}
bool read_logprob_count(Reader& r, const Value& v, Exchange& out) {
  out.parameters.logprobs = true;
  return r.integer(v, "logprobs", 0, 20, out.parameters.top_logprobs);
}

constexpr FieldSpec kCompletionFields[] = {
    {{"model", kHonour, "1 to 256 bytes; required"}, read_model},
    {{"prompt", kHonour, "a string, or a list of one; token numbers are refused; required"},
     read_prompt},
    {{"max_tokens", kHonour, "1 to 1048576, and at most the server's cap"}, read_max_tokens_old},
    {{"temperature", kHonour, "0 to 2"}, read_temperature},
    {{"top_p", kHonour, "0 to 1"}, read_top_p},
    {{"top_k", kHonour, "0 to 1048576; an extension"}, read_top_k},
    {{"seed", kHonour, "0 to 4294967294; chosen and recorded by the server if absent"}, read_seed},
    {{"stop", kHonour, "a text or up to 16, each 1 to 256 bytes"}, read_stop},
    {{"presence_penalty", kHonour, "-2 to 2"}, read_presence},
    {{"frequency_penalty", kHonour, "-2 to 2"}, read_frequency},
    {{"stream", kHonour, "true or false"}, read_stream},
    {{"stream_options", kHonour, "include_usage; its other fields are dropped"},
     read_stream_options},
    {{"n", kHonour, "1; more where the server is configured for it"}, read_n},
    {{"logprobs", kHonour, "0 to 20"}, read_logprob_count},
    {{"echo", kAccept, "false only"}, accept_no_echo},
    {{"best_of", kAccept, "1 only"}, accept_one_best},
    {{"suffix", kRefuse, "filling in the middle is not supported by this version of Candor"}},
    {{"logit_bias", kRefuse, "token biases are not supported by this version of Candor"}},
    {{"user", kDrop, "who asks is what the server established itself"}},
};

constexpr auto with_messages() {
  std::array<FieldRule, std::size(kChatFields) + std::size(kMessageFields)> rules{};
  std::size_t i = 0;
  for (const FieldSpec& spec : kChatFields) rules[i++] = spec.rule;
  for (const FieldSpec& spec : kMessageFields) rules[i++] = spec.rule;
  return rules;
}
constexpr auto kChatRules = with_messages();
constexpr auto kCompletionRules = rules_of(kCompletionFields);

constexpr Route kRoutes[] = {
    {"POST", "/v1/chat/completions", Api::kOpenAiChat},
    {"POST", "/v1/completions", Api::kOpenAiCompletions},
};

std::string_view error_type(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::kInvalidRequest:
    case ErrorKind::kMethod:
    case ErrorKind::kTooLarge:
    case ErrorKind::kMediaType:
    case ErrorKind::kMisdirected: return "invalid_request_error";
    case ErrorKind::kAuthentication: return "authentication_error";
    case ErrorKind::kPermission: return "permission_error";
    case ErrorKind::kNotFound: return "not_found_error";
    case ErrorKind::kRateLimit: return "rate_limit_error";
    case ErrorKind::kInternal:
    case ErrorKind::kUnavailable:
    case ErrorKind::kTimeout: return "server_error";
  }
  return "server_error";
}

void append_model(std::string& out, const ModelInfo& model) {
  out += R"({"id":)";
  json::append_string(out, model.name);
  out += R"(,"object":"model","created":)";
  append_number(out, model.created_s);
  out += R"(,"owned_by":"candor")";
  if (!model.digest.empty()) {
    out += R"(,"candor":{"weights_sha256":)";
    json::append_string(out, model.digest);
    out += '}';
  }
  out += '}';
}

class OpenAi final : public Dialect {
 public:
  [[nodiscard]] std::string_view name() const noexcept override { return "openai"; }
  [[nodiscard]] std::span<const Route> routes() const noexcept override { return kRoutes; }
  [[nodiscard]] std::span<const FieldRule> fields(Api api) const noexcept override {
    if (api == Api::kOpenAiCompletions) return kCompletionRules;
    return kChatRules;
  }

  [[nodiscard]] std::expected<Exchange, ErrorInfo> parse_request(
      Api api, std::string_view body, const ParseOptions& options) const override {
    RequestReader reader(options);
    Exchange out;
    out.api = api;
    const bool chat = api == Api::kOpenAiChat;
    const std::span<const FieldSpec> specs = chat ? std::span<const FieldSpec>(kChatFields)
                                                  : std::span<const FieldSpec>(kCompletionFields);
    if (!read_fields(reader, body, specs, out) || !check(reader, out)) {
      return std::unexpected(reader.take_error());
    }
    return out;
  }

  [[nodiscard]] std::unique_ptr<AnswerWriter> make_writer(WriterOptions options) const override {
    return make_openai_writer(std::move(options));
  }

  void render_error(const ErrorInfo& error, std::string& out) const override {
    append_openai_error(error, out);
  }

  void render_models(std::span<const ModelInfo> models, std::string& out) const override {
    out += R"({"object":"list","data":[)";
    for (std::size_t i = 0; i < models.size(); ++i) {
      if (i > 0) out += ',';
      append_model(out, models[i]);
    }
    out += "]}";
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
    if (out.api == Api::kOpenAiCompletions) {
      return !out.prompts.empty() ||
             reader.refuse("prompt", "'prompt' is missing.", "missing_field");
    }
    if (out.parameters.top_logprobs > 0 && !out.parameters.logprobs) {
      return reader.refuse("top_logprobs", "'top_logprobs' needs 'logprobs': true.",
                           "conflicting_fields");
    }
    return check_conversation(reader, out);
  }
};

}  // namespace

void append_openai_error(const ErrorInfo& error, std::string& out) {
  out += R"({"error":{"message":)";
  json::append_string(out, error.message);
  out += R"(,"type":")";
  out += error_type(error.kind);
  out += R"(","param":)";
  if (error.param.empty()) {
    out += "null";
  } else {
    json::append_string(out, error.param);
  }
  out += R"(,"code":)";
  if (error.code.empty()) {
    out += "null";
  } else {
    json::append_string(out, error.code);
  }
  out += '}';
  if (!error.exchange.empty()) append_candor(out, error.exchange, {});
  out += '}';
}

const Dialect& openai_dialect() noexcept {
  static const OpenAi kDialect;
  return kDialect;
}

}  // namespace candor::dialect
