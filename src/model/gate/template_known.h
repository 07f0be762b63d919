// Chat templates that model families are known for, as digests of their normal form and of the
// prose in them (template_known.cc says where each came from; a test makes the table again).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace candor::model::gate {

// First 8 bytes of the SHA-256, as a number.
[[nodiscard]] std::uint64_t short_digest(std::string_view text);

// The family that a normal form is known of, the claimed one if it is among several; empty: none.
[[nodiscard]] std::string_view known_family(std::uint64_t normal_form, std::string_view claimed);
// Whether a template known of this family writes this prose; an empty one: of any family.
[[nodiscard]] bool is_known_prose(std::string_view family, std::uint64_t prose);
// The family that a model's name claims ("Qwen2.5 7B Instruct"); empty: none that is in the table.
[[nodiscard]] std::string_view claimed_family(std::string_view name);

}  // namespace candor::model::gate
