// Payment cards, IBAN, BIC, bank routing numbers, securities.
#include <algorithm>
#include <array>

#include "dlp/internal/check_digits.h"
#include "dlp/validators.h"

namespace candor::dlp {
namespace {

struct IssuerRange {  // leading digits from..to (both as many digits), lengths of the number
  unsigned from, to;
  std::size_t digits, min_length, max_length;
};
// ISO/IEC 7812 issuer identification numbers as the schemes publish them.
constexpr std::array<IssuerRange, 23> kIssuers = {{
    {4, 4, 1, 13, 19},        // Visa (13 old, 16, 19)
    {51, 55, 2, 16, 16},      // Mastercard
    {2221, 2720, 4, 16, 16},  // Mastercard
    {34, 34, 2, 15, 15},      // American Express
    {37, 37, 2, 15, 15},      //
    {300, 305, 3, 14, 19},    // Diners Club
    {3095, 3095, 4, 14, 19},  //
    {36, 36, 2, 14, 19},      //
    {38, 39, 2, 14, 19},      //
    {6011, 6011, 4, 16, 19},  // Discover
    {644, 649, 3, 16, 19},    //
    {65, 65, 2, 16, 19},      //
    {3528, 3589, 4, 16, 19},  // JCB
    {1800, 1800, 4, 15, 15},  // JCB, old
    {2131, 2131, 4, 15, 15},  //
    {62, 62, 2, 16, 19},      // UnionPay
    {81, 81, 2, 16, 19},      //
    {50, 50, 2, 12, 19},      // Maestro
    {56, 58, 2, 12, 19},      //
    {60, 60, 2, 16, 19},      // RuPay
    {63, 63, 2, 12, 19},      // Maestro, Elo
    {67, 67, 2, 12, 19},      // Maestro
    {2200, 2204, 4, 16, 19},  // Mir
}};

std::size_t card(std::string_view value) {
  const std::string digits = digits_of(value);
  if (digits.size() < 13 || digits.size() > 19 || !luhn(digits) || all_same(digits)) return 0;
  const bool issued = std::ranges::any_of(kIssuers, [&](const IssuerRange& range) {
    if (digits.size() < range.min_length || digits.size() > range.max_length) return false;
    const auto lead = number_of(std::string_view(digits).substr(0, range.digits));
    return lead >= range.from && lead <= range.to;
  });
  if (!issued) return 0;
  // Visa issues 13, 16 and 19 digits only.
  if (digits[0] == '4' && digits.size() != 13 && digits.size() != 16 && digits.size() != 19)
    return 0;
  return value.size();
}

struct IbanLength {
  std::string_view country;
  std::size_t length;
};
// ISO 13616, SWIFT's IBAN registry.
constexpr std::array<IbanLength, 87> kIbanLengths = {{
    {"AD", 24}, {"AE", 23}, {"AL", 28}, {"AT", 20}, {"AZ", 28}, {"BA", 20}, {"BE", 16}, {"BG", 22},
    {"BH", 22}, {"BI", 27}, {"BR", 29}, {"BY", 28}, {"CH", 21}, {"CR", 22}, {"CY", 28}, {"CZ", 24},
    {"DE", 22}, {"DJ", 27}, {"DK", 18}, {"DO", 28}, {"EE", 20}, {"EG", 29}, {"ES", 24}, {"FI", 18},
    {"FK", 18}, {"FO", 18}, {"FR", 27}, {"GB", 22}, {"GE", 22}, {"GI", 23}, {"GL", 18}, {"GR", 27},
    {"GT", 28}, {"HR", 21}, {"HU", 28}, {"IE", 22}, {"IL", 23}, {"IQ", 23}, {"IS", 26}, {"IT", 27},
    {"JO", 30}, {"KW", 30}, {"KZ", 20}, {"LB", 28}, {"LC", 32}, {"LI", 21}, {"LT", 20}, {"LU", 20},
    {"LV", 21}, {"LY", 25}, {"MC", 27}, {"MD", 24}, {"ME", 22}, {"MK", 19}, {"MN", 20}, {"MR", 27},
    {"MT", 31}, {"MU", 30}, {"NI", 28}, {"NL", 18}, {"NO", 15}, {"OM", 23}, {"PK", 24}, {"PL", 28},
    {"PS", 29}, {"PT", 25}, {"QA", 29}, {"RO", 24}, {"RS", 22}, {"RU", 33}, {"SA", 24}, {"SC", 31},
    {"SD", 18}, {"SE", 24}, {"SI", 19}, {"SK", 24}, {"SM", 27}, {"SO", 23}, {"ST", 25}, {"SV", 28},
    {"TL", 23}, {"TN", 24}, {"TR", 26}, {"UA", 29}, {"VA", 22}, {"VG", 24}, {"XK", 20},
}};

std::size_t iban(std::string_view value) {
  const std::string whole = alnum_of(value);
  const auto country =
      std::ranges::find(kIbanLengths, std::string_view(whole).substr(0, 2), &IbanLength::country);
  if (country == kIbanLengths.end() || whole.size() < country->length) return 0;
  const std::string number = whole.substr(0, country->length);
  if (mod_97(number.substr(4) + number.substr(0, 4)) != 1) return 0;
  std::size_t seen = 0;
  for (std::size_t i = 0; i < value.size(); ++i) {
    if (value[i] != ' ' && value[i] != '-' && value[i] != '.') ++seen;
    if (seen == country->length) return i + 1;
  }
  return 0;
}

constexpr std::string_view kCountries =
    "AD AE AF AG AI AL AM AO AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BM BN BO BR BS BT BW "
    "BY "
    "BZ CA CD CF CG CH CI CK CL CM CN CO CR CU CV CW CY CZ DE DJ DK DM DO DZ EC EE EG ER ES ET FI "
    "FJ "
    "FK FM FO FR GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GT GU GW GY HK HN HR HT HU ID IE IL IM "
    "IN "
    "IQ IR IS IT JE JM JO JP KE KG KH KI KM KN KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA "
    "MC "
    "MD ME MG MH MK ML MM MN MO MP MQ MR MS MT MU MV MW MX MY MZ NA NC NE NG NI NL NO NP NR NU NZ "
    "OM "
    "PA PE PF PG PH PK PL PM PR PS PT PW PY QA RE RO RS RU RW SA SB SC SD SE SG SI SK SL SM SN SO "
    "SR "
    "SS ST SV SY SZ TC TD TG TH TJ TL TM TN TO TR TT TV TW TZ UA UG US UY UZ VA VC VE VG VI VN VU "
    "WF "
    "WS XK YE YT ZA ZM ZW ";

// ISO 9362: four letters, a country, two of location, three of branch.
std::size_t bic(std::string_view value) {
  if (value.size() != 8 && value.size() != 11) return 0;
  return kCountries.contains(std::string(value.substr(4, 2)) + " ") ? value.size() : 0;
}

// American Bankers Association: weights 3 7 1; the first two digits name a district.
std::size_t aba_routing(std::string_view value) {
  const std::string d = digits_of(value);
  if (d.size() != 9) return 0;
  const auto district = number_of(d.substr(0, 2));
  const bool known = district <= 12 || (district >= 21 && district <= 32) ||
                     (district >= 61 && district <= 72) || district == 80;
  if (!known || all_same(d)) return 0;
  return weighted(d, {3, 7, 1, 3, 7, 1, 3, 7, 1}) % 10 == 0 ? value.size() : 0;
}

// ISO 6166: letters count as two digits, then Luhn.
std::size_t isin(std::string_view value) {
  if (value.size() != 12) return 0;
  if (!kCountries.contains(std::string(value.substr(0, 2)) + " ") && value.substr(0, 2) != "XS") {
    return 0;
  }
  std::string digits;
  for (const char c : value) {
    digits += c >= 'A' && c <= 'Z' ? std::to_string(c - 'A' + 10) : std::string(1, c);
  }
  return luhn(digits) ? value.size() : 0;
}

std::size_t luhn_number(std::string_view value) {
  const std::string digits = digits_of(value);
  return luhn(digits) && !all_same(digits) ? value.size() : 0;
}

constexpr std::array<NamedValidator, 6> kTable = {{{"card", card},
                                                   {"iban", iban},
                                                   {"bic", bic},
                                                   {"aba_routing", aba_routing},
                                                   {"isin", isin},
                                                   {"luhn", luhn_number}}};

}  // namespace

std::span<const NamedValidator> financial_validators() { return kTable; }

}  // namespace candor::dlp
