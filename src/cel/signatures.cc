#include "cel/internal/signatures.h"

#include <array>

namespace candor::cel {
namespace {

using F = Function;

constexpr std::array kSignatures{
    Signature{F::kNot, "", false, "b", 'b'},
    Signature{F::kNegate, "", false, "i", 'i'},
    Signature{F::kNegate, "", false, "d", 'd'},
    Signature{F::kAdd, "", false, "ii", 'i'},
    Signature{F::kAdd, "", false, "uu", 'u'},
    Signature{F::kAdd, "", false, "dd", 'd'},
    Signature{F::kAdd, "", false, "ss", 's'},
    Signature{F::kAdd, "", false, "yy", 'y'},
    Signature{F::kAdd, "", false, "LL", 'L'},
    Signature{F::kAdd, "", false, "tr", 't'},
    Signature{F::kAdd, "", false, "rt", 't'},
    Signature{F::kAdd, "", false, "rr", 'r'},
    Signature{F::kSubtract, "", false, "ii", 'i'},
    Signature{F::kSubtract, "", false, "uu", 'u'},
    Signature{F::kSubtract, "", false, "dd", 'd'},
    Signature{F::kSubtract, "", false, "tt", 'r'},
    Signature{F::kSubtract, "", false, "tr", 't'},
    Signature{F::kSubtract, "", false, "rr", 'r'},
    Signature{F::kMultiply, "", false, "ii", 'i'},
    Signature{F::kMultiply, "", false, "uu", 'u'},
    Signature{F::kMultiply, "", false, "dd", 'd'},
    Signature{F::kDivide, "", false, "ii", 'i'},
    Signature{F::kDivide, "", false, "uu", 'u'},
    Signature{F::kDivide, "", false, "dd", 'd'},
    Signature{F::kModulo, "", false, "ii", 'i'},
    Signature{F::kModulo, "", false, "uu", 'u'},
    Signature{F::kEqual, "", false, "AA", 'b'},
    Signature{F::kNotEqual, "", false, "AA", 'b'},
    // Of these four: #, two of one type that has an order, or two numbers of any types.
    Signature{F::kLess, "", false, "##", 'b'},
    Signature{F::kLessEqual, "", false, "##", 'b'},
    Signature{F::kGreater, "", false, "##", 'b'},
    Signature{F::kGreaterEqual, "", false, "##", 'b'},
    Signature{F::kIn, "", false, "AL", 'b'},
    Signature{F::kIn, "", false, "AM", 'b'},
    Signature{F::kSize, "size", false, "s", 'i'},
    Signature{F::kSize, "size", false, "y", 'i'},
    Signature{F::kSize, "size", false, "L", 'i'},
    Signature{F::kSize, "size", false, "M", 'i'},
    Signature{F::kSize, "size", true, "s", 'i'},
    Signature{F::kSize, "size", true, "y", 'i'},
    Signature{F::kSize, "size", true, "L", 'i'},
    Signature{F::kSize, "size", true, "M", 'i'},
    Signature{F::kContains, "contains", true, "ss", 'b'},
    Signature{F::kStartsWith, "startsWith", true, "ss", 'b'},
    Signature{F::kEndsWith, "endsWith", true, "ss", 'b'},
    Signature{F::kMatches, "matches", true, "ss", 'b'},
    Signature{F::kMatches, "matches", false, "ss", 'b'},
    Signature{F::kToBool, "bool", false, "b", 'b'},
    Signature{F::kToBool, "bool", false, "s", 'b'},
    Signature{F::kToBytes, "bytes", false, "y", 'y'},
    Signature{F::kToBytes, "bytes", false, "s", 'y'},
    Signature{F::kToDouble, "double", false, "d", 'd'},
    Signature{F::kToDouble, "double", false, "i", 'd'},
    Signature{F::kToDouble, "double", false, "u", 'd'},
    Signature{F::kToDouble, "double", false, "s", 'd'},
    Signature{F::kToDuration, "duration", false, "r", 'r'},
    Signature{F::kToDuration, "duration", false, "s", 'r'},
    Signature{F::kToDyn, "dyn", false, "A", '*'},
    Signature{F::kToInt, "int", false, "i", 'i'},
    Signature{F::kToInt, "int", false, "u", 'i'},
    Signature{F::kToInt, "int", false, "d", 'i'},
    Signature{F::kToInt, "int", false, "s", 'i'},
    Signature{F::kToInt, "int", false, "t", 'i'},
    Signature{F::kToString, "string", false, "s", 's'},
    Signature{F::kToString, "string", false, "b", 's'},
    Signature{F::kToString, "string", false, "i", 's'},
    Signature{F::kToString, "string", false, "u", 's'},
    Signature{F::kToString, "string", false, "d", 's'},
    Signature{F::kToString, "string", false, "y", 's'},
    Signature{F::kToString, "string", false, "t", 's'},
    Signature{F::kToString, "string", false, "r", 's'},
    Signature{F::kToTimestamp, "timestamp", false, "t", 't'},
    Signature{F::kToTimestamp, "timestamp", false, "s", 't'},
    Signature{F::kToTimestamp, "timestamp", false, "i", 't'},
    Signature{F::kToType, "type", false, "A", 'T'},
    Signature{F::kToUint, "uint", false, "u", 'u'},
    Signature{F::kToUint, "uint", false, "i", 'u'},
    Signature{F::kToUint, "uint", false, "d", 'u'},
    Signature{F::kToUint, "uint", false, "s", 'u'},
    Signature{F::kGetDate, "getDate", true, "t", 'i'},
    Signature{F::kGetDate, "getDate", true, "ts", 'i'},
    Signature{F::kGetDayOfMonth, "getDayOfMonth", true, "t", 'i'},
    Signature{F::kGetDayOfMonth, "getDayOfMonth", true, "ts", 'i'},
    Signature{F::kGetDayOfWeek, "getDayOfWeek", true, "t", 'i'},
    Signature{F::kGetDayOfWeek, "getDayOfWeek", true, "ts", 'i'},
    Signature{F::kGetDayOfYear, "getDayOfYear", true, "t", 'i'},
    Signature{F::kGetDayOfYear, "getDayOfYear", true, "ts", 'i'},
    Signature{F::kGetFullYear, "getFullYear", true, "t", 'i'},
    Signature{F::kGetFullYear, "getFullYear", true, "ts", 'i'},
    Signature{F::kGetMonth, "getMonth", true, "t", 'i'},
    Signature{F::kGetMonth, "getMonth", true, "ts", 'i'},
    Signature{F::kGetHours, "getHours", true, "t", 'i'},
    Signature{F::kGetHours, "getHours", true, "ts", 'i'},
    Signature{F::kGetHours, "getHours", true, "r", 'i'},
    Signature{F::kGetMinutes, "getMinutes", true, "t", 'i'},
    Signature{F::kGetMinutes, "getMinutes", true, "ts", 'i'},
    Signature{F::kGetMinutes, "getMinutes", true, "r", 'i'},
    Signature{F::kGetSeconds, "getSeconds", true, "t", 'i'},
    Signature{F::kGetSeconds, "getSeconds", true, "ts", 'i'},
    Signature{F::kGetSeconds, "getSeconds", true, "r", 'i'},
    Signature{F::kGetMilliseconds, "getMilliseconds", true, "t", 'i'},
    Signature{F::kGetMilliseconds, "getMilliseconds", true, "ts", 'i'},
    Signature{F::kGetMilliseconds, "getMilliseconds", true, "r", 'i'},
};

}  // namespace

std::span<const Signature> signatures() noexcept { return kSignatures; }

std::string_view shown_name(Function function) noexcept {
  static constexpr std::array<std::string_view, 15> kOperators{
      "", "!", "-", "+", "-", "*", "/", "%", "==", "!=", "<", "<=", ">", ">=", "in"};
  const auto number = static_cast<std::size_t>(function);
  if (number < kOperators.size()) return kOperators[number];
  for (const Signature& signature : kSignatures) {
    if (signature.function == function) return signature.name;
  }
  return "?";
}

}  // namespace candor::cel
