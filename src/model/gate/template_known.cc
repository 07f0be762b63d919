#include "model/gate/template_known.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>

#include "base/bytes.h"
#include "crypto/hash.h"

namespace candor::model::gate {
namespace {

struct Row {
  std::string_view family;
  std::uint64_t digest;
};
#include "model/gate/template_known_table.inc"

struct Claim {
  std::string_view name;  // of letters and digits only
  std::string_view family;
};
// The longest first where one begins another.
constexpr auto kClaims = std::to_array<Claim>({
    {"smollm2", "SmolLM2"},
    {"smollm3", "SmolLM3"},
    {"qwen25", "Qwen2.5"},
    {"qwen2", "Qwen2.5"},
    {"qwq", "QwQ"},
    {"qwen3coder", "Qwen3-Coder"},
    {"qwen3", "Qwen3"},
    {"llama31", "Llama-3.1"},
    {"llama32", "Llama-3.2"},
    {"llama33", "Llama-3.3"},
    {"llama3", "Llama-3"},
    {"mistralnemo", "Mistral-Nemo"},
    {"mistralsmall", "Mistral-Small-3.2"},
    {"mistral", "Mistral"},
    {"gemma2", "Gemma-2"},
    {"gemma3", "Gemma-3"},
    {"phi35", "Phi-3.5"},
});

}  // namespace

std::uint64_t short_digest(std::string_view text) {
  const auto digest = crypto::sha256(as_bytes(text));
  std::uint64_t out = 0;
  for (std::size_t i = 0; i < 8; ++i) {
    out = (out << 8U) | std::to_integer<std::uint64_t>(digest[i]);
  }
  return out;
}

std::string_view known_family(std::uint64_t normal_form, std::string_view claimed) {
  std::string_view out;
  for (const Row& row : kForms) {
    if (row.digest != normal_form) continue;
    if (row.family == claimed) return row.family;
    if (out.empty()) out = row.family;
  }
  return out;
}

bool is_known_prose(std::string_view family, std::uint64_t prose) {
  return std::ranges::any_of(kProse, [&](const Row& row) {
    return row.digest == prose && (family.empty() || row.family == family);
  });
}

std::string_view claimed_family(std::string_view name) {
  std::string plain;
  for (const char c : name) {
    if (c >= 'A' && c <= 'Z') plain.push_back(static_cast<char>(c - 'A' + 'a'));
    if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9')) plain.push_back(c);
  }
  for (const Claim& claim : kClaims) {
    if (plain.find(claim.name) == std::string::npos) continue;
    const bool known = std::ranges::any_of(
        kForms, [&claim](const Row& row) { return row.family == claim.family; });
    return known ? claim.family : std::string_view();
  }
  return {};
}

}  // namespace candor::model::gate
