// OpenAI: POST /v1/chat/completions. After OpenAI's API reference (chat/create).
#include <array>

#include <fmt/format.h>

#include "dialect/internal/openai_fields.h"
#include "dialect/internal/tool_fields.h"

namespace candor::dialect {
namespace {

using enum FieldAction;
using Reader = RequestReader;
using json::Value;

// --- messages ---

constexpr FieldSpec kMessageFields[] = {
    {{"messages[].role", kHonour, "system, developer (read as system), user, assistant, tool"}},
    {{"messages[].content", kHonour,
      "a string, or a list of text parts; may be null beside tool_calls"}},
    {{"messages[].content[].type", kHonour, "text; images, audio and files are refused"}},
    {{"messages[].content[].text", kHonour, "a string"}},
    {{"messages[].tool_calls", kHonour, "of an assistant message, up to 64"}},
    {{"messages[].tool_calls[].id", kHonour, "for tool_call_id; not passed on"}},
    {{"messages[].tool_calls[].type", kAccept, "function only"}},
    {{"messages[].tool_calls[].function.name", kHonour, "1 to 128 letters, digits, _ - ."}},
    {{"messages[].tool_calls[].function.arguments", kHonour, "a JSON object as a string"}},
    {{"messages[].tool_call_id", kHonour, "of a tool message: names a call of an earlier message"}},
    {{"messages[].name", kDrop, "the engine's templates have no place for it"}},
    {{"messages[].refusal", kDrop, "of an earlier answer"}},
    {{"messages[].reasoning_content", kDrop, "of an earlier answer"}},
    {{"messages[].annotations", kDrop, "of an earlier answer"}},
    {{"messages[].audio", kRefuse, kNoImages}},
    {{"messages[].function_call", kRefuse, "the older form; send tool_calls"}},
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
  } else if (*role == "tool") {
    message.role = Role::kTool;
  } else {
    return reader.refuse("messages[].role",
                         "'messages[].role' must be system, developer, user, assistant or tool.",
                         "invalid_role");
  }
  return true;
}

constexpr std::size_t kMaxCalls = 64;

bool read_call(Reader& reader, const Value& value, CallIds& ids, Exchange& out) {
  const json::Object* call = value.if_object();
  if (call == nullptr) return reader.wrong_type("messages[].tool_calls[]", "an object");
  if (text_of(*call, "type").value_or("function") != "function") {
    return reader.refuse("messages[].tool_calls[].type",
                         "'messages[].tool_calls[].type' may only be function.",
                         "unsupported_tool");
  }
  const Value* function = present(*call, "function");
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
  return true;
}

bool read_calls(Reader& reader, const Value& value, CallIds& ids, Exchange& out) {
  if (!value.is_array()) return reader.wrong_type("messages[].tool_calls", "a list");
  if (value.get_array().size() > kMaxCalls) {
    return reader.refuse("messages[].tool_calls",
                         fmt::format("A message may have at most {} tool calls.", kMaxCalls),
                         "out_of_range");
  }
  if (out.messages.back().role != Role::kAssistant && !value.get_array().empty()) {
    return reader.refuse("messages[].tool_calls", "Only an assistant message calls tools.",
                         "invalid_messages");
  }
  for (const Value& item : value.get_array()) {
    if (!read_call(reader, item, ids, out)) return false;
  }
  return true;
}

bool read_other(Reader& reader, std::string_view key, const Value& value, Exchange& out) {
  const std::string name = fmt::format("messages[].{}", key);
  const FieldSpec* spec = find_spec(kMessageFields, name);
  if (spec != nullptr && spec->rule.action == kRefuse) {
    if (value.is_array() && value.get_array().empty()) return true;
    return reader.refuse(name, fmt::format("'{}': {}.", name, spec->rule.note),
                         "unsupported_field");
  }
  return reader.drop(out, name);
}

bool read_message(Reader& reader, const Value& value, CallIds& ids, Exchange& out) {
  const json::Object* object = value.if_object();
  if (object == nullptr) return reader.wrong_type("messages[]", "an object");
  Message& message = out.messages.emplace_back();
  if (!read_role(reader, *object, message)) return false;
  const bool is_tool = message.role == Role::kTool;
  bool has_content = false;
  for (const auto& member : *object) {
    const std::string_view key = view(member.key());
    if (key == "role" || member.value().is_null()) continue;
    bool read = true;
    if (key == "content") {
      has_content = true;
      read = read_content(reader, member.value(), message, out);
    } else if (key == "tool_calls") {
      read = read_calls(reader, member.value(), ids, out);
    } else if (key != "tool_call_id" || !is_tool) {
      read = read_other(reader, key, member.value(), out);
    }
    if (!read) return false;
  }
  if (!has_content && message.tool_calls.empty()) {
    return reader.refuse("messages[].content", "Each message needs 'content'.", "missing_field");
  }
  if (!is_tool) return true;
  const auto id = text_of(*object, "tool_call_id");
  if (!id) return reader.wrong_type("messages[].tool_call_id", "a string");
  return ids.answer(reader, *id, "messages[].tool_call_id", out);
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

// --- chat ---

bool read_logprobs(Reader& r, const Value& v, Exchange& out) {
  return r.flag(v, "logprobs", out.parameters.logprobs);
}
bool read_tool_choice(Reader& r, const Value& v, Exchange& out) {
  if (v.is_string()) return read_choice_word(r, v, out);
  const json::Object* object = v.if_object();
  if (object == nullptr) return r.wrong_type("tool_choice", "a string or an object");
  const Value* function = present(*object, "function");
  if (text_of(*object, "type") != "function" || function == nullptr || !function->is_object()) {
    return r.refuse("tool_choice",
                    "'tool_choice' may be none, auto, required or "
                    "{\"type\":\"function\",\"function\":{\"name\":...}}.",
                    "unsupported_field");
  }
  out.tool_choice.mode = ToolChoice::Mode::kNamed;
  return read_tool_name(r, present(function->get_object(), "name"), "tool_choice.function.name",
                        out.tool_choice.name);
}
bool read_response_format(Reader& r, const Value& v, Exchange& out) {
  const json::Object* object = v.if_object();
  if (object == nullptr) return r.wrong_type("response_format", "an object");
  const auto type = text_of(*object, "type");
  if (type != "json_schema") return read_plain_format(r, *object, "response_format", out);
  const Value* wrapper = present(*object, "json_schema");
  if (wrapper == nullptr || !wrapper->is_object()) {
    return r.wrong_type("response_format.json_schema", "an object");
  }
  return read_schema_format(r, wrapper->get_object(), "response_format.json_schema", out);
}
bool accept_text_modality(Reader& r, const Value& v, Exchange&) {
  if (v.is_array() && v.get_array().size() == 1 && v.get_array()[0].is_string() &&
      view(v.get_array()[0].get_string()) == "text") {
    return true;
  }
  return r.refuse("modalities", "'modalities' may only be [\"text\"].", "unsupported_field");
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
    {{"n", kHonour, "1 to 16, and at most the model's slots"}, read_n},
    {{"logprobs", kHonour, "true or false"}, read_logprobs},
    {{"top_logprobs", kHonour, "0 to 20; needs logprobs"}, read_top_logprobs},
    {{"tools", kHonour, "up to 128 functions, 512 KiB; not with streamed logprobs"},
     read_function_tools},
    {{"tools[].type", kAccept, "function only"}},
    {{"tools[].function.name", kHonour, "1 to 128 letters, digits, _ - ."}},
    {{"tools[].function.description", kHonour, "a string"}},
    {{"tools[].function.parameters", kHonour, "a schema of an object: schemas.md"}},
    {{"tools[].function.strict", kHonour, "true refuses schemas that cannot be enforced"}},
    {{"tool_choice", kHonour,
      "none, auto, required, or a function by its name; the last two are held by a grammar"},
     read_tool_choice},
    {{"parallel_tool_calls", kHonour,
      "true or false; a forced call is one call unless true, then up to 8"},
     read_parallel},
    {{"response_format", kHonour, "text, json_object or json_schema; not with callable tools"},
     read_response_format},
    {{"response_format.json_schema.schema", kHonour, "schemas.md"}},
    {{"response_format.json_schema.strict", kHonour,
      "true refuses schemas that cannot be enforced"}},
    {{"response_format.json_schema.name", kAccept, "without effect"}},
    {{"response_format.json_schema.description", kDrop, ""}},
    {{"reasoning_effort", kHonour, "none, minimal, low, medium, high; where the template has it"},
     read_effort},
    {{"modalities", kAccept, "[\"text\"] only"}, accept_text_modality},
    {{"function_call", kRefuse, "the older form; send tool_choice"}},
    {{"functions", kRefuse, "the older form; send tools"}},
    {{"logit_bias", kRefuse, "token biases are not supported by this version of Candor"}},
    {{"audio", kRefuse, kNoImages}},
    {{"web_search_options", kRefuse, "this server never searches the web"}},
    {{"user", kDrop, "who asks is what the server established itself"}},
    {{"safety_identifier", kDrop, "who asks is what the server established itself"}},
    {{"metadata", kDrop, ""}},
    {{"store", kDrop, "what is kept is the operator's configuration"}},
    {{"service_tier", kDrop, ""}},
    {{"prediction", kDrop, "speeds up, never changes, an answer"}},
    {{"prompt_cache_key", kDrop, "caching is the server's, within one caller"}},
    {{"prompt_cache_retention", kDrop, "caching is the server's, within one caller"}},
    {{"verbosity", kDrop, ""}},
};

bool check(RequestReader& reader, Exchange& out) {
  if (out.parameters.top_logprobs > 0 && !out.parameters.logprobs) {
    return reader.refuse("top_logprobs", "'top_logprobs' needs 'logprobs': true.",
                         "conflicting_fields");
  }
  return check_conversation(reader, out) && check_tools(reader, out);
}

constexpr auto kRules = rules_of(kChatFields, kMessageFields);

}  // namespace

ApiTable openai_chat_table() noexcept { return {kChatFields, kRules, check}; }

}  // namespace candor::dialect
