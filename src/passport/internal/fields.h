// Members of foreign JSON: null counts as absent, as protobuf's JSON has it. Every error names the
// member and is kInvalidArgument.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/result.h"
#include "json/json.h"

namespace candor::passport {

[[nodiscard]] const json::Value* member(const json::Object& object, std::string_view key);
[[nodiscard]] Result<const json::Object*> object_member(const json::Object& object,
                                                        std::string_view key);
[[nodiscard]] Result<const json::Array*> array_member(const json::Object& object,
                                                      std::string_view key);
[[nodiscard]] Result<std::string> text_member(const json::Object& object, std::string_view key);
// base64 (RFC 4648 section 4).
[[nodiscard]] Result<Bytes> bytes_member(const json::Object& object, std::string_view key);
[[nodiscard]] Result<Digest> digest_member(const json::Object& object, std::string_view key);
// A decimal string, or an integer that is not negative.
[[nodiscard]] Result<std::uint64_t> number_member(const json::Object& object, std::string_view key);
// 64 lower-case hex digits.
[[nodiscard]] Result<Digest> hex_member(const json::Object& object, std::string_view key);

// kFailedPrecondition that names the first member that is not known.
[[nodiscard]] Result<void> known_members(const json::Object& object, std::string_view where,
                                         std::initializer_list<std::string_view> known);
// Foreign text for a message: no controls, at most 80 bytes.
[[nodiscard]] std::string shown(std::string_view text);

}  // namespace candor::passport
