#include "passport/internal/values.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/text.h"
#include "passport/internal/fields.h"
#include "passport/trusted_root.h"

namespace candor::passport {
namespace {

std::unexpected<Error> wrong(std::string_view what, std::string_view why) {
  return fail(Code::kInvalidArgument, fmt::format("{} {}", what, why));
}

}  // namespace

Result<void> check_text(std::string_view text, std::string_view what) {
  if (text.empty()) return wrong(what, "must not be empty");
  if (text.size() > kMaxText) return wrong(what, "is longer than 8,192 bytes");
  if (!is_utf8(text) || strip_controls(text) != text) {
    return wrong(what, "must be UTF-8 without control characters");
  }
  return {};
}

Result<void> check_country(std::string_view text) {
  const auto capital = [](char c) { return c >= 'A' && c <= 'Z'; };
  if (text.empty() || (text.size() == 2 && std::ranges::all_of(text, capital))) return {};
  return wrong("country", "must be two capitals (ISO 3166-1), such as DE");
}

Result<void> check_time(std::string_view text, std::string_view what) {
  if (text.empty()) return {};
  if (text.size() != 20 || !parse_time(text)) {
    return wrong(what, "must be a time such as 2026-11-26T06:00:00Z");
  }
  return {};
}

Result<void> check_amount(std::string_view text, std::string_view what) {
  if (text.empty() || is_decimal(text)) return {};
  return wrong(what, "must be a decimal number in a string, such as \"1.5\"");
}

Result<std::string> text_or_none(const json::Object& object, std::string_view key) {
  if (json::find(object, key) == nullptr) return std::string();
  return checked_text(object, key);
}

Result<std::string> checked_text(const json::Object& object, std::string_view key) {
  std::string out = TRY(text_member(object, key));
  TRY(check_text(out, key));
  return out;
}

Result<std::optional<Digest>> hex_or_none(const json::Object& object, std::string_view key) {
  if (json::find(object, key) == nullptr) return std::optional<Digest>();
  return std::optional<Digest>(TRY(hex_member(object, key)));
}

Result<void> each(const json::Object& object, std::string_view key, std::size_t max,
                  const std::function<Result<void>(const json::Object&)>& take) {
  const json::Array& list = *TRY(array_member(object, key));
  if (list.size() > max) return wrong(key, "has too many elements");
  for (const json::Value& one : list) {
    if (!one.is_object()) return wrong(key, "must hold objects");
    if (auto taken = take(one.get_object()); !taken) {
      return std::unexpected(std::move(taken).error().with_context(key));
    }
  }
  return {};
}

Result<std::vector<std::string>> texts(const json::Object& object, std::string_view key) {
  const json::Array& list = *TRY(array_member(object, key));
  if (list.size() > kMaxList) return wrong(key, "has too many elements");
  std::vector<std::string> out;
  for (const json::Value& one : list) {
    if (!one.is_string()) return wrong(key, "must hold strings");
    out.emplace_back(one.get_string());
    TRY(check_text(out.back(), key));
  }
  return out;
}

void put_text(json::Object& out, std::string_view key, const std::string& text) {
  if (!text.empty()) out[key] = text;
}

void put_digest(json::Object& out, std::string_view key, const std::optional<Digest>& digest) {
  if (digest) out[key] = to_hex(*digest);
}

json::Object artefact_json(const Artefact& artefact) {
  return {{"name", artefact.name}, {"digest", json::Object{{"sha256", to_hex(artefact.sha256)}}}};
}

Result<Artefact> parse_artefact(const json::Object& object) {
  const std::string name = TRY(checked_text(object, "name"));
  const json::Object& digest = *TRY(object_member(object, "digest"));
  TRY(json::only_keys(digest, {"sha256"}));
  const Digest sha256 = TRY(hex_member(digest, "sha256"));
  return Artefact{.name = name, .sha256 = sha256};
}

}  // namespace candor::passport
