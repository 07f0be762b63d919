// What becomes of a lawful request: broken, or spelled otherwise.
#include <algorithm>
#include <limits>

#include <fmt/format.h>

#include "base/text.h"
#include "dialect/testing/request_maker.h"

namespace candor::dialect::testing {
namespace {

using json::Array;
using json::Object;
using json::Value;

// One code point as \uXXXX, or as a pair of surrogates.
void append_escape(std::string& out, std::string_view sequence) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(sequence[i]); };
  std::uint32_t point = sequence.size() == 1 ? byte(0) : byte(0) & (0x7FU >> sequence.size());
  for (std::size_t i = 1; i < sequence.size(); ++i) point = (point << 6U) | (byte(i) & 0x3FU);
  if (point >= 0x10000) {
    out += fmt::format("\\u{:04x}", 0xD800U + ((point - 0x10000U) >> 10U));
    point = 0xDC00U + ((point - 0x10000U) & 0x3FFU);
  }
  out += fmt::format("\\u{:04X}", point);
}
Value str(std::string_view text) { return Value(boost::json::string(text)); }

}  // namespace

// --- breaking ---

Value* RequestMaker::somewhere(Value& root) {
  Value* at = &root;
  while (!chance(3)) {
    if (auto* object = at->if_object(); object != nullptr && !object->empty()) {
      const auto i = data_.ConsumeIntegralInRange<std::size_t>(0, object->size() - 1);
      at = &(object->begin() + static_cast<std::ptrdiff_t>(i))->value();
    } else if (auto* array = at->if_array(); array != nullptr && !array->empty()) {
      at = &(*array)[data_.ConsumeIntegralInRange<std::size_t>(0, array->size() - 1)];
    } else {
      break;
    }
    if (data_.remaining_bytes() == 0) break;
  }
  return at;
}

void RequestMaker::break_value(Value& value) {
  switch (data_.ConsumeIntegralInRange(0, 11)) {
    case 0: value = nullptr; return;
    case 1: value = data_.ConsumeBool(); return;
    case 2: value = data_.ConsumeIntegral<std::int64_t>(); return;
    case 3: value = std::numeric_limits<std::uint64_t>::max(); return;
    case 4: value = data_.ConsumeBool() ? 1.7e308 : -0.0; return;
    case 5:
      value = str(std::string(data_.ConsumeIntegralInRange<std::size_t>(0, 400), 'x'));
      return;
    case 6: value = str(data_.ConsumeRandomLengthString(16)); return;
    case 7: {  // deep
      const int depth = data_.ConsumeIntegralInRange(1, 70);
      for (int i = 0; i < depth; ++i)
        value = data_.ConsumeBool() ? Value(Array{value}) : Object{{"a", value}};
      return;
    }
    case 8: value = Array{value}; return;
    case 9: value = Object{{"type", "text"}, {"text", value}}; return;
    case 10:
      if (auto* array = value.if_array(); array != nullptr && !array->empty()) {
        const auto times = data_.ConsumeIntegralInRange<std::size_t>(1, 8);
        for (std::size_t i = 0; i < times; ++i) array->push_back(Value(array->front()));
      }
      return;
    default:
      if (auto* object = value.if_object(); object != nullptr && !object->empty()) {
        const auto i = data_.ConsumeIntegralInRange<std::size_t>(0, object->size() - 1);
        auto* member = object->begin() + static_cast<std::ptrdiff_t>(i);
        if (data_.ConsumeBool()) {  // under another name
          (*object)[(object->begin())->key()] = Value(member->value());
        } else {
          object->erase(member);
        }
      }
  }
}

void RequestMaker::break_structure(Object& body) {
  const int times = data_.ConsumeIntegralInRange(1, 3);
  for (int i = 0; i < times; ++i) {
    Value root(std::move(body));
    Value* at = somewhere(root);
    if (chance(4)) {  // a part of it stands somewhere else as well
      const Value copy = *somewhere(root);
      *at = copy;
    } else {
      break_value(*at);
    }
    body = root.is_object() ? std::move(root.get_object()) : Object{{"model", std::move(root)}};
  }
}

void RequestMaker::break_text(std::string& body) {
  const auto at = data_.ConsumeIntegralInRange<std::size_t>(0, body.size());
  switch (data_.ConsumeIntegralInRange(0, 4)) {
    case 0: body.resize(at); return;
    case 1: body.insert(at, data_.ConsumeRandomLengthString(8)); return;
    case 2:
      if (at < body.size()) body[at] = static_cast<char>(data_.ConsumeIntegral<std::uint8_t>());
      return;
    case 3: body.insert(1, R"("model":"m",)"); return;
    default: body += body;
  }
}

// --- spelling ---

void RequestMaker::space(std::string& out) {
  if (spaces_ != 0 && chance(spaces_)) out += data_.ConsumeBool() ? " " : "\n\t ";
}

void RequestMaker::spell_string(std::string& out, std::string_view text) {
  std::string plain;
  json::append_string(plain, text);
  for (std::size_t i = 0; i < plain.size();) {
    const bool quote = i == 0 || i + 1 == plain.size();
    std::size_t length = std::max<std::size_t>(utf8_sequence(plain.substr(i, 4)), 1);
    const bool escape = plain[i] == '\\';  // stays what it is
    if (escape) length = plain[i + 1] == 'u' ? 6 : 2;
    if (quote || escape || escapes_ == 0 || !chance(escapes_)) {
      out.append(plain, i, length);
    } else {
      append_escape(out, std::string_view(plain).substr(i, length));
    }
    i += length;
  }
}

void RequestMaker::spell(std::string& out, const Value& value) {
  space(out);
  if (const auto* object = value.if_object()) {
    out += '{';
    for (const auto& member : *object) {
      if (&member != object->begin()) out += ',';
      space(out);
      spell_string(out, {member.key().data(), member.key().size()});
      space(out);
      out += ':';
      spell(out, member.value());
    }
    out += '}';
  } else if (const auto* array = value.if_array()) {
    out += '[';
    for (std::size_t i = 0; i < array->size(); ++i) {
      if (i > 0) out += ',';
      spell(out, (*array)[i]);
    }
    out += ']';
  } else if (const auto* text = value.if_string()) {
    spell_string(out, {text->data(), text->size()});
  } else if (const auto* real = value.if_double(); real != nullptr && chance(2)) {
    out += fmt::format("{:.17e}", *real);
  } else {
    out += json::to_text(value);
  }
  space(out);
}

std::string RequestMaker::spelled(const Object& body) {
  spaces_ = data_.ConsumeIntegralInRange<std::uint32_t>(0, 4);
  escapes_ = data_.ConsumeIntegralInRange<std::uint32_t>(0, 4);
  const std::size_t first =
      body.empty() ? 0 : data_.ConsumeIntegralInRange<std::size_t>(0, body.size() - 1);
  Object turned;
  for (std::size_t i = 0; i < body.size(); ++i) {
    const auto& member = *(body.begin() + static_cast<std::ptrdiff_t>((first + i) % body.size()));
    turned[member.key()] = member.value();
  }
  std::string out;
  spell(out, turned);
  return out;
}

}  // namespace candor::dialect::testing
