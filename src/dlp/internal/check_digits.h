// Arithmetic that many identity numbers share.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>

namespace candor::dlp {

// The digits of a text, or its letters (as capitals) and digits.
[[nodiscard]] std::string digits_of(std::string_view text);
[[nodiscard]] std::string alnum_of(std::string_view text);
[[nodiscard]] inline int digit(char c) { return c - '0'; }
[[nodiscard]] bool all_same(std::string_view text);

// Over ASCII digits. ISO/IEC 7812-1 annex B; Verhoeff 1969; ISO/IEC 7064 mod 11,10; ISO 7064
// mod 97.
[[nodiscard]] bool luhn(std::string_view digits);
[[nodiscard]] bool verhoeff(std::string_view digits);
[[nodiscard]] bool mod_11_10(std::string_view digits);
[[nodiscard]] unsigned mod_97(std::string_view alnum);  // letters count as 10 to 35
// Sum of digit times weight over as many digits as there are weights.
[[nodiscard]] int weighted(std::string_view digits, std::initializer_list<int> weights);
[[nodiscard]] unsigned long long number_of(std::string_view digits);  // up to 18 of them

// A day of the Gregorian calendar.
[[nodiscard]] bool is_date(int year, int month, int day);

}  // namespace candor::dlp
