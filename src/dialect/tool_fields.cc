#include "dialect/internal/tool_fields.h"

#include <algorithm>

#include <fmt/format.h>

#include "dialect/schema.h"
#include "dialect/transcript.h"

namespace candor::dialect {

bool read_schema(RequestReader& reader, const json::Value& value, std::string_view name,
                 bool strict, Schema& schema, Exchange& out) {
  auto bounded = bound_schema(value, strict);
  if (!bounded) {
    return reader.refuse(name,
                         fmt::format("The schema in '{}' {}. Make it simpler, or leave it out.",
                                     name, bounded.error().message),
                         "unsupported_schema");
  }
  for (const std::string_view keyword : bounded->not_enforced) {
    if (!reader.drop(out, fmt::format("{}.{}", name, keyword))) return false;
  }
  schema = std::move(bounded->schema);
  return reader.count_text(schema.text, name);
}

bool read_tool_name(RequestReader& reader, const json::Value* value, std::string_view place,
                    Text& name) {
  if (value == nullptr || !value->is_string()) return reader.wrong_type(place, "a string");
  const std::string_view text = view(value->get_string());
  const bool lawful = !text.empty() && text.size() <= 128 && std::ranges::all_of(text, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-' || c == '.';
  });
  if (!lawful) {
    return reader.refuse(
        place, fmt::format("'{}' must be 1 to 128 letters, digits, '_', '-' or '.'.", place),
        "out_of_range");
  }
  name = Text(std::string(text));
  return true;
}

bool read_tool(RequestReader& reader, const json::Object& from, const ToolKeys& keys,
               Exchange& out) {
  if (out.tools.size() >= kMaxTools) {
    return reader.refuse("tools", fmt::format("'tools' may hold at most {}.", kMaxTools),
                         "out_of_range");
  }
  const auto place = [&](std::string_view key) { return fmt::format("{}.{}", keys.place, key); };
  Tool tool;
  bool strict = false;
  if (!read_tool_name(reader, present(from, "name"), place("name"), tool.name)) return false;
  for (const Tool& other : out.tools) {
    if (other.name.reveal() == tool.name.reveal()) {
      return reader.refuse(place("name"), "Two tools have the same name.", "invalid_tools");
    }
  }
  if (const json::Value* value = present(from, "strict")) {
    if (!reader.flag(*value, place("strict"), strict)) return false;
  }
  for (const auto& member : from) {
    const std::string_view key = view(member.key());
    const json::Value& value = member.value();
    if (key == "name" || key == "strict" || key == "type" || value.is_null()) continue;
    if (key == "description") {
      if (!reader.text(value, place(key), tool.description.emplace())) return false;
    } else if (key == keys.parameters) {
      if (value.is_object() && value.get_object().empty()) continue;  // no parameters
      Schema schema;
      if (!read_schema(reader, value, place(key), strict, schema, out)) return false;
      if (!schema.enforced.reveal().starts_with(R"({"type":"object")")) {
        return reader.refuse(
            place(key),
            fmt::format("The schema in '{}' must have the type object at its root.", place(key)),
            "unsupported_schema");
      }
      tool.parameters = std::move(schema);
    } else if (!reader.drop(out, place(key))) {
      return false;
    }
  }
  out.tools.push_back(std::move(tool));
  return true;
}

bool read_function_tools(RequestReader& reader, const json::Value& value, Exchange& out) {
  if (!value.is_array()) return reader.wrong_type("tools", "a list");
  for (const json::Value& item : value.get_array()) {
    const json::Object* tool = item.if_object();
    if (tool == nullptr) return reader.wrong_type("tools[]", "an object");
    if (text_of(*tool, "type").value_or("function") != "function") {
      return reader.refuse("tools[].type",
                           "'tools[].type' may only be function: this server runs "
                           "no tools itself.",
                           "unsupported_tool");
    }
    const json::Value* function = present(*tool, "function");
    if (function == nullptr || !function->is_object()) {
      return reader.wrong_type("tools[].function", "an object");
    }
    if (!read_tool(reader, function->get_object(), {"tools[].function", "parameters"}, out)) {
      return false;
    }
    for (const auto& member : *tool) {
      const std::string_view key = view(member.key());
      if (key == "type" || key == "function" || member.value().is_null()) continue;
      if (!reader.drop(out, fmt::format("tools[].{}", key))) return false;
    }
  }
  return true;
}

bool read_arguments(RequestReader& reader, const json::Value* value, std::string_view place,
                    Text& arguments) {
  if (value == nullptr) {
    arguments = Text(std::string("{}"));
    return true;
  }
  if (value->is_object()) {
    arguments = Text(json::normal_form(*value, json::Order::kSorted));
    return reader.count_text(arguments, place);
  }
  if (!reader.text(*value, place, arguments)) return false;
  std::string canonical = canonical_arguments(arguments.reveal());
  if (!canonical.starts_with('{') || !json::parse(canonical)) {
    return reader.refuse(place, fmt::format("'{}' must be a JSON object.", place),
                         "invalid_arguments");
  }
  arguments = Text(std::move(canonical));
  return true;
}

void CallIds::add(const Exchange& out, std::string_view id) {
  const Message& message = out.messages.back();
  known_.push_back({std::string(id),
                    {static_cast<std::uint32_t>(out.messages.size() - 1),
                     static_cast<std::uint32_t>(message.tool_calls.size() - 1)}});
}

bool CallIds::answer(RequestReader& reader, std::string_view id, std::string_view place,
                     Exchange& out) {
  const auto found =
      std::find_if(known_.rbegin(), known_.rend(), [&](const Known& k) { return k.id == id; });
  if (found == known_.rend()) {
    return reader.refuse(place,
                         fmt::format("'{}' names no tool call of an earlier message. Send the "
                                     "message with the call before its result.",
                                     place),
                         "unknown_call");
  }
  out.messages.back().answers = found->position;
  return true;
}

void insert_first(Message message, Exchange& out) {
  out.messages.insert(out.messages.begin(), std::move(message));
  for (Message& other : out.messages) {
    if (other.answers) ++other.answers->message;
  }
}

bool check_tools(RequestReader& reader, Exchange& out) {
  const Parameters& p = out.parameters;
  if (out.tools.empty()) {
    if (out.forces_call()) {
      return reader.refuse("tool_choice",
                           "'tool_choice' asks for a call, but there are no 'tools'.",
                           "conflicting_fields");
    }
    out.tool_choice = {};
    return true;
  }
  if (out.tool_choice.mode == ToolChoice::Mode::kNamed &&
      std::ranges::none_of(out.tools, [&](const Tool& tool) {
        return tool.name.reveal() == out.tool_choice.name.reveal();
      })) {
    return reader.refuse("tool_choice", "'tool_choice' names none of the 'tools'.",
                         "conflicting_fields");
  }
  std::size_t bytes = 0;
  for (const Tool& tool : out.tools) {
    bytes += tool.description ? tool.description->reveal().size() : 0;
    bytes += tool.parameters ? tool.parameters->enforced.reveal().size() : 0;
  }
  if (bytes > kMaxToolBytes) {
    return reader.refuse("tools",
                         fmt::format("The 'tools' have more than {} bytes of schemas and "
                                     "descriptions. Send fewer.",
                                     kMaxToolBytes),
                         "too_large");
  }
  if (p.logprobs && out.stream) {
    return reader.refuse("logprobs",
                         "Log probabilities cannot be streamed together with 'tools'. Leave out "
                         "one of them, or do not stream.",
                         "conflicting_fields");
  }
  if (p.logprobs && out.forces_call()) {
    return reader.refuse("logprobs", "There are no log probabilities for a forced tool call.",
                         "conflicting_fields");
  }
  if (out.response_format.kind != ResponseFormat::Kind::kText &&
      out.tool_choice.mode != ToolChoice::Mode::kNone) {
    return reader.refuse("response_format",
                         "A forced format of the answer cannot be combined with 'tools' that may "
                         "be called. Leave out one of them, or set 'tool_choice' to none.",
                         "conflicting_fields");
  }
  return true;
}

}  // namespace candor::dialect
