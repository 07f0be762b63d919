// One value of the table: its text or TOML form checked against kind and bounds, and normalised.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/result.h"
#include "config/keys.h"

namespace candor::config {

// kSize, kDuration, kInteger: int64. kFlag: bool. kTexts, kIntegers: vectors. The rest: string. A
// word ("none", "forever") beside a numeric kind is a string too.
using Typed = std::variant<std::string, std::int64_t, bool, std::vector<std::string>,
                           std::vector<std::int64_t>>;

// From an environment variable, a flag or a default. kInvalidArgument says what would be right.
[[nodiscard]] Result<Typed> parse_value(const Key& key, std::string_view text);
// From a value that TOML has typed: a string for a size, an integer for an integer.
[[nodiscard]] Result<Typed> check_value(const Key& key, Typed value);
// Normalised text, as Setting::value.
[[nodiscard]] std::string value_text(const Key& key, const Typed& value);
// Checks that a text holds no control characters and is of reasonable length.
[[nodiscard]] Result<void> check_text(std::string_view text);

}  // namespace candor::config
