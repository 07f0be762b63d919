// JSON for everything that is hashed or comes from outside. Owner of Boost.JSON: other modules see
// these types only.
//
// parse() is strict RFC 8259: UTF-8 without lone surrogates, no duplicate keys (at any depth),
// depth at most max_depth, size at most max_bytes, nothing after the value. Numbers keep their
// text's kind: integers within 64 bits stay integers; everything else is a double. Errors are
// kInvalidArgument with an offset, never with the input's text.
//
// normal_form() is RFC 8785 with its numbers too (section 3.2.2.3), for values that people or
// models wrote; with Order::kKept members stay in their order, where that order means something.
//
// canonical() writes RFC 8785: keys sorted by UTF-16 code units, no white space, shortest escapes.
// It fails on a double and on an integer beyond +-(2^53-1): a hashed document holds neither (S7).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/value.hpp>

#include "base/result.h"

namespace candor::json {

using Value = boost::json::value;
using Object = boost::json::object;
using Array = boost::json::array;

struct Limits {
  std::size_t max_bytes = 16U << 20U;
  std::size_t max_depth = 64;
};

[[nodiscard]] Result<Value> parse(std::string_view text, const Limits& limits = {});
// parse() and then require that the text is exactly its canonical form (entries, receipts).
[[nodiscard]] Result<Value> parse_canonical(std::string_view text, const Limits& limits = {});

[[nodiscard]] Result<std::string> canonical(const Value& value);
enum class Order : std::uint8_t { kSorted, kKept };
// Every number is a binary64 here, as RFC 8785 has it: an integer beyond 2^53 loses its last
// digits.
[[nodiscard]] std::string normal_form(const Value& value, Order order);
// Plain serialisation in insertion order, for API replies; doubles allowed.
[[nodiscard]] std::string to_text(const Value& value);
// Appends text as a JSON string with quotes; the fast way to build known replies by hand. Invalid
// UTF-8 becomes U+FFFD.
void append_string(std::string& out, std::string_view text);

// Typed access with errors that name the key: kInvalidArgument "missing field 'x'" / "field 'x'
// must be a string". The pointer or view lives as long as the object.
[[nodiscard]] Result<const Object*> as_object(const Value& value, std::string_view what);
[[nodiscard]] Result<std::string_view> get_string(const Object& object, std::string_view key);
[[nodiscard]] Result<std::int64_t> get_int(const Object& object, std::string_view key);
[[nodiscard]] Result<bool> get_bool(const Object& object, std::string_view key);
[[nodiscard]] Result<const Object*> get_object(const Object& object, std::string_view key);
[[nodiscard]] Result<const Array*> get_array(const Object& object, std::string_view key);
// nullptr if absent.
[[nodiscard]] const Value* find(const Object& object, std::string_view key);
// kInvalidArgument naming the first key that is not in known.
[[nodiscard]] Result<void> only_keys(const Object& object,
                                     std::initializer_list<std::string_view> known);

}  // namespace candor::json
