// What a detector's pattern cannot say: check digits, issued ranges, forms with rules of their own.
// A validator sees the finding in folded text and answers how many of its bytes are the value: all
// of them, fewer where the pattern took too much (a telephone number before other digits), or 0 for
// "no". Sources stand beside each. Pure; thread-safe; hostile input is expected.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace candor::dlp {

using Validator = std::size_t (*)(std::string_view value);

struct NamedValidator {
  std::string_view name;
  Validator check = nullptr;
};

// nullptr for a name that nobody has.
[[nodiscard]] Validator find_validator(std::string_view name);
[[nodiscard]] std::vector<std::string_view> validator_names();  // sorted

// The tables behind it, one for each file.
[[nodiscard]] std::span<const NamedValidator> contact_validators();
[[nodiscard]] std::span<const NamedValidator> financial_validators();
[[nodiscard]] std::span<const NamedValidator> european_validators();
[[nodiscard]] std::span<const NamedValidator> more_european_validators();
[[nodiscard]] std::span<const NamedValidator> world_validators();
[[nodiscard]] std::span<const NamedValidator> wallet_validators();
[[nodiscard]] std::span<const NamedValidator> secret_validators();

}  // namespace candor::dlp
