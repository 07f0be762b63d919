#include "passport/internal/fields.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "base/text.h"

namespace candor::passport {
namespace {

constexpr double kMaxExact = 9'007'199'254'740'991.0;  // 2^53 - 1

std::unexpected<Error> wrong(std::string_view key, std::string_view what) {
  return fail(Code::kInvalidArgument, fmt::format("member '{}' {}", key, what));
}

Result<const json::Value*> needed(const json::Object& object, std::string_view key) {
  const json::Value* value = member(object, key);
  if (value == nullptr) return wrong(key, "is missing");
  return value;
}

}  // namespace

const json::Value* member(const json::Object& object, std::string_view key) {
  const json::Value* value = json::find(object, key);
  return value == nullptr || value->is_null() ? nullptr : value;
}

Result<const json::Object*> object_member(const json::Object& object, std::string_view key) {
  const json::Value* value = TRY(needed(object, key));
  if (!value->is_object()) return wrong(key, "must be an object");
  return &value->get_object();
}

Result<const json::Array*> array_member(const json::Object& object, std::string_view key) {
  const json::Value* value = TRY(needed(object, key));
  if (!value->is_array()) return wrong(key, "must be a list");
  return &value->get_array();
}

Result<std::string> text_member(const json::Object& object, std::string_view key) {
  const json::Value* value = TRY(needed(object, key));
  if (!value->is_string()) return wrong(key, "must be a string");
  return std::string(value->get_string());
}

Result<Bytes> bytes_member(const json::Object& object, std::string_view key) {
  const std::string text = TRY(text_member(object, key));
  auto bytes = from_base64(text);
  if (!bytes) return wrong(key, "must be base64");
  return *std::move(bytes);
}

Result<Digest> digest_member(const json::Object& object, std::string_view key) {
  const std::string text = TRY(text_member(object, key));
  const auto digest = digest_from_base64(text);
  if (!digest) return wrong(key, "must be 32 bytes in base64");
  return *digest;
}

Result<std::uint64_t> number_member(const json::Object& object, std::string_view key) {
  const json::Value* value = TRY(needed(object, key));
  if (value->is_int64() && value->get_int64() >= 0) {
    return static_cast<std::uint64_t>(value->get_int64());
  }
  if (value->is_uint64()) return value->get_uint64();
  // A protobuf Struct knows doubles alone: 300000.0 is how some writers spell 300000.
  if (value->is_double()) {
    const double number = value->get_double();
    if (number >= 0 && number <= kMaxExact && number == std::floor(number)) {
      return static_cast<std::uint64_t>(number);
    }
  }
  if (!value->is_string()) return wrong(key, "must be a whole number");
  const auto number = parse_decimal(value->get_string());
  if (!number) return wrong(key, "must be a whole number");
  return *number;
}

Result<Digest> hex_member(const json::Object& object, std::string_view key) {
  const std::string text = TRY(text_member(object, key));
  const auto digest = digest_from_hex(text);
  if (!digest) return wrong(key, "must be 64 lower-case hex digits");
  return *digest;
}

Result<void> known_members(const json::Object& object, std::string_view where,
                           std::initializer_list<std::string_view> known) {
  for (const auto& one : object) {
    if (std::ranges::find(known, std::string_view(one.key())) == known.end()) {
      return fail(
          Code::kFailedPrecondition,
          fmt::format("{} has a member that is not taken here: '{}'", where, shown(one.key())));
    }
  }
  return {};
}

std::string shown(std::string_view text) {
  constexpr std::size_t kMax = 80;
  std::string out = strip_controls(text.substr(0, kMax));
  std::ranges::replace(out, '\n', ' ');
  return text.size() > kMax ? out + "..." : out;
}

}  // namespace candor::passport
