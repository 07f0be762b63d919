// Conversions between types, and the parts of times.
#include <array>
#include <charconv>
#include <cmath>
#include <limits>
#include <optional>

#include <fmt/format.h>

#include "base/text.h"
#include "cel/internal/evaluator.h"
#include "cel/time.h"

namespace candor::cel {
namespace {

// Decimal digits with an optional sign, the whole text.
template <typename T>
bool parse_whole(std::string_view text, T& out) {
  if (text.starts_with('+')) {
    text.remove_prefix(1);
    if (text.starts_with('-')) return false;
  }
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  return error == std::errc{} && end == text.data() + text.size() && !text.empty();
}

// The shortest text that reads back as the number, as other implementations write it: with an
// exponent from 10^6 on and below 10^-4.
std::string shortest(double real) {
  if (std::isnan(real)) return "NaN";
  if (std::isinf(real)) return real > 0 ? "+Inf" : "-Inf";
  const double size = std::fabs(real);
  std::array<char, 40> buffer{};
  const bool exponent = size != 0 && (size < 1e-4 || size >= 1e6);
  const auto [end, error] =
      std::to_chars(buffer.data(), buffer.data() + buffer.size(), real,
                    exponent ? std::chars_format::scientific : std::chars_format::fixed);
  return {buffer.data(), end};
}

bool is_bool_text(std::string_view text, bool& out) {
  if (text == "1" || text == "t" || text == "T" || text == "true" || text == "TRUE" ||
      text == "True") {
    out = true;
    return true;
  }
  out = false;
  return text == "0" || text == "f" || text == "F" || text == "false" || text == "FALSE" ||
         text == "False";
}

}  // namespace

Value Evaluator::convert(const Node& n, const Value& a) {
  const Function f = n.function;
  if (f == Function::kToDyn) return a;
  if (f == Function::kToType) return Value::of_text(type_name(a.kind), Kind::kType);
  if (f == Function::kToInt) return to_int(n, a);
  if (f == Function::kToUint) return to_uint(n, a);
  if (f == Function::kToDouble) return to_double(n, a);
  if (f == Function::kToString) return to_string(n, a);
  if (f == Function::kToDuration || f == Function::kToTimestamp) return to_time(n, a);
  if (f == Function::kToBool) {
    bool truth = false;
    if (a.is(Kind::kBool)) return a;
    if (!a.is(Kind::kString)) return no_overload(n);
    return is_bool_text(a.text(), truth) ? Value::boolean(truth) : fault(Fault::kConversion, n);
  }
  if (f == Function::kToBytes && (a.is(Kind::kBytes) || a.is(Kind::kString))) {
    return Value::of_text(a.text(), Kind::kBytes);
  }
  return no_overload(n);
}

Value Evaluator::to_time(const Node& n, const Value& a) {
  const Kind to = n.function == Function::kToDuration ? Kind::kDuration : Kind::kTimestamp;
  if (a.is(to)) return a;
  std::optional<Instant> time;
  if (a.is(Kind::kInt) && to == Kind::kTimestamp) {
    time = Instant{a.integer, 0};
  } else if (a.is(Kind::kString)) {
    if (!spend(a.size / 16)) return too_costly(n);
    time = to == Kind::kDuration ? parse_duration(a.text()) : parse_timestamp(a.text());
  } else {
    return no_overload(n);
  }
  if (!time || !in_range(to, *time)) return fault(Fault::kConversion, n);
  return Value::of_time(to, time->seconds, time->nanos);
}

Value Evaluator::to_int(const Node& n, const Value& a) const {
  constexpr double kTwoTo63 = 9223372036854775808.0;
  if (a.is(Kind::kInt)) return a;
  if (a.is(Kind::kTimestamp)) return Value::of_int(a.integer);
  if (a.is(Kind::kUint)) {
    if (a.natural > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) {
      return fault(Fault::kConversion, n);
    }
    return Value::of_int(static_cast<std::int64_t>(a.natural));
  }
  if (a.is(Kind::kDouble)) {  // towards zero; both bounds are outside
    if (!(a.real > -kTwoTo63 && a.real < kTwoTo63)) return fault(Fault::kConversion, n);
    return Value::of_int(static_cast<std::int64_t>(a.real));
  }
  if (!a.is(Kind::kString)) return no_overload(n);
  std::int64_t number = 0;
  return parse_whole(a.text(), number) ? Value::of_int(number) : fault(Fault::kConversion, n);
}

Value Evaluator::to_uint(const Node& n, const Value& a) const {
  constexpr double kTwoTo64 = 18446744073709551616.0;
  if (a.is(Kind::kUint)) return a;
  if (a.is(Kind::kInt)) {
    return a.integer < 0 ? fault(Fault::kConversion, n)
                         : Value::of_uint(static_cast<std::uint64_t>(a.integer));
  }
  if (a.is(Kind::kDouble)) {
    if (!(a.real >= 0 && a.real < kTwoTo64)) return fault(Fault::kConversion, n);
    return Value::of_uint(static_cast<std::uint64_t>(a.real));
  }
  if (!a.is(Kind::kString)) return no_overload(n);
  std::uint64_t number = 0;
  return parse_whole(a.text(), number) ? Value::of_uint(number) : fault(Fault::kConversion, n);
}

Value Evaluator::to_double(const Node& n, const Value& a) const {
  if (a.is(Kind::kDouble)) return a;
  if (a.is(Kind::kInt)) return Value::of_double(static_cast<double>(a.integer));
  if (a.is(Kind::kUint)) return Value::of_double(static_cast<double>(a.natural));
  if (!a.is(Kind::kString)) return no_overload(n);
  double real = 0;
  return parse_whole(a.text(), real) ? Value::of_double(real) : fault(Fault::kConversion, n);
}

Value Evaluator::to_string(const Node& n, const Value& a) {
  const auto text = [&](const std::string& t) { return Value::of_text(arena_.copy(t)); };
  switch (a.kind) {
    case Kind::kString: return a;
    case Kind::kBool: return Value::of_text(a.truth ? "true" : "false");
    case Kind::kInt: return text(fmt::format("{}", a.integer));
    case Kind::kUint: return text(fmt::format("{}", a.natural));
    case Kind::kDouble: return text(shortest(a.real));
    case Kind::kTimestamp: return text(format_timestamp({a.integer, a.size}));
    case Kind::kDuration: return text(format_duration({a.integer, a.size}));
    case Kind::kBytes:
      if (!spend(a.size / 16)) return too_costly(n);
      return is_utf8(a.text()) ? Value::of_text(a.text()) : fault(Fault::kConversion, n);
    case Kind::kError:
    case Kind::kNull:
    case Kind::kType:
    case Kind::kList:
    case Kind::kMap:
    case Kind::kRecord: return no_overload(n);
  }
  return no_overload(n);
}

Value Evaluator::time_part(const Node& n, const Value& a, const Value* zone) {
  constexpr std::uint32_t kNanosInMilli = 1'000'000;
  if (a.is(Kind::kDuration) && zone == nullptr) {
    // Whole units of its length, towards zero.
    const bool below = a.integer < 0 && a.size > 0;
    const std::int64_t seconds = below ? a.integer + 1 : a.integer;
    if (n.function == Function::kGetHours) return Value::of_int(seconds / 3600);
    if (n.function == Function::kGetMinutes) return Value::of_int(seconds / 60);
    if (n.function == Function::kGetSeconds) return Value::of_int(seconds);
    if (n.function == Function::kGetMilliseconds) {  // of its last second
      const auto millis = static_cast<std::int64_t>(a.size / kNanosInMilli);
      if (!below) return Value::of_int(millis);
      return Value::of_int(-static_cast<std::int64_t>((1'000'000'000 - a.size) / kNanosInMilli));
    }
    return no_overload(n);
  }
  if (!a.is(Kind::kTimestamp)) return no_overload(n);
  std::int64_t offset = 0;
  if (zone != nullptr) {
    if (!zone->is(Kind::kString)) return no_overload(n);
    if (const auto fixed = fixed_offset(zone->text())) {
      offset = *fixed;
    } else if (zone->text() != "UTC") {
      if (!spend(10)) return too_costly(n);
      const Zone* known =
          program_.zones_ == nullptr ? nullptr : program_.zones_->find(zone->text());
      if (known == nullptr) return fault(Fault::kTimeZone, n);
      offset = known->offset_at(a.integer);
    }
  }
  const Civil civil = to_civil(a.integer + offset);
  const std::array<std::int64_t, 10> parts{civil.day,
                                           civil.day - 1,
                                           civil.weekday,
                                           civil.year_day,
                                           civil.year,
                                           civil.hour,
                                           static_cast<std::int64_t>(a.size / kNanosInMilli),
                                           civil.minute,
                                           civil.month - 1,
                                           civil.second};  // in Function's order
  return Value::of_int(
      parts[static_cast<std::size_t>(n.function) - static_cast<std::size_t>(Function::kGetDate)]);
}

}  // namespace candor::cel
