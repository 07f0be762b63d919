// What every dialect's request parser shares: the walk over the table of fields, typed values with
// bounds, and the first error in words from closed templates (S8, S19). Internal.
#pragma once

#include <array>
#include <cstdint>
#include <expected>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "dialect/dialect.h"
#include "json/json.h"

namespace candor::dialect {

class RequestReader {
 public:
  explicit RequestReader(const ParseOptions& options) : options_(options) {}

  [[nodiscard]] const RequestLimits& limits() const noexcept { return options_.limits; }

  // Each returns false after it has noted the error; the caller then returns false as well.
  // message may hold literals and numbers only; name is the field's place.
  bool refuse(std::string_view name, std::string message, std::string_view code = {});
  bool wrong_type(std::string_view name, std::string_view wanted);
  bool text(const json::Value& value, std::string_view name, Text& out);
  // For text that was made from what the request holds: it counts against the same bound.
  bool count_text(const Text& text, std::string_view name);
  bool name_text(const json::Value& value, std::string_view name, std::size_t max,
                 std::string& out);
  bool flag(const json::Value& value, std::string_view name, bool& out);
  bool integer(const json::Value& value, std::string_view name, std::uint32_t low,
               std::uint32_t high, std::uint32_t& out);
  bool fraction(const json::Value& value, std::string_view name, float low, float high,
                std::optional<float>& out);
  bool stops(const json::Value& value, std::string_view name, std::vector<std::string>& out);

  // An unknown or ineffective field: noted, or refused under strict_fields. name is client text
  // when it is unknown, a literal otherwise.
  bool drop(Exchange& out, std::string_view name);

  [[nodiscard]] ErrorInfo take_error() { return std::move(*error_); }

 private:
  const ParseOptions& options_;
  std::size_t text_bytes_ = 0;
  std::optional<ErrorInfo> error_;
};

// One row of a dialect's table: the rule that is documented and, for honoured and accepted fields,
// what applies it. Rows for nested fields ("messages[].role") have no function: the function of
// their parent reads them.
struct FieldSpec {
  FieldRule rule;
  bool (*apply)(RequestReader& reader, const json::Value& value, Exchange& out) = nullptr;
};

// The rules of one or more lists of rows.
template <std::size_t... N>
[[nodiscard]] constexpr auto rules_of(const FieldSpec (&... lists)[N]) {
  std::array<FieldRule, (N + ...)> rules{};
  std::size_t i = 0;
  const auto take = [&](const auto& list) {
    for (const FieldSpec& spec : list) rules[i++] = spec.rule;
  };
  (take(lists), ...);
  return rules;
}

// What one API's parser is: its rows, the rules that are documented, and what must hold for the
// whole.
struct ApiTable {
  std::span<const FieldSpec> specs;
  std::span<const FieldRule> rules;
  bool (*check)(RequestReader& reader, Exchange& out);
  bool streams_by_default = false;
};
// Parses the body, applies the rows, asks for a model, then checks the whole.
[[nodiscard]] std::expected<Exchange, ErrorInfo> read_request(Api api, const ApiTable& table,
                                                              std::string_view body,
                                                              const ParseOptions& options);

// A list of texts to embed, or one.
bool read_inputs(RequestReader& reader, const json::Value& value, Exchange& out);

// Parses the body and applies the table: null counts as absent, an unknown field is dropped.
// Returns false after noting the error.
bool read_fields(RequestReader& reader, std::string_view body, std::span<const FieldSpec> specs,
                 Exchange& out);

[[nodiscard]] const FieldSpec* find_spec(std::span<const FieldSpec> specs, std::string_view name);

// Rules of all dialects that look at the whole: something to answer, lawful ends.
bool check_conversation(RequestReader& reader, const Exchange& exchange);

[[nodiscard]] inline std::string_view view(boost::json::string_view s) noexcept {
  return {s.data(), s.size()};
}
[[nodiscard]] inline std::string_view view(const boost::json::string& s) noexcept {
  return {s.data(), s.size()};
}
// The member unless it is absent or null.
[[nodiscard]] const json::Value* present(const json::Object& object, std::string_view key);
// A string member's text, or nullopt.
[[nodiscard]] std::optional<std::string_view> text_of(const json::Object& object,
                                                      std::string_view key);
// A non-negative integer member, or nullopt.
[[nodiscard]] std::optional<std::uint64_t> count_of(const json::Object& object,
                                                    std::string_view key);
// A name from outside made fit for a message or a header: printable ASCII, at most 64 bytes.
[[nodiscard]] std::string safe_name(std::string_view name);

}  // namespace candor::dialect
