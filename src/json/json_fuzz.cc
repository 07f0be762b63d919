// Whatever parses is free of duplicate keys (seen by a second, slower reader of the same bytes),
// has a canonical form or holds a number that forbids one, and that form is a fixed point of parse
// and canonical; to_text parses back to an equal value.
#include <cstdint>
#include <cstdlib>
#include <set>

#include "base/check.h"
#include "base/text.h"
#include "json/json.h"

namespace {

// Counts object members in valid JSON text; what a parser that drops duplicates would lose.
std::size_t count_members(std::string_view text) {
  std::size_t colons = 0;
  bool in_string = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (in_string && text[i] == '\\') {
      ++i;
    } else if (text[i] == '"') {
      in_string = !in_string;
    } else if (!in_string && text[i] == ':') {
      ++colons;
    }
  }
  return colons;
}

std::size_t count_members(const candor::json::Value& value) {
  std::size_t count = 0;
  if (const auto* object = value.if_object()) {
    count += object->size();
    for (const auto& member : *object) count += count_members(member.value());
  } else if (const auto* array = value.if_array()) {
    for (const auto& item : *array) count += count_members(item);
  }
  return count;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace candor;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto value = json::parse(text);
  if (!value) return 0;
  CANDOR_CHECK(is_utf8(text));
  CANDOR_CHECK(count_members(text) == count_members(*value));
  const auto again = json::parse(json::to_text(*value));
  CANDOR_CHECK(again.has_value() && *again == *value);
  const auto canonical = json::canonical(*value);
  if (!canonical) {
    CANDOR_CHECK(!json::parse_canonical(text));
    return 0;
  }
  const auto reparsed = json::parse_canonical(*canonical);
  CANDOR_CHECK(reparsed.has_value() && *reparsed == *value);
  CANDOR_CHECK(json::parse_canonical(text).has_value() == (*canonical == text));
  return 0;
}
