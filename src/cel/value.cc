#include "cel/value.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include <fmt/format.h>

#include "cel/time.h"

namespace candor::cel {
namespace {

constexpr std::size_t kBlockBytes = 4'096;
constexpr int kUnordered = 2;

template <typename T>
int three_way(const T& a, const T& b) noexcept {
  return a < b ? -1 : b < a ? 1 : 0;
}

int compare_int_uint(std::int64_t a, std::uint64_t b) noexcept {
  return a < 0 ? -1 : three_way(static_cast<std::uint64_t>(a), b);
}

int reverse(int order) noexcept { return order == kUnordered ? kUnordered : -order; }

bool is_number(Kind kind) noexcept {
  return kind == Kind::kInt || kind == Kind::kUint || kind == Kind::kDouble;
}

int compare_doubles(double a, double b) noexcept {
  return std::isnan(a) || std::isnan(b) ? kUnordered : three_way(a, b);
}

double as_double(const Value& number) noexcept {
  if (number.kind == Kind::kInt) return static_cast<double>(number.integer);
  return number.kind == Kind::kUint ? static_cast<double>(number.natural) : number.real;
}

// Beside a double the other number is taken as a double too, as CEL's vectors have it: near 2^63
// neighbours become equal.
int compare_numbers(const Value& a, const Value& b) noexcept {
  if (a.kind == Kind::kDouble || b.kind == Kind::kDouble) {
    return compare_doubles(as_double(a), as_double(b));
  }
  if (a.kind == Kind::kInt) {
    return b.kind == Kind::kInt ? three_way(a.integer, b.integer)
                                : compare_int_uint(a.integer, b.natural);
  }
  return b.kind == Kind::kUint ? three_way(a.natural, b.natural)
                               : reverse(compare_int_uint(b.integer, a.natural));
}

bool equal_maps(const Value& a, const Value& b, std::uint64_t& cost) noexcept {
  if (a.size != b.size) return false;
  for (const Entry& mine : a.map_entries()) {
    const auto other = std::ranges::find_if(
        b.map_entries(), [&](const Entry& theirs) { return equal(mine.key, theirs.key, cost); });
    if (other == b.map_entries().end() || !equal(mine.value, other->value, cost)) return false;
  }
  return true;
}

}  // namespace

std::string_view to_string(Fault fault) noexcept {
  switch (fault) {
    case Fault::kNoOverload: return "no such overload";
    case Fault::kNoName: return "unknown name";
    case Fault::kNoKey: return "no such key";
    case Fault::kIndex: return "index out of range";
    case Fault::kOverflow: return "overflow";
    case Fault::kDivision: return "division by zero";
    case Fault::kConversion: return "value out of the type's range";
    case Fault::kDuplicateKey: return "duplicate key";
    case Fault::kKeyType: return "unsupported key type";
    case Fault::kPattern: return "not a regular expression";
    case Fault::kTimeZone: return "unknown time zone";
    case Fault::kCost: return "cost limit exceeded";
  }
  return "error";
}

std::string_view type_name(Kind kind) noexcept {
  switch (kind) {
    case Kind::kNull: return "null_type";
    case Kind::kBool: return "bool";
    case Kind::kInt: return "int";
    case Kind::kUint: return "uint";
    case Kind::kDouble: return "double";
    case Kind::kString: return "string";
    case Kind::kBytes: return "bytes";
    case Kind::kTimestamp: return "google.protobuf.Timestamp";
    case Kind::kDuration: return "google.protobuf.Duration";
    case Kind::kType: return "type";
    case Kind::kList: return "list";
    case Kind::kMap: return "map";
    case Kind::kRecord: return "record";
    case Kind::kError: return "error";
  }
  return "error";
}

std::byte* Arena::take(std::size_t bytes) {
  bytes = (bytes + 15) & ~std::size_t{15};
  if (blocks_.empty() || blocks_.back().size - used_ < bytes) {
    const std::size_t last = blocks_.empty() ? 0 : blocks_.back().size;
    const std::size_t size =
        std::max({bytes, kBlockBytes, std::min<std::size_t>(2 * last, 1U << 20U)});
    blocks_.push_back({std::make_unique<std::byte[]>(size), size});
    used_ = 0;
  }
  std::byte* at = blocks_.back().memory.get() + used_;
  used_ += bytes;
  return at;
}

char* Arena::bytes(std::size_t count) { return reinterpret_cast<char*>(take(count)); }

std::span<Value> Arena::values(std::size_t count) {
  auto* at = reinterpret_cast<Value*>(take(count * sizeof(Value)));
  std::uninitialized_value_construct_n(at, count);
  return {at, count};
}

std::span<Entry> Arena::entries(std::size_t count) {
  auto* at = reinterpret_cast<Entry*>(take(count * sizeof(Entry)));
  std::uninitialized_value_construct_n(at, count);
  return {at, count};
}

std::string_view Arena::copy(std::string_view text) {
  if (text.empty()) return {};
  char* at = bytes(text.size());
  std::memcpy(at, text.data(), text.size());
  return {at, text.size()};
}

void Arena::reset() noexcept {
  if (blocks_.size() > 1) {
    const auto largest = std::ranges::max_element(blocks_, {}, &Block::size);
    std::swap(*largest, blocks_.front());
    blocks_.resize(1);
  }
  used_ = 0;
}

bool equal(const Value& a, const Value& b, std::uint64_t& cost) noexcept {
  ++cost;
  if (is_number(a.kind) && is_number(b.kind)) return compare_numbers(a, b) == 0;
  if (a.kind != b.kind) return false;
  switch (a.kind) {
    case Kind::kNull: return true;
    case Kind::kBool: return a.truth == b.truth;
    case Kind::kString:
    case Kind::kBytes:
    case Kind::kType: cost += std::min(a.size, b.size) / 16; return a.text() == b.text();
    case Kind::kTimestamp:
    case Kind::kDuration: return a.integer == b.integer && a.size == b.size;
    case Kind::kList:
    case Kind::kRecord:
      return a.size == b.size &&
             std::ranges::equal(a.list_items(), b.list_items(),
                                [&](const Value& x, const Value& y) { return equal(x, y, cost); });
    case Kind::kMap: return equal_maps(a, b, cost);
    case Kind::kInt:
    case Kind::kUint:
    case Kind::kDouble:
    case Kind::kError: return false;
  }
  return false;
}

int compare(const Value& a, const Value& b) noexcept {
  if (is_number(a.kind) && is_number(b.kind)) return compare_numbers(a, b);
  if (a.kind != b.kind) return kUnordered;
  switch (a.kind) {
    case Kind::kBool: return three_way(a.truth, b.truth);
    case Kind::kString:
    case Kind::kBytes: {  // in UTF-8 the order of bytes is that of code points
      const int order = a.text().compare(b.text());
      return order < 0 ? -1 : order > 0 ? 1 : 0;
    }
    case Kind::kTimestamp:
    case Kind::kDuration:
      return a.integer != b.integer ? three_way(a.integer, b.integer) : three_way(a.size, b.size);
    case Kind::kError:
    case Kind::kNull:
    case Kind::kInt:
    case Kind::kUint:
    case Kind::kDouble:
    case Kind::kType:
    case Kind::kList:
    case Kind::kMap:
    case Kind::kRecord: return kUnordered;
  }
  return kUnordered;
}

Value deep_copy(const Value& value, Arena& arena) {
  switch (value.kind) {
    case Kind::kString:
    case Kind::kBytes:
    case Kind::kType: return Value::of_text(arena.copy(value.text()), value.kind);
    case Kind::kList:
    case Kind::kRecord: {
      const std::span<Value> items = arena.values(value.size);
      std::ranges::transform(value.list_items(), items.begin(),
                             [&](const Value& item) { return deep_copy(item, arena); });
      return value.kind == Kind::kList ? Value::list(items) : Value::record(items);
    }
    case Kind::kMap: {
      const std::span<Entry> entries = arena.entries(value.size);
      std::ranges::transform(value.map_entries(), entries.begin(), [&](const Entry& entry) {
        return Entry{deep_copy(entry.key, arena), deep_copy(entry.value, arena)};
      });
      return Value::map(entries);
    }
    case Kind::kError:
    case Kind::kNull:
    case Kind::kBool:
    case Kind::kInt:
    case Kind::kUint:
    case Kind::kDouble:
    case Kind::kTimestamp:
    case Kind::kDuration: return value;
  }
  return value;
}

std::string to_text(const Value& value) {
  constexpr std::size_t kLongest = 400;
  std::string out;
  switch (value.kind) {
    case Kind::kError: return fmt::format("error: {}", to_string(value.fault));
    case Kind::kNull: return "null";
    case Kind::kBool: return value.truth ? "true" : "false";
    case Kind::kInt: return fmt::format("{}", value.integer);
    case Kind::kUint: return fmt::format("{}u", value.natural);
    case Kind::kDouble: return fmt::format("{}", value.real);
    case Kind::kString: return fmt::format("\"{}\"", value.text().substr(0, kLongest));
    case Kind::kBytes:
      for (const char c : value.text().substr(0, kLongest)) {
        out += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
      }
      return fmt::format("b\"{}\"", out);
    case Kind::kTimestamp: return format_timestamp({value.integer, value.size});
    case Kind::kDuration: return format_duration({value.integer, value.size});
    case Kind::kType: return std::string(value.text());
    case Kind::kList:
    case Kind::kRecord:
      for (const Value& item : value.list_items()) {
        if (out.size() > kLongest) return fmt::format("[{}, ...]", out);
        out += (out.empty() ? "" : ", ") + to_text(item);
      }
      return fmt::format("[{}]", out);
    case Kind::kMap:
      for (const Entry& entry : value.map_entries()) {
        if (out.size() > kLongest) return fmt::format("{{{}, ...}}", out);
        out += fmt::format("{}{}: {}", out.empty() ? "" : ", ", to_text(entry.key),
                           to_text(entry.value));
      }
      return fmt::format("{{{}}}", out);
  }
  return {};
}

}  // namespace candor::cel
