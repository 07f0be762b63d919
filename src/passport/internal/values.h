// Checked values of the passport's own formats; errors are kInvalidArgument and name the member.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "json/json.h"
#include "passport/derivation.h"

namespace candor::passport {

inline constexpr std::size_t kMaxText = 8'192;
inline constexpr std::size_t kMaxList = 1'024;
inline constexpr std::size_t kMaxFiles = 4'096;

// UTF-8, no controls but newline and tab, at most kMaxText bytes, not empty.
[[nodiscard]] Result<void> check_text(std::string_view text, std::string_view what);
[[nodiscard]] Result<void> check_country(std::string_view text);  // empty, or two capitals
[[nodiscard]] Result<void> check_time(std::string_view text, std::string_view what);
[[nodiscard]] Result<void> check_amount(std::string_view text, std::string_view what);

// Text of a member that may be absent (then empty); a member that is there is not empty.
[[nodiscard]] Result<std::string> text_or_none(const json::Object& object, std::string_view key);
[[nodiscard]] Result<std::string> checked_text(const json::Object& object, std::string_view key);
[[nodiscard]] Result<std::optional<Digest>> hex_or_none(const json::Object& object,
                                                        std::string_view key);
// Each element of a list of objects, at most max.
[[nodiscard]] Result<void> each(const json::Object& object, std::string_view key, std::size_t max,
                                const std::function<Result<void>(const json::Object&)>& take);
[[nodiscard]] Result<std::vector<std::string>> texts(const json::Object& object,
                                                     std::string_view key);
void put_text(json::Object& out, std::string_view key, const std::string& text);  // not if empty
void put_digest(json::Object& out, std::string_view key, const std::optional<Digest>& digest);

// {"name","digest":{"sha256"}}
[[nodiscard]] json::Object artefact_json(const Artefact& artefact);
[[nodiscard]] Result<Artefact> parse_artefact(const json::Object& object);

}  // namespace candor::passport
