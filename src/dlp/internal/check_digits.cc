#include "dlp/internal/check_digits.h"

#include <algorithm>
#include <array>

namespace candor::dlp {

std::string digits_of(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c >= '0' && c <= '9') out += c;
  }
  return out;
}

std::string alnum_of(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if ((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z')) out += c;
    if (c >= 'a' && c <= 'z') out += static_cast<char>(c - 'a' + 'A');
  }
  return out;
}

bool all_same(std::string_view text) {
  return std::ranges::all_of(text, [&](char c) { return c == text[0]; });
}

bool luhn(std::string_view digits) {
  int sum = 0;
  bool twice = false;
  for (std::size_t i = digits.size(); i-- > 0; twice = !twice) {
    const int value = digit(digits[i]) * (twice ? 2 : 1);
    sum += value > 9 ? value - 9 : value;
  }
  return sum % 10 == 0;
}

bool verhoeff(std::string_view digits) {
  // The dihedral group D5: 0-4 are rotations, 5-9 reflections.
  const auto times = [](int a, int b) {
    if (a < 5) return b < 5 ? (a + b) % 5 : (a + b - 5) % 5 + 5;
    return b < 5 ? (a - 5 - b + 5) % 5 + 5 : (a - b + 5) % 5;
  };
  static constexpr std::array<int, 10> kTurn = {1, 5, 7, 6, 2, 8, 3, 0, 9, 4};
  int check = 0;
  for (std::size_t i = 0; i < digits.size(); ++i) {
    int value = digit(digits[digits.size() - 1 - i]);
    for (std::size_t turn = 0; turn < i % 8; ++turn) value = kTurn[static_cast<unsigned>(value)];
    check = times(check, value);
  }
  return check == 0;
}

bool mod_11_10(std::string_view digits) {
  int product = 10;
  for (const char c : digits.substr(0, digits.size() - 1)) {
    int sum = (digit(c) + product) % 10;
    if (sum == 0) sum = 10;
    product = sum * 2 % 11;
  }
  return (product + digit(digits.back())) % 10 == 1;
}

unsigned mod_97(std::string_view alnum) {
  unsigned rest = 0;
  for (const char c : alnum) {
    if (c >= '0' && c <= '9') {
      rest = (rest * 10 + static_cast<unsigned>(c - '0')) % 97;
    } else {
      rest = (rest * 100 + static_cast<unsigned>(c - 'A') + 10) % 97;
    }
  }
  return rest;
}

int weighted(std::string_view digits, std::initializer_list<int> weights) {
  int sum = 0;
  std::size_t i = 0;
  for (const int weight : weights) {
    if (i < digits.size()) sum += digit(digits[i]) * weight;
    ++i;
  }
  return sum;
}

unsigned long long number_of(std::string_view digits) {
  unsigned long long value = 0;
  for (const char c : digits) value = value * 10 + static_cast<unsigned long long>(digit(c));
  return value;
}

bool is_date(int year, int month, int day) {
  static constexpr std::array<int, 12> kDays = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  if (month < 1 || month > 12 || day < 1) return false;
  const bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
  const int days = kDays[static_cast<unsigned>(month) - 1] + (month == 2 && leap ? 1 : 0);
  return day <= days;
}

}  // namespace candor::dlp
