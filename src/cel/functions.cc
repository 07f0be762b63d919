// Operators and text functions.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "cel/internal/evaluator.h"
#include "cel/regex.h"
#include "cel/time.h"

namespace candor::cel {
namespace {

using I64 = std::int64_t;

bool is_time(const Value& v) { return v.is(Kind::kTimestamp) || v.is(Kind::kDuration); }

// a + b or a - b of timestamps and durations; the result's range is checked.
Value time_sum(const Node& n, const Value& a, const Value& b, bool minus, Kind result) {
  constexpr I64 kNanos = 1'000'000'000;
  I64 seconds = minus ? a.integer - b.integer : a.integer + b.integer;  // both far below 2^62
  I64 nanos = minus ? I64{a.size} - I64{b.size} : I64{a.size} + I64{b.size};
  if (nanos < 0) {
    nanos += kNanos;
    --seconds;
  } else if (nanos >= kNanos) {
    nanos -= kNanos;
    ++seconds;
  }
  const Instant sum{seconds, static_cast<std::uint32_t>(nanos)};
  if (!in_range(result, sum)) return Value::error(Fault::kOverflow, n.place);
  return Value::of_time(result, sum.seconds, sum.nanos);
}

std::size_t code_points(std::string_view text) {
  return static_cast<std::size_t>(
      std::ranges::count_if(text, [](char c) { return (c & 0xC0) != 0x80; }));
}

}  // namespace

Value Evaluator::operate(const Node& n, const Value& a, const Value& b) {
  const Function f = n.function;
  if (f == Function::kEqual || f == Function::kNotEqual) {
    const bool same = equal(a, b, cost_);
    if (!spend(0)) return too_costly(n);
    return Value::boolean(same == (f == Function::kEqual));
  }
  if (f >= Function::kLess && f <= Function::kGreaterEqual) return order(n, a, b);
  if (f == Function::kIn) return contained(n, a, b);
  if (f == Function::kAdd) return add(n, a, b);
  if (f == Function::kSubtract) return subtract(n, a, b);
  if (f == Function::kMultiply) return multiply(n, a, b);
  if (f == Function::kDivide || f == Function::kModulo) return divide(n, a, b);
  if (f == Function::kMatches) return matches(n, a, b);
  if (f >= Function::kContains && f <= Function::kEndsWith) return text_test(n, a, b);
  if (f >= Function::kGetDate) return time_part(n, a, &b);
  return no_overload(n);
}

Value Evaluator::add(const Node& n, const Value& a, const Value& b) {
  if (is_time(a) && is_time(b)) {
    if (a.is(Kind::kTimestamp) && b.is(Kind::kTimestamp)) return no_overload(n);
    const bool point = a.is(Kind::kTimestamp) || b.is(Kind::kTimestamp);
    return time_sum(n, a, b, false, point ? Kind::kTimestamp : Kind::kDuration);
  }
  if (a.kind != b.kind) return no_overload(n);
  if (a.is(Kind::kInt)) {
    I64 sum = 0;
    if (__builtin_add_overflow(a.integer, b.integer, &sum)) return fault(Fault::kOverflow, n);
    return Value::of_int(sum);
  }
  if (a.is(Kind::kUint)) {
    std::uint64_t sum = 0;
    if (__builtin_add_overflow(a.natural, b.natural, &sum)) return fault(Fault::kOverflow, n);
    return Value::of_uint(sum);
  }
  if (a.is(Kind::kDouble)) return Value::of_double(a.real + b.real);
  if (a.is(Kind::kString) || a.is(Kind::kBytes) || a.is(Kind::kList)) {
    const std::uint64_t size = std::uint64_t{a.size} + b.size;
    if (!spend(a.is(Kind::kList) ? size : size / 16)) return too_costly(n);
    return concatenate(a, b);
  }
  return no_overload(n);
}

Value Evaluator::concatenate(const Value& a, const Value& b) {
  if (a.is(Kind::kList)) {
    const std::span<Value> out = arena_.values(a.size + b.size);
    std::ranges::copy(b.list_items(), std::ranges::copy(a.list_items(), out.begin()).out);
    return Value::list(out);
  }
  const std::size_t size = std::size_t{a.size} + b.size;
  if (size == 0) return a;
  char* out = arena_.bytes(size);
  std::ranges::copy(b.text(), std::ranges::copy(a.text(), out).out);
  return Value::of_text({out, size}, a.kind);
}

Value Evaluator::subtract(const Node& n, const Value& a, const Value& b) const {
  if (is_time(a) && is_time(b)) {
    if (a.is(Kind::kDuration) && b.is(Kind::kTimestamp)) return no_overload(n);
    const bool point = a.is(Kind::kTimestamp) && b.is(Kind::kDuration);
    return time_sum(n, a, b, true, point ? Kind::kTimestamp : Kind::kDuration);
  }
  if (a.kind != b.kind) return no_overload(n);
  if (a.is(Kind::kInt)) {
    I64 difference = 0;
    if (__builtin_sub_overflow(a.integer, b.integer, &difference))
      return fault(Fault::kOverflow, n);
    return Value::of_int(difference);
  }
  if (a.is(Kind::kUint)) {
    if (b.natural > a.natural) return fault(Fault::kOverflow, n);
    return Value::of_uint(a.natural - b.natural);
  }
  return a.is(Kind::kDouble) ? Value::of_double(a.real - b.real) : no_overload(n);
}

Value Evaluator::multiply(const Node& n, const Value& a, const Value& b) const {
  if (a.kind != b.kind) return no_overload(n);
  if (a.is(Kind::kInt)) {
    I64 product = 0;
    if (__builtin_mul_overflow(a.integer, b.integer, &product)) return fault(Fault::kOverflow, n);
    return Value::of_int(product);
  }
  if (a.is(Kind::kUint)) {
    std::uint64_t product = 0;
    if (__builtin_mul_overflow(a.natural, b.natural, &product)) return fault(Fault::kOverflow, n);
    return Value::of_uint(product);
  }
  return a.is(Kind::kDouble) ? Value::of_double(a.real * b.real) : no_overload(n);
}

Value Evaluator::divide(const Node& n, const Value& a, const Value& b) const {
  const bool modulo = n.function == Function::kModulo;
  if (a.kind != b.kind) return no_overload(n);
  if (a.is(Kind::kInt)) {
    if (b.integer == 0) return fault(Fault::kDivision, n);
    if (b.integer == -1 && a.integer == std::numeric_limits<I64>::min()) {
      return fault(Fault::kOverflow, n);
    }
    return Value::of_int(modulo ? a.integer % b.integer : a.integer / b.integer);
  }
  if (a.is(Kind::kUint)) {
    if (b.natural == 0) return fault(Fault::kDivision, n);
    return Value::of_uint(modulo ? a.natural % b.natural : a.natural / b.natural);
  }
  if (!a.is(Kind::kDouble) || modulo) return no_overload(n);
  if (b.real == 0) {  // IEEE 754; a division that C++ leaves undefined
    if (a.real == 0 || std::isnan(a.real)) return Value::of_double(std::nan(""));
    const double infinity = std::numeric_limits<double>::infinity();
    return Value::of_double(std::signbit(a.real) == std::signbit(b.real) ? infinity : -infinity);
  }
  return Value::of_double(a.real / b.real);
}

Value Evaluator::order(const Node& n, const Value& a, const Value& b) {
  if (!spend(a.is(Kind::kString) || a.is(Kind::kBytes) ? std::min(a.size, b.size) / 16 : 0)) {
    return too_costly(n);
  }
  const int order = compare(a, b);
  if (order == 2) {  // NaN has no order, but a type
    const auto number = [](const Value& v) {
      return v.is(Kind::kInt) || v.is(Kind::kUint) || v.is(Kind::kDouble);
    };
    return number(a) && number(b) ? Value::boolean(false) : no_overload(n);
  }
  if (n.function == Function::kLess) return Value::boolean(order < 0);
  if (n.function == Function::kLessEqual) return Value::boolean(order <= 0);
  return Value::boolean(n.function == Function::kGreater ? order > 0 : order >= 0);
}

Value Evaluator::contained(const Node& n, const Value& item, const Value& in) {
  if (in.is(Kind::kMap)) {
    const Value found = lookup(in, item, n.place);
    return is_final(found) ? found : Value::boolean(!found.is_error());
  }
  if (!in.is(Kind::kList)) return no_overload(n);
  for (const Value& one : in.list_items()) {
    const bool same = equal(one, item, cost_);
    if (!spend(0)) return too_costly(n);
    if (same) return Value::boolean(true);
  }
  return Value::boolean(false);
}

Value Evaluator::unary(const Node& n, const Value& a) {
  if (n.function == Function::kNot) {
    return a.is(Kind::kBool) ? Value::boolean(!a.truth) : no_overload(n);
  }
  if (n.function == Function::kNegate) {
    if (a.is(Kind::kDouble)) return Value::of_double(-a.real);
    if (!a.is(Kind::kInt)) return no_overload(n);
    if (a.integer == std::numeric_limits<I64>::min()) return fault(Fault::kOverflow, n);
    return Value::of_int(-a.integer);
  }
  if (n.function == Function::kSize) return size_of(n, a);
  if (n.function >= Function::kGetDate) return time_part(n, a, nullptr);
  if (n.function >= Function::kToBool) return convert(n, a);
  return no_overload(n);
}

Value Evaluator::size_of(const Node& n, const Value& a) {
  if (a.is(Kind::kString)) {
    if (!spend(a.size / 16)) return too_costly(n);
    return Value::of_int(static_cast<I64>(code_points(a.text())));
  }
  if (a.is(Kind::kBytes) || a.is(Kind::kList) || a.is(Kind::kMap)) return Value::of_int(a.size);
  return no_overload(n);
}

Value Evaluator::text_test(const Node& n, const Value& text, const Value& part) {
  if (!text.is(Kind::kString) || !part.is(Kind::kString)) return no_overload(n);
  if (n.function == Function::kStartsWith) {
    return Value::boolean(text.text().starts_with(part.text()));
  }
  if (n.function == Function::kEndsWith) return Value::boolean(text.text().ends_with(part.text()));
  if (!spend(text.size / 16)) return too_costly(n);
  if (part.size == 0 || text.size < part.size) return Value::boolean(part.size == 0);
  return Value::boolean(memmem(text.bytes, text.size, part.bytes, part.size) != nullptr);
}

Value Evaluator::matches(const Node& n, const Value& text, const Value& pattern) {
  if (!text.is(Kind::kString) || !pattern.is(Kind::kString)) return no_overload(n);
  if (!spend(text.size / 4)) return too_costly(n);
  if (n.slot != kUnresolved) return Value::boolean(program_.patterns_[n.slot].finds(text.text()));
  // A pattern that is made at evaluation is compiled there, which its length bounds.
  if (!spend(100 + std::uint64_t{pattern.size} * 10)) return too_costly(n);
  const auto compiled = Regex::compile(pattern.text());
  if (!compiled) return fault(Fault::kPattern, n);
  return Value::boolean(compiled->finds(text.text()));
}

}  // namespace candor::cel
