// JSON Schemas of clients, made fit for the engine's grammar (S8, B8): an allow-list of keywords,
// each with its type and its bounds, written anew. What llama.cpp v0.5.0 (common/json-schema.cpp,
// common/json-schema-to-grammar.cpp) holds by a grammar is kept; the result may be narrower than
// the schema, never wider, but for the keywords that are reported as not enforced.
// docs/dialects/schemas.md shows the table; a test compares.
//
// Pure. Hostile input: bounded before anything is built from it.
#pragma once

#include <cstddef>
#include <expected>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "dialect/exchange.h"
#include "json/json.h"

namespace candor::dialect {

struct SchemaLimits {
  std::size_t max_bytes = 64U << 10U;  // of what is written
  std::size_t max_depth = 12;          // schemas within schemas
  std::size_t max_nodes = 512;         // schemas in all
  std::size_t max_properties = 64;     // of one object
  std::size_t max_name_bytes = 64;     // a property's or a definition's
  std::size_t max_values = 256;        // of one enum
  std::size_t max_value_bytes = 1024;  // one value of an enum, a const, a default
  std::size_t max_text_bytes = 8192;   // one description or title
  // Grammars repeat by copying. Larger bounds are not enforced; the sum over a schema is bounded.
  std::uint32_t max_repeat = 512;
  std::uint32_t max_repeat_sum = 2048;
};

enum class KeywordAction : std::uint8_t {
  kEnforce,   // held by the grammar
  kDescribe,  // shown to the model where its template shows schemas, constrains nothing
  kIgnore,    // constrains nothing, not passed on
  kCannot,    // constrains, but no grammar can hold it: refused when strict, else dropped
};
struct KeywordRule {
  std::string_view name;
  KeywordAction action;
  std::string_view note;
};
[[nodiscard]] std::span<const KeywordRule> schema_keywords() noexcept;

struct SchemaError {
  std::string message;  // literals and numbers only; ends a sentence "The schema of '...' "
};

struct BoundedSchema {
  Schema schema;
  // Keywords of kCannot, or beyond what can be enforced, that were met: each once, from our table.
  std::vector<std::string_view> not_enforced;
};
// strict: what cannot be enforced is an error. The value must be an object.
[[nodiscard]] std::expected<BoundedSchema, SchemaError> bound_schema(
    const json::Value& value, bool strict, const SchemaLimits& limits = {});

// One schema for the calls of an answer: {"name": <tool>, "arguments": <its parameters>}, or a list
// of 1 to kMaxForcedCalls of them.
inline constexpr std::uint32_t kMaxForcedCalls = 8;
[[nodiscard]] std::string forced_calls_schema(const Exchange& forwarded);
// A list of calls may come: tool_choice required and parallel calls asked for by name.
[[nodiscard]] bool forced_calls_are_list(const Exchange& forwarded) noexcept;

}  // namespace candor::dialect
