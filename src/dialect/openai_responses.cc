// OpenAI: POST /v1/responses. After OpenAI's API reference (responses/create). Nothing is stored:
// a conversation comes whole with each request.
#include <array>

#include <fmt/format.h>

#include "dialect/internal/openai_fields.h"
#include "dialect/internal/tool_fields.h"

namespace candor::dialect {
namespace {

using enum FieldAction;
using Reader = RequestReader;
using json::Value;

constexpr std::string_view kNothingStored =
    "this server stores no responses; send the whole conversation as input";
constexpr std::size_t kMaxCalls = 64;

constexpr FieldSpec kInputFields[] = {
    {{"input[].type", kHonour,
      "message (also when absent), function_call, function_call_output; reasoning is dropped; all "
      "else is refused"}},
    {{"input[].role", kHonour, "system, developer (read as system), user, assistant"}},
    {{"input[].content", kHonour, "a string, or a list of parts"}},
    {{"input[].content[].type", kHonour,
      "input_text, output_text, text, refusal; images, audio and files are refused"}},
    {{"input[].content[].text", kHonour, "a string; of a refusal its refusal"}},
    {{"input[].call_id", kHonour, "ties a function_call_output to its call; not passed on"}},
    {{"input[].name", kHonour, "of a function_call: 1 to 128 letters, digits, _ - ."}},
    {{"input[].arguments", kHonour, "of a function_call: a JSON object as a string"}},
    {{"input[].output", kHonour, "of a function_call_output: a string or text parts"}},
    {{"input[].id", kDrop, "nothing is stored under it"}},
    {{"input[].status", kDrop, "of an earlier answer"}},
    {{"input[].content[].annotations", kDrop, "of an earlier answer"}},
    {{"input[].content[].logprobs", kDrop, "of an earlier answer"}},
};

bool read_part(Reader& reader, const Value& value, std::string_view place, Message& message,
               Exchange& out) {
  const json::Object* part = value.if_object();
  if (part == nullptr) return reader.wrong_type(place, "a string or a list of objects");
  const auto type = text_of(*part, "type");
  const bool refusal = type == "refusal";
  if (type != "input_text" && type != "output_text" && type != "text" && !refusal) {
    return reader.refuse(place, fmt::format("'{}': {}.", place, kNoImages), "unsupported_content");
  }
  const std::string_view key = refusal ? "refusal" : "text";
  const Value* text = present(*part, key);
  if (text == nullptr) return reader.wrong_type(fmt::format("{}[].{}", place, key), "a string");
  if (!reader.text(*text, fmt::format("{}[].{}", place, key), message.parts.emplace_back().text)) {
    return false;
  }
  for (const auto& member : *part) {
    const std::string_view name = view(member.key());
    if (name == "type" || name == key || member.value().is_null()) continue;
    if (member.value().is_array() && member.value().get_array().empty()) continue;
    if (!reader.drop(out, fmt::format("{}[].{}", place, name))) return false;
  }
  return true;
}

bool read_parts(Reader& reader, const Value& value, std::string_view place, Message& message,
                Exchange& out) {
  if (value.is_string()) return reader.text(value, place, message.parts.emplace_back().text);
  if (!value.is_array()) return reader.wrong_type(place, "a string or a list");
  if (value.get_array().size() > reader.limits().max_parts) {
    return reader.refuse(
        place, fmt::format("'{}' may have at most {} parts.", place, reader.limits().max_parts),
        "out_of_range");
  }
  for (const Value& part : value.get_array()) {
    if (!read_part(reader, part, place, message, out)) return false;
  }
  return true;
}

// Fields of an item that have no effect.
bool drop_others(Reader& reader, const json::Object& item,
                 std::initializer_list<std::string_view> known, Exchange& out) {
  for (const auto& member : item) {
    const std::string_view key = view(member.key());
    if (key == "type" || member.value().is_null()) continue;
    if (std::ranges::find(known, key) != known.end()) continue;
    if (!reader.drop(out, fmt::format("input[].{}", key))) return false;
  }
  return true;
}

bool read_message(Reader& reader, const json::Object& item, Exchange& out) {
  Message& message = out.messages.emplace_back();
  const auto role = text_of(item, "role");
  if (role == "system" || role == "developer") {
    message.role = Role::kSystem;
  } else if (role == "user") {
    message.role = Role::kUser;
  } else if (role == "assistant") {
    message.role = Role::kAssistant;
  } else {
    return reader.refuse("input[].role",
                         "'input[].role' must be system, developer, user or assistant.",
                         "invalid_role");
  }
  const Value* content = present(item, "content");
  if (content == nullptr) {
    return reader.refuse("input[].content", "Each message needs 'content'.", "missing_field");
  }
  return read_parts(reader, *content, "input[].content", message, out) &&
         drop_others(reader, item, {"role", "content"}, out);
}

bool read_call(Reader& reader, const json::Object& item, CallIds& ids, Exchange& out) {
  if (out.messages.empty() || out.messages.back().role != Role::kAssistant) {
    out.messages.emplace_back().role = Role::kAssistant;
  }
  if (out.messages.back().tool_calls.size() >= kMaxCalls) {
    return reader.refuse("input",
                         fmt::format("A message may have at most {} function calls.", kMaxCalls),
                         "out_of_range");
  }
  ToolCall& call = out.messages.back().tool_calls.emplace_back();
  if (!read_tool_name(reader, present(item, "name"), "input[].name", call.name) ||
      !read_arguments(reader, present(item, "arguments"), "input[].arguments", call.arguments)) {
    return false;
  }
  ids.add(out, text_of(item, "call_id").value_or(""));
  return drop_others(reader, item, {"name", "arguments", "call_id"}, out);
}

bool read_output(Reader& reader, const json::Object& item, CallIds& ids, Exchange& out) {
  Message& message = out.messages.emplace_back();
  message.role = Role::kTool;
  const Value* output = present(item, "output");
  if (output == nullptr) {
    return reader.refuse("input[].output", "A function_call_output needs 'output'.",
                         "missing_field");
  }
  const auto id = text_of(item, "call_id");
  if (!id) return reader.wrong_type("input[].call_id", "a string");
  return read_parts(reader, *output, "input[].output", message, out) &&
         ids.answer(reader, *id, "input[].call_id", out) &&
         drop_others(reader, item, {"output", "call_id"}, out);
}

bool read_item(Reader& reader, const Value& value, CallIds& ids, Exchange& out) {
  const json::Object* item = value.if_object();
  if (item == nullptr) return reader.wrong_type("input[]", "an object");
  const auto type = text_of(*item, "type").value_or("message");
  if (type == "message") return read_message(reader, *item, out);
  if (type == "function_call") return read_call(reader, *item, ids, out);
  if (type == "function_call_output") return read_output(reader, *item, ids, out);
  if (type == "reasoning") return reader.drop(out, "input[].reasoning");
  if (type == "item_reference") {
    return reader.refuse("input[].type", fmt::format("'item_reference': {}.", kNothingStored),
                         "unsupported_field");
  }
  return reader.refuse("input[].type",
                       "'input[].type' may be message, function_call, function_call_output or "
                       "reasoning: this server runs no tools itself.",
                       "unsupported_content");
}

bool read_input_items(Reader& reader, const Value& value, Exchange& out) {
  if (value.is_string()) {
    Message& message = out.messages.emplace_back();
    return reader.text(value, "input", message.parts.emplace_back().text);
  }
  if (!value.is_array()) return reader.wrong_type("input", "a string or a list");
  const json::Array& list = value.get_array();
  if (list.size() > reader.limits().max_messages) {
    return reader.refuse(
        "input", fmt::format("'input' may hold at most {} items.", reader.limits().max_messages),
        "out_of_range");
  }
  CallIds ids;
  for (const Value& item : list) {
    if (!read_item(reader, item, ids, out)) return false;
  }
  return true;
}

bool read_instructions(Reader& reader, const Value& value, Exchange& out) {
  Message message;
  message.role = Role::kSystem;
  if (!reader.text(value, "instructions", message.parts.emplace_back().text)) return false;
  insert_first(std::move(message), out);
  return true;
}

bool read_max_output(Reader& r, const Value& v, Exchange& out) {
  return read_max_tokens(r, v, "max_output_tokens", out);
}

bool read_tools(Reader& reader, const Value& value, Exchange& out) {
  if (!value.is_array()) return reader.wrong_type("tools", "a list");
  for (const Value& item : value.get_array()) {
    const json::Object* tool = item.if_object();
    if (tool == nullptr) return reader.wrong_type("tools[]", "an object");
    if (text_of(*tool, "type") != "function") {
      return reader.refuse("tools[].type",
                           "'tools[].type' may only be function: this server runs no tools itself.",
                           "unsupported_tool");
    }
    if (!read_tool(reader, *tool, {"tools[]", "parameters"}, out)) return false;
  }
  return true;
}

bool read_tool_choice(Reader& r, const Value& v, Exchange& out) {
  if (v.is_string()) return read_choice_word(r, v, out);
  const json::Object* object = v.if_object();
  if (object == nullptr || text_of(*object, "type") != "function") {
    return r.refuse("tool_choice",
                    "'tool_choice' may be none, auto, required or "
                    "{\"type\":\"function\",\"name\":...}.",
                    "unsupported_field");
  }
  out.tool_choice.mode = ToolChoice::Mode::kNamed;
  return read_tool_name(r, present(*object, "name"), "tool_choice.name", out.tool_choice.name);
}

bool read_text_options(Reader& r, const Value& v, Exchange& out) {
  const json::Object* object = v.if_object();
  if (object == nullptr) return r.wrong_type("text", "an object");
  for (const auto& member : *object) {
    const std::string_view key = view(member.key());
    if (member.value().is_null()) continue;
    if (key != "format") {
      if (!r.drop(out, fmt::format("text.{}", key))) return false;
      continue;
    }
    const json::Object* format = member.value().if_object();
    if (format == nullptr) return r.wrong_type("text.format", "an object");
    const bool read = text_of(*format, "type") == "json_schema"
                          ? read_schema_format(r, *format, "text.format", out)
                          : read_plain_format(r, *format, "text.format", out);
    if (!read) return false;
  }
  return true;
}

bool read_reasoning(Reader& r, const Value& v, Exchange& out) {
  const json::Object* object = v.if_object();
  if (object == nullptr) return r.wrong_type("reasoning", "an object");
  for (const auto& member : *object) {
    const std::string_view key = view(member.key());
    if (member.value().is_null()) continue;
    if (key == "effort") {
      if (!read_effort_word(r, member.value(), "reasoning.effort", out)) return false;
    } else if (!r.drop(out, fmt::format("reasoning.{}", key))) {
      return false;
    }
  }
  return true;
}

bool accept_foreground(Reader& r, const Value& v, Exchange&) {
  bool background = false;
  if (!r.flag(v, "background", background)) return false;
  return !background ||
         r.refuse("background",
                  "'background' may only be false: " + std::string(kNothingStored) + ".",
                  "unsupported_field");
}
bool accept_no_truncation(Reader& r, const Value& v, Exchange&) {
  if (v.is_string() && view(v.get_string()) == "disabled") return true;
  return r.refuse("truncation",
                  "'truncation' may only be disabled: what was said is never cut silently.",
                  "unsupported_field");
}
bool accept_includes(Reader& r, const Value& v, Exchange& out) {
  if (!v.is_array()) return r.wrong_type("include", "a list");
  for (const Value& item : v.get_array()) {
    if (!item.is_string()) return r.wrong_type("include", "a list of strings");
    if (view(item.get_string()) == "message.output_text.logprobs") {
      out.parameters.logprobs = true;
    } else if (!r.drop(out, "include")) {
      return false;
    }
  }
  return true;
}

constexpr FieldSpec kResponseFields[] = {
    {{"model", kHonour, "1 to 256 bytes; required"}, read_model},
    {{"input", kHonour, "a string, or up to 4096 items; required"}, read_input_items},
    {{"instructions", kHonour, "a string; becomes the first message"}, read_instructions},
    {{"max_output_tokens", kHonour, "1 to 1048576, and at most the server's cap"}, read_max_output},
    {{"temperature", kHonour, "0 to 2"}, read_temperature},
    {{"top_p", kHonour, "0 to 1"}, read_top_p},
    {{"seed", kHonour, "0 to 4294967294; an extension; chosen and recorded if absent"}, read_seed},
    {{"stream", kHonour, "true or false"}, read_stream},
    {{"tools", kHonour, "up to 128 functions, 512 KiB; not with streamed logprobs"}, read_tools},
    {{"tools[].type", kAccept, "function only"}},
    {{"tools[].name", kHonour, "1 to 128 letters, digits, _ - ."}},
    {{"tools[].description", kHonour, "a string"}},
    {{"tools[].parameters", kHonour, "a schema of an object: schemas.md"}},
    {{"tools[].strict", kHonour, "true refuses schemas that cannot be enforced"}},
    {{"tool_choice", kHonour,
      "none, auto, required, or a function by its name; the last two are held by a grammar"},
     read_tool_choice},
    {{"parallel_tool_calls", kHonour,
      "true or false; a forced call is one call unless true, then up to 8"},
     read_parallel},
    {{"text", kHonour, "format: text, json_object or json_schema; its other fields are dropped"},
     read_text_options},
    {{"text.format.schema", kHonour, "schemas.md"}},
    {{"text.format.strict", kHonour, "true refuses schemas that cannot be enforced"}},
    {{"text.format.name", kAccept, "without effect"}},
    {{"text.verbosity", kDrop, ""}},
    {{"reasoning", kHonour, "effort; its other fields are dropped"}, read_reasoning},
    {{"reasoning.effort", kHonour, "none, minimal, low, medium, high; where the template has it"}},
    {{"include", kHonour, "message.output_text.logprobs; others are dropped"}, accept_includes},
    {{"top_logprobs", kHonour, "0 to 20"}, read_top_logprobs},
    {{"background", kAccept, "false only"}, accept_foreground},
    {{"truncation", kAccept, "disabled only"}, accept_no_truncation},
    {{"previous_response_id", kRefuse, kNothingStored}},
    {{"conversation", kRefuse, kNothingStored}},
    {{"prompt", kRefuse, "this server has no stored prompts; send the text as input"}},
    {{"max_tool_calls", kDrop, "this server runs no tools itself"}},
    {{"store", kDrop, "what is kept is the operator's configuration"}},
    {{"stream_options", kDrop, "obfuscation would only add bytes"}},
    {{"user", kDrop, "who asks is what the server established itself"}},
    {{"safety_identifier", kDrop, "who asks is what the server established itself"}},
    {{"metadata", kDrop, ""}},
    {{"service_tier", kDrop, ""}},
    {{"prompt_cache_key", kDrop, "caching is the server's, within one caller"}},
    {{"prompt_cache_retention", kDrop, "caching is the server's, within one caller"}},
};

bool check(RequestReader& reader, Exchange& out) {
  if (out.parameters.top_logprobs > 0) out.parameters.logprobs = true;
  if (out.messages.empty()) {
    return reader.refuse("input", "'input' is missing.", "missing_field");
  }
  return check_conversation(reader, out) && check_tools(reader, out);
}

constexpr auto kRules = rules_of(kResponseFields, kInputFields);

}  // namespace

ApiTable openai_responses_table() noexcept { return {kResponseFields, kRules, check}; }

}  // namespace candor::dialect
