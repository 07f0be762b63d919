#include "json/json.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <vector>

#include <boost/json/string.hpp>
#include <fmt/format.h>

#include "base/text.h"

namespace candor::json {
namespace {

constexpr std::int64_t kMaxSafeInteger = (std::int64_t{1} << 53U) - 1;
constexpr std::string_view kReplacement = "\xEF\xBF\xBD";  // U+FFFD

std::string_view view(const boost::json::string& s) { return {s.data(), s.size()}; }
std::string_view view(boost::json::string_view s) { return {s.data(), s.size()}; }

// UTF-16 order from UTF-8 bytes: the same as byte order but that U+E000 to U+FFFF (first byte EE or
// EF) come after U+10000 and above (F0 to F4), whose surrogates are D800 to DFFF.
constexpr unsigned utf16_rank(char c) {
  const unsigned byte = static_cast<unsigned char>(c);
  return byte == 0xEE || byte == 0xEF ? byte + 0x10U : byte;
}

bool utf16_less(std::string_view a, std::string_view b) {
  const std::size_t n = std::min(a.size(), b.size());
  for (std::size_t i = 0; i < n; ++i) {
    if (a[i] != b[i]) return utf16_rank(a[i]) < utf16_rank(b[i]);
  }
  return a.size() < b.size();
}

void append_escape(std::string& out, char c) {
  switch (c) {
    case '"': out += "\\\""; return;
    case '\\': out += "\\\\"; return;
    case '\b': out += "\\b"; return;
    case '\t': out += "\\t"; return;
    case '\n': out += "\\n"; return;
    case '\f': out += "\\f"; return;
    case '\r': out += "\\r"; return;
    default: break;
  }
  constexpr std::string_view kDigits = "0123456789abcdef";
  out += "\\u00";
  out += kDigits[static_cast<unsigned char>(c) >> 4U];
  out += kDigits[static_cast<unsigned char>(c) & 15U];
}

constexpr bool is_plain(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return byte >= 0x20 && byte < 0x80 && c != '"' && c != '\\';
}

constexpr auto kPlain = [] {
  std::array<bool, 256> table{};
  for (std::size_t i = 0; i < table.size(); ++i) table[i] = is_plain(static_cast<char>(i));
  return table;
}();

Result<void> write_canonical(std::string& out, const Value& value);

Result<void> write_canonical_object(std::string& out, const Object& object) {
  std::vector<const boost::json::key_value_pair*> members;
  members.reserve(object.size());
  for (const auto& member : object) members.push_back(&member);
  std::ranges::sort(members, [](const auto* a, const auto* b) {
    return utf16_less(view(a->key()), view(b->key()));
  });
  out += '{';
  bool first = true;
  for (const auto* member : members) {
    if (!first) out += ',';
    first = false;
    if (!is_utf8(view(member->key()))) return fail(Code::kInvalidArgument, "a key is not UTF-8");
    append_string(out, view(member->key()));
    out += ':';
    TRY(write_canonical(out, member->value()));
  }
  out += '}';
  return {};
}

Result<void> write_canonical(std::string& out, const Value& value) {
  switch (value.kind()) {
    case boost::json::kind::null: out += "null"; return {};
    case boost::json::kind::bool_: out += value.get_bool() ? "true" : "false"; return {};
    case boost::json::kind::int64: {
      const std::int64_t number = value.get_int64();
      if (number < -kMaxSafeInteger || number > kMaxSafeInteger) {
        return fail(Code::kInvalidArgument, "an integer is beyond 2^53-1");
      }
      out += fmt::format_int(number).c_str();
      return {};
    }
    case boost::json::kind::uint64: {
      const std::uint64_t number = value.get_uint64();
      if (number > std::uint64_t{kMaxSafeInteger}) {
        return fail(Code::kInvalidArgument, "an integer is beyond 2^53-1");
      }
      out += fmt::format_int(number).c_str();
      return {};
    }
    case boost::json::kind::double_:
      return fail(Code::kInvalidArgument, "a hashed document holds no fraction or exponent");
    case boost::json::kind::string:
      if (!is_utf8(view(value.get_string()))) {
        return fail(Code::kInvalidArgument, "a string is not UTF-8");
      }
      append_string(out, view(value.get_string()));
      return {};
    case boost::json::kind::array: {
      out += '[';
      bool first = true;
      for (const Value& item : value.get_array()) {
        if (!first) out += ',';
        first = false;
        TRY(write_canonical(out, item));
      }
      out += ']';
      return {};
    }
    case boost::json::kind::object: return write_canonical_object(out, value.get_object());
  }
  return fail(Code::kInternal, "a JSON value of no kind");
}

void write_text(std::string& out, const Value& value) {
  switch (value.kind()) {
    case boost::json::kind::null: out += "null"; return;
    case boost::json::kind::bool_: out += value.get_bool() ? "true" : "false"; return;
    case boost::json::kind::int64: out += fmt::format_int(value.get_int64()).c_str(); return;
    case boost::json::kind::uint64: out += fmt::format_int(value.get_uint64()).c_str(); return;
    case boost::json::kind::double_: {
      const double number = value.get_double();
      if (!std::isfinite(number)) {
        out += "null";
        return;
      }
      const std::string digits = fmt::format("{}", number);
      out += digits;
      // So that a reader, ours too, sees a double again.
      if (digits.find_first_of(".e") == std::string::npos) out += ".0";
      return;
    }
    case boost::json::kind::string: append_string(out, view(value.get_string())); return;
    case boost::json::kind::array: {
      out += '[';
      bool first = true;
      for (const Value& item : value.get_array()) {
        if (!first) out += ',';
        first = false;
        write_text(out, item);
      }
      out += ']';
      return;
    }
    case boost::json::kind::object: {
      out += '{';
      bool first = true;
      for (const auto& member : value.get_object()) {
        if (!first) out += ',';
        first = false;
        append_string(out, view(member.key()));
        out += ':';
        write_text(out, member.value());
      }
      out += '}';
      return;
    }
  }
}

// ECMAScript's Number::toString (ECMA-262, section 6.1.6.1.20) of a finite number.
void append_number(std::string& out, double number) {
  if (number == 0) {
    out += '0';  // also -0
    return;
  }
  std::array<char, 32> text{};
  const auto written =
      std::to_chars(text.data(), text.data() + text.size(), number, std::chars_format::scientific);
  std::string_view shown(text.data(), static_cast<std::size_t>(written.ptr - text.data()));
  if (shown.starts_with('-')) {
    out += '-';
    shown.remove_prefix(1);
  }
  const std::size_t e = shown.find('e');
  std::string digits(shown.substr(0, 1));
  if (e > 2) digits += shown.substr(2, e - 2);
  int exponent = 0;
  const std::string_view power = shown.substr(e + (shown[e + 1] == '+' ? 2 : 1));
  std::from_chars(power.data(), power.data() + power.size(), exponent);
  const int count = static_cast<int>(digits.size());
  const int point = exponent + 1;  // how many digits stand before the decimal point
  if (point >= count && point <= 21) {
    out += digits;
    out.append(static_cast<std::size_t>(point - count), '0');
  } else if (point > 0 && point <= 21) {
    out.append(digits, 0, static_cast<std::size_t>(point));
    out += '.';
    out.append(digits, static_cast<std::size_t>(point));
  } else if (point > -6 && point <= 0) {
    out += "0.";
    out.append(static_cast<std::size_t>(-point), '0');
    out += digits;
  } else {
    out += digits[0];
    if (count > 1) {
      out += '.';
      out.append(digits, 1);
    }
    out += point > 0 ? "e+" : "e-";
    out += fmt::format_int(std::abs(point - 1)).c_str();
  }
}

void write_normal(std::string& out, const Value& value, Order order) {
  switch (value.kind()) {
    case boost::json::kind::null: out += "null"; return;
    case boost::json::kind::bool_: out += value.get_bool() ? "true" : "false"; return;
    case boost::json::kind::int64:
      append_number(out, static_cast<double>(value.get_int64()));
      return;
    case boost::json::kind::uint64:
      append_number(out, static_cast<double>(value.get_uint64()));
      return;
    case boost::json::kind::double_: append_number(out, value.get_double()); return;
    case boost::json::kind::string: append_string(out, view(value.get_string())); return;
    case boost::json::kind::array: {
      out += '[';
      bool first = true;
      for (const Value& item : value.get_array()) {
        if (!first) out += ',';
        first = false;
        write_normal(out, item, order);
      }
      out += ']';
      return;
    }
    case boost::json::kind::object: {
      std::vector<const boost::json::key_value_pair*> members;
      members.reserve(value.get_object().size());
      for (const auto& member : value.get_object()) members.push_back(&member);
      if (order == Order::kSorted) {
        std::ranges::sort(members, [](const auto* a, const auto* b) {
          return utf16_less(view(a->key()), view(b->key()));
        });
      }
      out += '{';
      bool first = true;
      for (const auto* member : members) {
        if (!first) out += ',';
        first = false;
        append_string(out, view(member->key()));
        out += ':';
        write_normal(out, member->value(), order);
      }
      out += '}';
      return;
    }
  }
}

Result<const Value*> need(const Object& object, std::string_view key) {
  const Value* value = find(object, key);
  if (value == nullptr) {
    return fail(Code::kInvalidArgument, fmt::format("missing field '{}'", key));
  }
  return value;
}

std::unexpected<Error> wrong_type(std::string_view key, std::string_view wanted) {
  return fail(Code::kInvalidArgument, fmt::format("field '{}' must be {}", key, wanted));
}

}  // namespace

void append_string(std::string& out, std::string_view text) {
  out += '"';
  std::size_t begin = 0;  // of what is not yet copied
  std::size_t i = 0;
  while (i < text.size()) {
    if (kPlain[static_cast<unsigned char>(text[i])]) {
      ++i;
      continue;
    }
    if (static_cast<unsigned char>(text[i]) >= 0x80) {
      const std::size_t length = utf8_sequence(text.substr(i, 4));
      if (length > 0) {
        i += length;
        continue;
      }
    }
    out.append(text, begin, i - begin);
    if (static_cast<unsigned char>(text[i]) >= 0x80) {
      out += kReplacement;
    } else {
      append_escape(out, text[i]);
    }
    begin = ++i;
  }
  out.append(text, begin, text.size() - begin);
  out += '"';
}

Result<Value> parse_canonical(std::string_view text, const Limits& limits) {
  Value value = TRY(parse(text, limits));
  if (TRY(canonical(value)) != text) {
    return fail(Code::kInvalidArgument, "JSON is not in its canonical form (RFC 8785)");
  }
  return value;
}

Result<std::string> canonical(const Value& value) {
  std::string out;
  TRY(write_canonical(out, value));
  return out;
}

std::string normal_form(const Value& value, Order order) {
  std::string out;
  write_normal(out, value, order);
  return out;
}

std::string to_text(const Value& value) {
  std::string out;
  write_text(out, value);
  return out;
}

const Value* find(const Object& object, std::string_view key) {
  return object.if_contains({key.data(), key.size()});
}

Result<const Object*> as_object(const Value& value, std::string_view what) {
  const Object* object = value.if_object();
  if (object == nullptr) {
    return fail(Code::kInvalidArgument, fmt::format("{} must be an object", what));
  }
  return object;
}

Result<std::string_view> get_string(const Object& object, std::string_view key) {
  const auto* text = TRY(need(object, key))->if_string();
  if (text == nullptr) return wrong_type(key, "a string");
  return view(*text);
}

Result<std::int64_t> get_int(const Object& object, std::string_view key) {
  const Value* value = TRY(need(object, key));
  if (const auto* number = value->if_int64()) return *number;
  if (value->is_uint64()) return wrong_type(key, "an integer below 2^63");
  return wrong_type(key, "an integer");
}

Result<bool> get_bool(const Object& object, std::string_view key) {
  const auto* flag = TRY(need(object, key))->if_bool();
  if (flag == nullptr) return wrong_type(key, "true or false");
  return *flag;
}

Result<const Object*> get_object(const Object& object, std::string_view key) {
  const Object* inner = TRY(need(object, key))->if_object();
  if (inner == nullptr) return wrong_type(key, "an object");
  return inner;
}

Result<const Array*> get_array(const Object& object, std::string_view key) {
  const Array* inner = TRY(need(object, key))->if_array();
  if (inner == nullptr) return wrong_type(key, "an array");
  return inner;
}

Result<void> only_keys(const Object& object, std::initializer_list<std::string_view> known) {
  for (const auto& member : object) {
    if (std::ranges::find(known, view(member.key())) == known.end()) {
      // The name comes from outside: shown only where it cannot carry anything.
      const std::string_view key = view(member.key());
      const bool showable = key.size() <= 64 && std::ranges::all_of(key, [](char c) {
                              return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                                     (c >= '0' && c <= '9') || c == '_' || c == '-' || c == '.';
                            });
      return fail(Code::kInvalidArgument,
                  showable ? fmt::format("unknown field '{}'", key) : "unknown field");
    }
  }
  return {};
}

}  // namespace candor::json
