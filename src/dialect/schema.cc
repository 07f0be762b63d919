#include "dialect/schema.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "base/check.h"
#include "dialect/internal/json_parts.h"
#include "dialect/internal/request_reader.h"

namespace candor::dialect {
namespace {

using enum KeywordAction;
using json::Value;

constexpr KeywordRule kKeywords[] = {
    {"$ref", kEnforce,
     "`#/$defs/NAME` or `#/definitions/NAME`; other keywords beside it have no effect"},
    {"$defs", kEnforce, "at the root"},
    {"definitions", kEnforce, "at the root"},
    {"anyOf", kEnforce, "1 to 32 schemas; beside `properties` it is not enforced"},
    {"oneOf", kEnforce, "as `anyOf`: that only one fits is not enforced"},
    {"allOf", kEnforce, "of one schema; of more it is not enforced"},
    {"type", kEnforce, "one of the seven names, or a list of them"},
    {"enum", kEnforce, "1 to 256 values, each at most 1024 bytes"},
    {"const", kEnforce, "at most 1024 bytes"},
    {"properties", kEnforce,
     "at most 64, in the order in which they stand; those that stand in `required` come first"},
    {"required", kEnforce, "names of `properties`"},
    {"additionalProperties", kEnforce,
     "`false`, `true` or a schema; beside property names other than letters, digits and `_` always "
     "as `false`, and as `false` when it is absent and `properties` are there"},
    {"items", kEnforce, "a schema"},
    {"prefixItems", kEnforce, "1 to 32 schemas, none of them left out"},
    {"minItems", kEnforce, "at most 512"},
    {"maxItems", kEnforce, "at most 512"},
    {"minLength", kEnforce, "at most 512; not beside `format`"},
    {"maxLength", kEnforce, "at most 512; not beside `format`"},
    {"format", kEnforce, "`date`, `time`, `date-time`, `uuid`; others constrain nothing"},
    {"minimum", kEnforce, "of integers, within 2^53"},
    {"maximum", kEnforce, "of integers, within 2^53"},
    {"exclusiveMinimum", kEnforce, "of integers, within 2^53"},
    {"exclusiveMaximum", kEnforce, "of integers, within 2^53"},
    {"title", kDescribe, "at most 8192 bytes"},
    {"description", kDescribe, "at most 8192 bytes"},
    {"default", kDescribe, "at most 1024 bytes"},
    {"$schema", kIgnore, ""},
    {"$id", kIgnore, ""},
    {"$comment", kIgnore, ""},
    {"examples", kIgnore, ""},
    {"example", kIgnore, ""},
    {"deprecated", kIgnore, ""},
    {"readOnly", kIgnore, ""},
    {"writeOnly", kIgnore, ""},
    {"discriminator", kIgnore, ""},
    {"contentEncoding", kIgnore, ""},
    {"contentMediaType", kIgnore, ""},
    {"nullable", kIgnore, "OpenAPI's; write `null` into `type`"},
    {"pattern", kCannot, ""},
    {"multipleOf", kCannot, ""},
    {"uniqueItems", kCannot, ""},
    {"contains", kCannot, ""},
    {"minContains", kCannot, ""},
    {"maxContains", kCannot, ""},
    {"minProperties", kCannot, ""},
    {"maxProperties", kCannot, ""},
    {"patternProperties", kCannot, ""},
    {"propertyNames", kCannot, ""},
    {"dependencies", kCannot, ""},
    {"dependentRequired", kCannot, ""},
    {"dependentSchemas", kCannot, ""},
    {"unevaluatedItems", kCannot, ""},
    {"unevaluatedProperties", kCannot, ""},
    {"additionalItems", kCannot, ""},
    {"not", kCannot, ""},
    {"if", kCannot, ""},
    {"then", kCannot, ""},
    {"else", kCannot, ""},
};

constexpr std::string_view kTypes[] = {"object", "array",   "string", "integer",
                                       "number", "boolean", "null"};
constexpr std::string_view kFormats[] = {"date", "time", "date-time", "uuid"};
constexpr std::size_t kMaxAlternatives = 32;
constexpr std::int64_t kMaxBound = std::int64_t{1} << 53U;

bool is_plain_name(std::string_view name) {
  return std::ranges::all_of(name, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
  });
}

class Writer {
 public:
  // definitions: where the schema's own will stand, as a JSON pointer with its last slash.
  Writer(const json::Object& root, bool strict, const SchemaLimits& limits,
         std::string_view definitions)
      : strict_(strict), limits_(limits), definitions_at_(definitions) {
    for (const std::string_view key : {"$defs", "definitions"}) {
      const Value* value = present(root, key);
      if (value != nullptr && value->is_object())
        definitions_.push_back({key, &value->get_object()});
    }
  }

  bool root(const json::Object& schema) {
    if (!node(schema, 1, /*is_root=*/true)) return false;
    return out_.size() <= limits_.max_bytes || refuse("is too large");
  }
  [[nodiscard]] std::string take() { return std::move(out_); }
  [[nodiscard]] SchemaError take_error() { return {std::move(error_)}; }
  [[nodiscard]] std::vector<std::string_view> not_enforced() const { return not_enforced_; }

 private:
  bool refuse(std::string message) {
    if (error_.empty()) error_ = std::move(message);
    return false;
  }
  // A constraint that will not hold.
  bool cannot(std::string_view keyword) {
    if (strict_) {
      return refuse(fmt::format(
          "uses '{}' in a way that cannot be enforced, and it is marked strict", keyword));
    }
    if (std::ranges::find(not_enforced_, keyword) == not_enforced_.end()) {
      not_enforced_.push_back(keyword);
    }
    return true;
  }
  void key(std::string_view name) {
    if (out_.back() != '{') out_ += ',';
    out_ += '"';
    out_ += name;
    out_ += "\":";
  }

  bool schema(const Value& value, std::size_t depth) {
    if (out_.size() > limits_.max_bytes) return refuse("is too large");
    if (value.is_bool()) {
      // `true` accepts anything; nothing can be written for `false`.
      if (!value.get_bool() && !cannot("false")) return false;
      if (++nodes_ > limits_.max_nodes) return refuse("has too many parts");
      out_ += "{}";
      return true;
    }
    if (!value.is_object()) return refuse("has a part that is neither an object nor a boolean");
    return node(value.get_object(), depth, /*is_root=*/false);
  }

  bool node(const json::Object& from, std::size_t depth, bool is_root) {
    if (depth > limits_.max_depth) {
      return refuse(fmt::format("is more than {} levels deep", limits_.max_depth));
    }
    if (++nodes_ > limits_.max_nodes) {
      return refuse(fmt::format("has more than {} parts", limits_.max_nodes));
    }
    for (const auto& member : from) {
      const auto* rule = std::ranges::find(kKeywords, view(member.key()), &KeywordRule::name);
      if (rule != std::end(kKeywords) && rule->action == kCannot && !cannot(rule->name))
        return false;
    }
    out_ += '{';
    if (!body(from, depth) || !describe(from)) return false;
    if (is_root && !write_definitions()) return false;
    out_ += '}';
    return true;
  }

  // The keyword that decides what a schema is, in the order in which the engine looks at them.
  bool body(const json::Object& from, std::size_t depth) {
    if (const Value* value = present(from, "$ref")) return reference(*value);
    const bool has_properties = present(from, "properties") != nullptr;
    for (const std::string_view name : {"oneOf", "anyOf"}) {
      const Value* value = present(from, name);
      if (value == nullptr) continue;
      if (has_properties) {
        if (!cannot(name)) return false;
        continue;
      }
      return alternatives(*value, depth);
    }
    if (const Value* value = present(from, "allOf")) {
      const json::Array* list = value->if_array();
      if (list == nullptr || list->empty())
        return refuse("has an 'allOf' that is no list of schemas");
      if (list->size() > 1 || has_properties) {
        if (!cannot("allOf")) return false;
      } else {
        key("anyOf");
        out_ += '[';
        if (!schema(list->front(), depth + 1)) return false;
        out_ += ']';
        return true;
      }
    }
    if (const Value* value = json::find(from, "const")) {
      key("const");
      return literal(*value);
    }
    if (const Value* value = present(from, "enum")) return values(*value);
    return typed(from, depth);
  }

  bool reference(const Value& value) {
    if (!value.is_string()) return refuse("has a '$ref' that is no text");
    const std::string_view target = view(value.get_string());
    for (const auto& [place, object] : definitions_) {
      const std::string prefix = fmt::format("#/{}/", place);
      if (!target.starts_with(prefix)) continue;
      const std::string_view name = target.substr(prefix.size());
      if (name.size() > limits_.max_name_bytes || json::find(*object, name) == nullptr) break;
      key("$ref");
      json::append_string(out_,
                          fmt::format("{}{}", definitions_at_, definition_name(*object, name)));
      return true;
    }
    return refuse("has a '$ref' to something else than one of its own '$defs'");
  }

  // Names of ours, so that no separator or odd character of a client's stands in a reference.
  std::string definition_name(const json::Object& object, std::string_view name) {
    for (std::size_t i = 0; i < used_.size(); ++i) {
      if (used_[i].first == &object && used_[i].second == name) return fmt::format("d{}", i);
    }
    used_.emplace_back(&object, name);
    return fmt::format("d{}", used_.size() - 1);
  }

  // Those that are referred to, also from each other.
  bool write_definitions() {
    for (std::size_t i = 0; i < used_.size(); ++i) {
      if (i == 0) {
        key("$defs");
        out_ += '{';
      }
      key(fmt::format("d{}", i));
      if (!schema(*json::find(*used_[i].first, used_[i].second), 2)) return false;
    }
    if (!used_.empty()) out_ += '}';
    return true;
  }

  bool alternatives(const Value& value, std::size_t depth) {
    const json::Array* list = value.if_array();
    if (list == nullptr || list->empty() || list->size() > kMaxAlternatives) {
      return refuse(fmt::format("must list 1 to {} schemas in 'anyOf'", kMaxAlternatives));
    }
    key("anyOf");
    out_ += '[';
    for (std::size_t i = 0; i < list->size(); ++i) {
      if (i > 0) out_ += ',';
      if (!schema((*list)[i], depth + 1)) return false;
    }
    out_ += ']';
    return true;
  }

  bool literal(const Value& value) {
    const std::string text = json::normal_form(value, json::Order::kKept);
    if (text.size() > limits_.max_value_bytes) {
      return refuse(fmt::format("has a value of more than {} bytes", limits_.max_value_bytes));
    }
    out_ += text;
    return true;
  }

  bool values(const Value& value) {
    const json::Array* list = value.if_array();
    if (list == nullptr || list->empty() || list->size() > limits_.max_values) {
      return refuse(fmt::format("must list 1 to {} values in 'enum'", limits_.max_values));
    }
    key("enum");
    out_ += '[';
    for (std::size_t i = 0; i < list->size(); ++i) {
      if (i > 0) out_ += ',';
      if (!literal((*list)[i])) return false;
    }
    out_ += ']';
    return true;
  }

  bool typed(const json::Object& from, std::size_t depth) {
    const Value* type = present(from, "type");
    std::vector<std::string_view> types;
    const auto add = [&](const Value& value) {
      if (!value.is_string()) return false;
      const auto* known = std::ranges::find(kTypes, view(value.get_string()));
      if (known == std::end(kTypes)) return false;
      if (std::ranges::find(types, *known) == types.end()) types.push_back(*known);
      return true;
    };
    bool lawful = true;
    if (type != nullptr && type->is_array()) {
      for (const Value& item : type->get_array()) lawful = lawful && add(item);
      lawful = lawful && !types.empty();
    } else if (type != nullptr) {
      lawful = add(*type);
    }
    if (!lawful) return refuse("has a 'type' that is none of JSON Schema's");
    if (types.empty()) {
      if (present(from, "properties") || present(from, "additionalProperties")) {
        types.emplace_back("object");
      } else if (present(from, "items") || present(from, "prefixItems")) {
        types.emplace_back("array");
      }
    }
    if (types.size() == 1) return of_type(from, types.front(), depth);
    if (types.empty()) return true;  // anything
    key("anyOf");
    out_ += '[';
    for (std::size_t i = 0; i < types.size(); ++i) {
      out_ += i > 0 ? ",{" : "{";
      if (++nodes_ > limits_.max_nodes) return refuse("has too many parts");
      if (depth + 1 > limits_.max_depth) return refuse("is too deep");
      if (!of_type(from, types[i], depth + 1)) return false;
      out_ += '}';
    }
    out_ += ']';
    return true;
  }

  bool of_type(const json::Object& from, std::string_view type, std::size_t depth) {
    key("type");
    json::append_string(out_, type);
    if (type == "object") return object(from, depth);
    if (type == "array") return array(from, depth);
    if (type == "string") return string(from);
    if (type == "integer") return integer(from);
    if (type == "number") {
      for (const std::string_view name :
           {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"}) {
        if (present(from, name) != nullptr && !cannot(name)) return false;
      }
    }
    return true;
  }

  bool object(const json::Object& from, std::size_t depth) {
    static const json::Object kNone;
    const json::Object* properties = &kNone;
    const Value* value = present(from, "properties");
    if (value != nullptr) {
      if (!value->is_object()) return refuse("has 'properties' that are no object");
      properties = &value->get_object();
    }
    if (properties->size() > limits_.max_properties) {
      return refuse(
          fmt::format("has an object of more than {} properties", limits_.max_properties));
    }
    bool plain = true;
    if (value != nullptr) {
      key("properties");
      out_ += '{';
      for (const auto& member : *properties) {
        const std::string_view name = view(member.key());
        if (name.size() > limits_.max_name_bytes) {
          return refuse(fmt::format("has a property whose name is longer than {} bytes",
                                    limits_.max_name_bytes));
        }
        plain = plain && !name.empty() && is_plain_name(name);
        if (out_.back() != '{') out_ += ',';
        json::append_string(out_, name);
        out_ += ':';
        if (!schema(member.value(), depth + 1)) return false;
      }
      out_ += '}';
    }
    return required(from, *properties) && additional(from, value != nullptr, plain, depth);
  }

  bool required(const json::Object& from, const json::Object& properties) {
    const Value* list = present(from, "required");
    if (list == nullptr) return true;
    if (!list->is_array()) return refuse("has a 'required' that is no list");
    std::string names;
    for (const Value& item : list->get_array()) {
      if (!item.is_string()) return refuse("has a 'required' that is no list of names");
      if (json::find(properties, view(item.get_string())) == nullptr) {
        if (!cannot("required")) return false;
        continue;
      }
      if (!names.empty()) names += ',';
      json::append_string(names, view(item.get_string()));
      if (names.size() > limits_.max_bytes) return refuse("is too large");
    }
    if (names.empty()) return true;
    key("required");
    out_ += '[' + names + ']';
    return true;
  }

  bool additional(const json::Object& from, bool has_properties, bool plain, std::size_t depth) {
    const Value* more = present(from, "additionalProperties");
    if (more == nullptr) {
      if (!has_properties) return true;
      key("additionalProperties");
      out_ += "false";
      return true;
    }
    key("additionalProperties");
    if (more->is_bool() || !plain) {
      out_ += more->is_bool() && more->get_bool() && plain ? "true" : "false";
      return more->is_bool() || more->is_object() || refuse("has a wrong 'additionalProperties'");
    }
    return schema(*more, depth + 1);
  }

  bool array(const json::Object& from, std::size_t depth) {
    if (const Value* list = present(from, "prefixItems")) {
      if (!list->is_array() || list->get_array().empty() ||
          list->get_array().size() > kMaxAlternatives) {
        return refuse(fmt::format("must list 1 to {} schemas in 'prefixItems'", kMaxAlternatives));
      }
      key("prefixItems");
      out_ += '[';
      for (std::size_t i = 0; i < list->get_array().size(); ++i) {
        if (i > 0) out_ += ',';
        if (!schema(list->get_array()[i], depth + 1)) return false;
      }
      out_ += ']';
      const auto least = count_of(from, "minItems");
      return !least || *least <= list->get_array().size() || cannot("minItems");
    }
    if (const Value* items = present(from, "items")) {
      key("items");
      if (!schema(*items, depth + 1)) return false;
    }
    return repetition(from, "minItems", "maxItems");
  }

  // Both bounds, or none where one of them is too large.
  bool repetition(const json::Object& from, std::string_view low, std::string_view high) {
    for (const std::string_view name : {low, high}) {
      if (present(from, name) == nullptr) continue;
      const auto count = count_of(from, name);
      if (!count) return refuse(fmt::format("has a '{}' that is no whole number from 0", name));
      if (*count > limits_.max_repeat) {
        if (!cannot(name)) return false;
        continue;
      }
      repeated_ += static_cast<std::uint32_t>(*count);
      if (repeated_ > limits_.max_repeat_sum) {
        return refuse(
            fmt::format("asks for more than {} repetitions in all", limits_.max_repeat_sum));
      }
      key(name);
      append_number(out_, *count);
    }
    const auto least = count_of(from, low);
    const auto most = count_of(from, high);
    return !least || !most || *least <= *most ||
           refuse(fmt::format("has a '{}' above its '{}'", low, high));
  }

  bool string(const json::Object& from) {
    if (const Value* format = present(from, "format"); format != nullptr && format->is_string()) {
      const auto* known = std::ranges::find(kFormats, view(format->get_string()));
      if (known != std::end(kFormats)) {
        key("format");
        json::append_string(out_, *known);
        for (const std::string_view name : {"minLength", "maxLength"}) {
          if (present(from, name) != nullptr && !cannot(name)) return false;
        }
        return true;
      }
    }
    return repetition(from, "minLength", "maxLength");
  }

  bool integer(const json::Object& from) {
    for (const std::string_view name :
         {"minimum", "exclusiveMinimum", "maximum", "exclusiveMaximum"}) {
      const Value* value = present(from, name);
      if (value == nullptr) continue;
      const auto* number = value->if_int64();
      // The inclusive bound wins in the engine.
      const bool hidden = (name == "exclusiveMinimum" && present(from, "minimum") != nullptr) ||
                          (name == "exclusiveMaximum" && present(from, "maximum") != nullptr);
      if (number == nullptr || *number > kMaxBound || *number < -kMaxBound || hidden) {
        if (!cannot(name)) return false;
        continue;
      }
      key(name);
      append_number(out_, *number);
    }
    return true;
  }

  bool describe(const json::Object& from) {
    for (const std::string_view name : {"title", "description"}) {
      const auto text = text_of(from, name);
      if (!text) continue;
      if (text->size() > limits_.max_text_bytes) {
        return refuse(fmt::format("has a text of more than {} bytes", limits_.max_text_bytes));
      }
      key(name);
      json::append_string(out_, *text);
    }
    if (const Value* value = json::find(from, "default")) {
      key("default");
      return literal(*value);
    }
    return true;
  }

  bool strict_;
  const SchemaLimits& limits_;
  std::string_view definitions_at_;
  std::vector<std::pair<std::string_view, const json::Object*>> definitions_;
  std::vector<std::pair<const json::Object*, std::string>> used_;  // definitions, in our order
  std::string out_;
  std::string error_;
  std::vector<std::string_view> not_enforced_;
  std::size_t nodes_ = 0;
  std::uint32_t repeated_ = 0;
};

}  // namespace

std::span<const KeywordRule> schema_keywords() noexcept { return kKeywords; }

std::expected<BoundedSchema, SchemaError> bound_schema(const json::Value& value, bool strict,
                                                       const SchemaLimits& limits) {
  const json::Object* object = value.if_object();
  if (object == nullptr) return std::unexpected(SchemaError{"must be an object"});
  Writer writer(*object, strict, limits, "#/$defs/");
  if (!writer.root(*object)) return std::unexpected(writer.take_error());
  BoundedSchema out;
  out.not_enforced = writer.not_enforced();
  out.schema.enforced = Text(writer.take());
  out.schema.text = Text(json::normal_form(value, json::Order::kKept));
  return out;
}

bool forced_calls_are_list(const Exchange& forwarded) noexcept {
  return forwarded.tool_choice.mode == ToolChoice::Mode::kRequired &&
         forwarded.parameters.parallel_calls == true;
}

std::string forced_calls_schema(const Exchange& forwarded) {
  const bool list = forced_calls_are_list(forwarded);
  std::vector<const Tool*> tools;
  for (const Tool& tool : forwarded.tools) {
    if (forwarded.tool_choice.mode == ToolChoice::Mode::kNamed &&
        tool.name.reveal() != forwarded.tool_choice.name.reveal()) {
      continue;
    }
    tools.push_back(&tool);
  }
  std::string out;
  if (list) out += R"({"type":"array","items":)";
  if (tools.size() > 1) out += R"({"anyOf":[)";
  for (std::size_t i = 0; i < tools.size(); ++i) {
    if (i > 0) out += ',';
    out += R"({"type":"object","properties":{"name":{"const":)";
    append_text(out, tools[i]->name);
    out += R"(},"arguments":)";
    if (tools[i]->parameters) {
      const std::string at =
          fmt::format("#{}{}/properties/arguments/$defs/", list ? "/items" : "",
                      tools.size() > 1 ? fmt::format("/anyOf/{}", i) : std::string());
      const auto value = json::parse(tools[i]->parameters->enforced.reveal());
      CANDOR_CHECK(value.has_value() && value->is_object());  // our own text
      SchemaLimits limits;
      limits.max_bytes *= 4;  // the pointers are longer
      Writer writer(value->get_object(), /*strict=*/false, limits, at);
      CANDOR_CHECK(writer.root(value->get_object()));
      out += writer.take();
    } else {
      out += R"({"type":"object","properties":{},"additionalProperties":false})";
    }
    out += R"(},"required":["name","arguments"],"additionalProperties":false})";
  }
  if (tools.size() > 1) out += "]}";
  if (list) out += fmt::format(R"(,"minItems":1,"maxItems":{}}})", kMaxForcedCalls);
  return out;
}

}  // namespace candor::dialect
