// Values of the Common Expression Language, as CEL's language definition has them: null, bool, int,
// uint, double, string, bytes, timestamp, duration, type, list, map; and records, which stand for
// CEL's messages. An error is a value too, because && and || may absorb it.
//
// A Value is 16 bytes and owns nothing: text, items and entries point into an Arena, a compiled
// expression or the caller's input, which must outlive it. Strings are valid UTF-8.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/check.h"

namespace candor::cel {

enum class Kind : std::uint8_t {
  kError,
  kNull,
  kBool,
  kInt,
  kUint,
  kDouble,
  kString,
  kBytes,
  kTimestamp,  // seconds since 1970-01-01T00:00:00Z and nanoseconds 0 to 999,999,999
  kDuration,   // the same, of a length: -0.5 s is second -1 and 500,000,000 ns
  kType,       // its name
  kList,
  kMap,
  kRecord,  // fields by position, as the environment declares them
};

// Why an evaluation has no value. kCost alone cannot be absorbed by && and ||.
enum class Fault : std::uint8_t {
  kNoOverload,    // no function of that name takes values of these types
  kNoName,        // nothing is called that, or it has no value
  kNoKey,         // a map without that key, a record without that field
  kIndex,         // outside a list, or no whole number
  kOverflow,      // beyond int, uint, timestamp or duration
  kDivision,      // by zero
  kConversion,    // a text, number or bytes that the target type cannot hold
  kDuplicateKey,  // twice in a map
  kKeyType,       // a key that is not int, uint, bool or string
  kPattern,       // not a regular expression, or one too large
  kTimeZone,      // neither an offset nor a zone that is known
  kCost,          // the limit of one evaluation
};
[[nodiscard]] std::string_view to_string(Fault fault) noexcept;

struct Entry;

struct Value {
  Kind kind = Kind::kNull;
  // Bytes, items or entries; nanoseconds of a timestamp or duration; of an error its place in the
  // source.
  std::uint32_t size = 0;
  union {
    std::int64_t integer = 0;  // kInt; seconds of a timestamp or duration
    std::uint64_t natural;
    double real;
    bool truth;
    const char* bytes;     // kString, kBytes, kType
    const Value* items;    // kList, kRecord
    const Entry* entries;  // kMap
    Fault fault;
  };

  [[nodiscard]] static Value make(Kind kind, std::uint32_t size) noexcept {
    Value v;
    v.kind = kind;
    v.size = size;
    return v;
  }
  [[nodiscard]] static Value null() noexcept { return {}; }
  [[nodiscard]] static Value boolean(bool truth) noexcept {
    Value v = make(Kind::kBool, 0);
    v.truth = truth;
    return v;
  }
  [[nodiscard]] static Value of_int(std::int64_t n) noexcept {
    Value v = make(Kind::kInt, 0);
    v.integer = n;
    return v;
  }
  [[nodiscard]] static Value of_uint(std::uint64_t n) noexcept {
    Value v = make(Kind::kUint, 0);
    v.natural = n;
    return v;
  }
  [[nodiscard]] static Value of_double(double n) noexcept {
    Value v = make(Kind::kDouble, 0);
    v.real = n;
    return v;
  }
  [[nodiscard]] static Value of_text(std::string_view text, Kind kind = Kind::kString) noexcept {
    Value v = make(kind, static_cast<std::uint32_t>(text.size()));
    v.bytes = text.data();
    return v;
  }
  [[nodiscard]] static Value of_time(Kind kind, std::int64_t seconds,
                                     std::uint32_t nanos) noexcept {
    Value v = make(kind, nanos);
    v.integer = seconds;
    return v;
  }
  [[nodiscard]] static Value list(std::span<const Value> items) noexcept {
    Value v = make(Kind::kList, static_cast<std::uint32_t>(items.size()));
    v.items = items.data();
    return v;
  }
  [[nodiscard]] static Value record(std::span<const Value> fields) noexcept {
    Value v = list(fields);
    v.kind = Kind::kRecord;
    return v;
  }
  [[nodiscard]] static Value map(std::span<const Entry> entries) noexcept;
  [[nodiscard]] static Value error(Fault fault, std::uint32_t place) noexcept {
    Value v = make(Kind::kError, place);
    v.fault = fault;
    return v;
  }

  [[nodiscard]] bool is(Kind k) const noexcept { return kind == k; }
  [[nodiscard]] bool is_error() const noexcept { return kind == Kind::kError; }
  [[nodiscard]] bool is_true() const noexcept { return kind == Kind::kBool && truth; }
  [[nodiscard]] bool is_false() const noexcept { return kind == Kind::kBool && !truth; }
  [[nodiscard]] std::string_view text() const noexcept { return {bytes, size}; }
  [[nodiscard]] std::span<const Value> list_items() const noexcept { return {items, size}; }
  [[nodiscard]] std::span<const Entry> map_entries() const noexcept;
};

struct Entry {
  Value key;
  Value value;
};

inline Value Value::map(std::span<const Entry> entries) noexcept {
  Value v = make(Kind::kMap, static_cast<std::uint32_t>(entries.size()));
  v.entries = entries.data();
  return v;
}
inline std::span<const Entry> Value::map_entries() const noexcept { return {entries, size}; }

// Memory that is given back at once. Not thread-safe; one for each thread that evaluates.
class Arena {
 public:
  [[nodiscard]] char* bytes(std::size_t count);
  [[nodiscard]] std::span<Value> values(std::size_t count);
  [[nodiscard]] std::span<Entry> entries(std::size_t count);
  [[nodiscard]] std::string_view copy(std::string_view text);
  // Everything handed out is void; the largest block is kept.
  void reset() noexcept;

 private:
  [[nodiscard]] std::byte* take(std::size_t bytes);
  struct Block {
    std::unique_ptr<std::byte[]> memory;
    std::size_t size = 0;
  };
  std::vector<Block> blocks_;
  std::size_t used_ = 0;  // of the last block
};

// CEL's equality: numbers by their value whatever their type, NaN unequal to itself, values of
// unlike types unequal. Adds what it looked at to cost.
[[nodiscard]] bool equal(const Value& a, const Value& b, std::uint64_t& cost) noexcept;
// -1, 0, 1; or 2 where the two have no order (NaN, or types that are not ordered).
[[nodiscard]] int compare(const Value& a, const Value& b) noexcept;
// A deep copy whose pointers all lie in the arena.
[[nodiscard]] Value deep_copy(const Value& value, Arena& arena);
// For messages and tests: the value as CEL would write it; at most a few hundred bytes of text.
[[nodiscard]] std::string to_text(const Value& value);
// The name that type(value) gives: "int", "google.protobuf.Timestamp".
[[nodiscard]] std::string_view type_name(Kind kind) noexcept;

}  // namespace candor::cel
