#include "dialect/internal/request_reader.h"

#include <array>
#include <cmath>

#include <fmt/format.h>

namespace candor::dialect {

const json::Value* present(const json::Object& object, std::string_view key) {
  const json::Value* value = json::find(object, key);
  return value == nullptr || value->is_null() ? nullptr : value;
}

std::optional<std::string_view> text_of(const json::Object& object, std::string_view key) {
  const json::Value* value = present(object, key);
  if (value == nullptr || !value->is_string()) return std::nullopt;
  return view(value->get_string());
}

std::optional<std::uint64_t> count_of(const json::Object& object, std::string_view key) {
  const json::Value* value = present(object, key);
  if (value == nullptr) return std::nullopt;
  if (const auto* number = value->if_int64()) {
    if (*number < 0) return std::nullopt;
    return static_cast<std::uint64_t>(*number);
  }
  if (const auto* number = value->if_uint64()) return *number;
  return std::nullopt;
}

std::string safe_name(std::string_view name) {
  std::string out;
  for (const char c : name.substr(0, 64)) out += c > 0x20 && c < 0x7F && c != '"' ? c : '?';
  return out;
}

bool RequestReader::refuse(std::string_view name, std::string message, std::string_view code) {
  if (!error_) {
    error_ = make_error(ErrorKind::kInvalidRequest, std::move(message), safe_name(name),
                        std::string(code));
  }
  return false;
}

bool RequestReader::wrong_type(std::string_view name, std::string_view wanted) {
  return refuse(name, fmt::format("'{}' must be {}.", safe_name(name), wanted), "invalid_type");
}

bool RequestReader::text(const json::Value& value, std::string_view name, Text& out) {
  if (!value.is_string()) return wrong_type(name, "a string");
  out = Text(std::string(view(value.get_string())));
  return count_text(out, name);
}

bool RequestReader::count_text(const Text& text, std::string_view name) {
  text_bytes_ += text.reveal().size();
  if (text_bytes_ > limits().max_text_bytes) {
    return refuse(name,
                  fmt::format("The request holds more text than the {} bytes that are allowed. "
                              "Send less, or ask the operator to raise the limit.",
                              limits().max_text_bytes),
                  "too_large");
  }
  return true;
}

bool RequestReader::name_text(const json::Value& value, std::string_view name, std::size_t max,
                              std::string& out) {
  if (!value.is_string()) return wrong_type(name, "a string");
  const std::string_view text = view(value.get_string());
  if (text.empty() || text.size() > max) {
    return refuse(name, fmt::format("'{}' must have 1 to {} bytes.", name, max), "out_of_range");
  }
  out = text;
  return true;
}

bool RequestReader::flag(const json::Value& value, std::string_view name, bool& out) {
  if (!value.is_bool()) return wrong_type(name, "true or false");
  out = value.get_bool();
  return true;
}

bool RequestReader::integer(const json::Value& value, std::string_view name, std::uint32_t low,
                            std::uint32_t high, std::uint32_t& out) {
  const bool is_integer = value.is_int64() || value.is_uint64();
  if (!is_integer) return wrong_type(name, "an integer");
  const auto* number = value.if_int64();
  if (number == nullptr || *number < low || *number > high) {
    return refuse(name, fmt::format("'{}' must be between {} and {}.", name, low, high),
                  "out_of_range");
  }
  out = static_cast<std::uint32_t>(*number);
  return true;
}

bool RequestReader::fraction(const json::Value& value, std::string_view name, float low, float high,
                             std::optional<float>& out) {
  double number = 0;
  if (const auto* real = value.if_double()) {
    number = *real;
  } else if (const auto* integer = value.if_int64()) {
    number = static_cast<double>(*integer);
  } else if (const auto* large = value.if_uint64()) {
    number = static_cast<double>(*large);
  } else {
    return wrong_type(name, "a number");
  }
  if (!std::isfinite(number) || number < static_cast<double>(low) ||
      number > static_cast<double>(high)) {
    return refuse(name, fmt::format("'{}' must be between {} and {}.", name, low, high),
                  "out_of_range");
  }
  out = static_cast<float>(number);
  return true;
}

bool RequestReader::stops(const json::Value& value, std::string_view name,
                          std::vector<std::string>& out) {
  const auto one = [&](const json::Value& item) {
    if (!item.is_string()) return wrong_type(name, "a string or a list of strings");
    const std::string_view text = view(item.get_string());
    if (text.empty() || text.size() > limits().max_stop_bytes) {
      return refuse(
          name,
          fmt::format("Each text in '{}' must have 1 to {} bytes.", name, limits().max_stop_bytes),
          "out_of_range");
    }
    out.emplace_back(text);
    return true;
  };
  if (value.is_string()) return one(value);
  if (!value.is_array()) return wrong_type(name, "a string or a list of strings");
  if (value.get_array().size() > limits().max_stops) {
    return refuse(name, fmt::format("'{}' may hold at most {} texts.", name, limits().max_stops),
                  "out_of_range");
  }
  for (const json::Value& item : value.get_array()) {
    if (!one(item)) return false;
  }
  return true;
}

bool RequestReader::drop(Exchange& out, std::string_view name) {
  if (options_.strict_fields) {
    return refuse(name,
                  fmt::format("The field '{}' has no effect here, and this server refuses such "
                              "fields (strict_fields). Remove it.",
                              safe_name(name)),
                  "unknown_field");
  }
  ++out.dropped_count;
  if (out.dropped_fields.size() < kMaxDroppedNames) {
    // Cut between code points, so that the name stays UTF-8.
    std::string_view cut = name.substr(0, 64);
    while (cut.size() < name.size() && !cut.empty() &&
           (static_cast<unsigned char>(name[cut.size()]) & 0xC0U) == 0x80) {
      cut.remove_suffix(1);
    }
    out.dropped_fields.emplace_back(cut);
  }
  return true;
}

const FieldSpec* find_spec(std::span<const FieldSpec> specs, std::string_view name) {
  for (const FieldSpec& spec : specs) {
    if (spec.rule.name == name) return &spec;
  }
  return nullptr;
}

namespace {

bool is_empty(const json::Value& value) {
  return (value.is_array() && value.get_array().empty()) ||
         (value.is_object() && value.get_object().empty());
}

}  // namespace

bool read_fields(RequestReader& reader, std::string_view body, std::span<const FieldSpec> specs,
                 Exchange& out) {
  if (body.size() > reader.limits().max_body_bytes) {
    return reader.refuse("",
                         fmt::format("The body is larger than the {} bytes that are allowed.",
                                     reader.limits().max_body_bytes),
                         "too_large");
  }
  json::Limits limits;
  limits.max_bytes = reader.limits().max_body_bytes;
  limits.max_depth = 32;
  const Result<json::Value> value = json::parse(body, limits);
  if (!value) {
    return reader.refuse("",
                         fmt::format("The body must be one JSON object in UTF-8 without duplicate "
                                     "keys, at most 32 levels deep: {}.",
                                     value.error().message()),
                         "invalid_json");
  }
  const json::Object* object = value->if_object();
  if (object == nullptr)
    return reader.refuse("", "The body must be a JSON object.", "invalid_json");
  for (const auto& member : *object) {
    const std::string_view name = view(member.key());
    if (member.value().is_null()) continue;
    // A client's name never matches a nested row: those hold brackets and have no function.
    const FieldSpec* spec = find_spec(specs, name);
    if (spec == nullptr || name.find('[') != std::string_view::npos ||
        name.find('.') != std::string_view::npos) {
      if (!reader.drop(out, name)) return false;
      continue;
    }
    switch (spec->rule.action) {
      case FieldAction::kHonour:
      case FieldAction::kAccept:
        if (!spec->apply(reader, member.value(), out)) return false;
        break;
      case FieldAction::kRefuse:
        if (is_empty(member.value())) break;  // asks for nothing
        return reader.refuse(name, fmt::format("'{}': {}.", name, spec->rule.note),
                             "unsupported_field");
      case FieldAction::kDrop:
        if (!reader.drop(out, name)) return false;
        break;
    }
  }
  return true;
}

std::expected<Exchange, ErrorInfo> read_request(Api api, const ApiTable& table,
                                                std::string_view body,
                                                const ParseOptions& options) {
  RequestReader reader(options);
  Exchange out;
  out.api = api;
  out.stream = table.streams_by_default;
  if (!read_fields(reader, body, table.specs, out) ||
      (out.model.empty() &&
       !reader.refuse("model", "'model' is missing: name one that the models list shows.",
                      "missing_field")) ||
      !table.check(reader, out)) {
    return std::unexpected(reader.take_error());
  }
  return out;
}

bool read_inputs(RequestReader& reader, const json::Value& value, Exchange& out) {
  const auto add = [&](const json::Value& item) {
    if (!item.is_string()) {
      return reader.refuse("input",
                           "'input' must be text: lists of token numbers cannot be recorded as "
                           "what they mean and are refused.",
                           "unsupported_input");
    }
    if (item.get_string().empty()) {
      return reader.refuse("input", "A text of 'input' is empty.", "out_of_range");
    }
    return reader.text(item, "input", out.inputs.emplace_back());
  };
  if (!value.is_array()) return add(value);
  const std::size_t most = reader.limits().max_inputs;
  if (value.get_array().empty() || value.get_array().size() > most) {
    return reader.refuse("input", fmt::format("'input' may hold 1 to {} texts.", most),
                         "out_of_range");
  }
  for (const json::Value& item : value.get_array()) {
    if (!add(item)) return false;
  }
  return true;
}

bool check_conversation(RequestReader& reader, const Exchange& exchange) {
  const auto& messages = exchange.messages;
  if (messages.empty()) {
    return reader.refuse("messages", "'messages' must hold at least one message.", "missing_field");
  }
  // A last assistant message is continued by the engine; two in a row have no such meaning, nor has
  // one that calls tools, nor a continuation that a grammar would begin anew.
  if (messages.back().role == Role::kAssistant) {
    if (!messages.back().tool_calls.empty()) {
      return reader.refuse("messages", "The last message calls tools. Send their results after it.",
                           "invalid_messages");
    }
    if (exchange.forces_call() || exchange.response_format.kind != ResponseFormat::Kind::kText) {
      return reader.refuse("messages",
                           "A last assistant message is continued, which cannot be combined with a "
                           "forced tool call or format. Leave it out.",
                           "invalid_messages");
    }
  }
  if (messages.size() >= 2 && messages.back().role == Role::kAssistant &&
      messages[messages.size() - 2].role == Role::kAssistant) {
    return reader.refuse("messages",
                         "'messages' may end with one assistant message, which is continued, not "
                         "with two. Join them into one.",
                         "invalid_messages");
  }
  return true;
}

}  // namespace candor::dialect
