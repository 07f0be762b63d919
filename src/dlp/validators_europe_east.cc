// Identity and tax numbers of northern and eastern Europe, by each authority's published rule.
#include <array>

#include "dlp/internal/check_digits.h"
#include "dlp/validators.h"

namespace candor::dlp {
namespace {

int part(const std::string& d, std::size_t from, std::size_t size) {
  return static_cast<int>(number_of(std::string_view(d).substr(from, size)));
}

// Poland: PESEL, weights 1 3 7 9; the month carries the century.
std::size_t pl_pesel(std::string_view value) {
  const std::string d = digits_of(value);
  if (d.size() != 11 || all_same(d)) return 0;
  const int month = part(d, 2, 2);
  static constexpr std::array<int, 5> kCenturies = {1900, 2000, 2100, 2200, 1800};
  const int year = kCenturies[static_cast<unsigned>(month / 20)] + part(d, 0, 2);
  if (!is_date(year, month % 20, part(d, 4, 2))) return 0;
  return weighted(d, {1, 3, 7, 9, 1, 3, 7, 9, 1, 3, 1}) % 10 == 0 ? value.size() : 0;
}

std::size_t pl_nip(std::string_view value) {
  const std::string d = digits_of(value);
  if (d.size() != 10 || all_same(d) || d.starts_with("00")) return 0;
  return weighted(d, {6, 5, 7, 2, 3, 4, 5, 6, 7}) % 11 == digit(d[9]) ? value.size() : 0;
}

std::size_t pl_regon(std::string_view value) {
  const std::string d = digits_of(value);
  if (d.size() != 9 || all_same(d)) return 0;
  return weighted(d, {8, 9, 2, 3, 4, 5, 6, 7}) % 11 % 10 == digit(d[8]) ? value.size() : 0;
}

// Sweden: personnummer, Luhn over ten digits; samordningsnummer add 60 to the day.
std::size_t se_personal(std::string_view value) {
  std::string d = digits_of(value);
  if (d.size() == 12) {
    const int century = part(d, 0, 2);
    if (century < 18 || century > 20) return 0;
    d.erase(0, 2);
  }
  if (d.size() != 10 || !luhn(d)) return 0;
  const int day = part(d, 4, 2);
  return is_date(2000, part(d, 2, 2), day > 60 ? day - 60 : day) ? value.size() : 0;
}

// Finland: henkilötunnus, the character of n mod 31 (Väestörekisterilaki).
std::size_t fi_hetu(std::string_view value) {
  if (value.size() != 11) return 0;
  const std::string d = digits_of(value.substr(0, 6)) + digits_of(value.substr(7, 3));
  if (d.size() != 9 || part(d, 6, 3) < 2) return 0;
  if (!is_date(2000, part(d, 2, 2), part(d, 0, 2))) return 0;
  constexpr std::string_view kCheck = "0123456789ABCDEFHJKLMNPRSTUVWXY";
  const char check = value[10] >= 'a' ? static_cast<char>(value[10] - 'a' + 'A') : value[10];
  return kCheck[number_of(d) % 31] == check ? value.size() : 0;
}

// Norway: fødselsnummer, two check digits mod 11.
std::size_t no_national(std::string_view value) {
  const std::string d = digits_of(value);
  if (d.size() != 11) return 0;
  const int day = part(d, 0, 2);
  const int month = part(d, 2, 2);
  if (!is_date(2000, month > 40 ? month - 40 : month, day > 40 ? day - 40 : day)) return 0;
  return weighted(d, {3, 7, 6, 1, 8, 9, 4, 5, 2, 1}) % 11 == 0 &&
                 weighted(d, {5, 4, 3, 2, 7, 6, 5, 4, 3, 2, 1}) % 11 == 0
             ? value.size()
             : 0;
}

// Denmark: CPR number. Its check digit was given up in 2007, so the date is all there is.
std::size_t dk_cpr(std::string_view value) {
  const std::string d = digits_of(value);
  return d.size() == 10 && is_date(2000, part(d, 2, 2), part(d, 0, 2)) ? value.size() : 0;
}

// Estonia and Lithuania: isikukood, two rounds of weights.
std::size_t ee_personal(std::string_view value) {
  const std::string d = digits_of(value);
  if (d.size() != 11 || d[0] < '1' || d[0] > '8') return 0;
  if (!is_date(2000, part(d, 3, 2), part(d, 5, 2))) return 0;
  int rest = weighted(d, {1, 2, 3, 4, 5, 6, 7, 8, 9, 1}) % 11;
  if (rest == 10) rest = weighted(d, {3, 4, 5, 6, 7, 8, 9, 1, 2, 3}) % 11 % 10;
  return rest == digit(d[10]) ? value.size() : 0;
}

// Latvia: personas kods before 2017.
std::size_t lv_personal(std::string_view value) {
  const std::string d = digits_of(value);
  if (d.size() != 11) return 0;
  if (d.starts_with("32")) return value.size();
  if (!is_date(2000, part(d, 2, 2), part(d, 0, 2))) return 0;
  const int rest = (1101 - weighted(d, {1, 6, 3, 7, 9, 10, 5, 8, 4, 2})) % 11 % 10;
  return rest == digit(d[10]) ? value.size() : 0;
}

// Czechia and Slovakia: rodné číslo, divisible by 11; women's months have 50 more.
std::size_t cz_birth_number(std::string_view value) {
  const std::string d = digits_of(value);
  if (d.size() != 9 && d.size() != 10) return 0;
  int month = part(d, 2, 2);
  if (month > 50) month -= 50;
  if (month > 20) month -= 20;
  if (!is_date(2000, month, part(d, 4, 2))) return 0;
  if (d.size() == 9) return part(d, 0, 2) <= 53 ? value.size() : 0;
  const auto rest = number_of(d.substr(0, 9)) % 11 % 10;
  return rest == static_cast<unsigned>(digit(d[9])) ? value.size() : 0;
}

// Romania: CNP, weights 279146358279.
std::size_t ro_cnp(std::string_view value) {
  const std::string d = digits_of(value);
  if (d.size() != 13 || d[0] == '0') return 0;
  if (!is_date(2000, part(d, 3, 2), part(d, 5, 2))) return 0;
  const int rest = weighted(d, {2, 7, 9, 1, 4, 6, 3, 5, 8, 2, 7, 9}) % 11;
  return (rest == 10 ? 1 : rest) == digit(d[12]) ? value.size() : 0;
}

// Bulgaria: EGN; the month carries the century.
std::size_t bg_egn(std::string_view value) {
  const std::string d = digits_of(value);
  if (d.size() != 10) return 0;
  if (!is_date(2000, part(d, 2, 2) % 20, part(d, 4, 2)) || part(d, 2, 2) > 52) return 0;
  const int rest = weighted(d, {2, 4, 8, 5, 10, 9, 7, 3, 6}) % 11 % 10;
  return rest == digit(d[9]) ? value.size() : 0;
}

// Russia: INN of firms (10 digits) and persons (12, two check digits); SNILS modulo 101.
std::size_t ru_inn(std::string_view value) {
  const std::string d = digits_of(value);
  if (all_same(d)) return 0;
  if (d.size() == 10) {
    return weighted(d, {2, 4, 10, 3, 5, 9, 4, 6, 8}) % 11 % 10 == digit(d[9]) ? value.size() : 0;
  }
  if (d.size() != 12) return 0;
  return weighted(d, {7, 2, 4, 10, 3, 5, 9, 4, 6, 8}) % 11 % 10 == digit(d[10]) &&
                 weighted(d, {3, 7, 2, 4, 10, 3, 5, 9, 4, 6, 8}) % 11 % 10 == digit(d[11])
             ? value.size()
             : 0;
}

std::size_t ru_snils(std::string_view value) {
  const std::string d = digits_of(value);
  if (d.size() != 11 || all_same(d)) return 0;
  return weighted(d, {9, 8, 7, 6, 5, 4, 3, 2, 1}) % 101 % 100 == part(d, 9, 2) ? value.size() : 0;
}

// Croatia: OIB, ISO 7064 mod 11,10.
std::size_t hr_oib(std::string_view value) {
  const std::string d = digits_of(value);
  return d.size() == 11 && !all_same(d) && mod_11_10(d) ? value.size() : 0;
}

// Hungary: TAJ, weights 3 7; tax identifier with 8 first, weights 1 to 9.
std::size_t hu_taj(std::string_view value) {
  const std::string d = digits_of(value);
  if (d.size() != 9 || all_same(d)) return 0;
  return weighted(d, {3, 7, 3, 7, 3, 7, 3, 7}) % 10 == digit(d[8]) ? value.size() : 0;
}

std::size_t hu_tax(std::string_view value) {
  const std::string d = digits_of(value);
  if (d.size() != 10 || d[0] != '8') return 0;
  return weighted(d, {1, 2, 3, 4, 5, 6, 7, 8, 9}) % 11 == digit(d[9]) ? value.size() : 0;
}

// Slovenia and others of former Yugoslavia: EMŠO.
std::size_t si_emso(std::string_view value) {
  const std::string d = digits_of(value);
  if (d.size() != 13 || !is_date(2000, part(d, 2, 2), part(d, 0, 2))) return 0;
  const int rest = weighted(d, {7, 6, 5, 4, 3, 2, 7, 6, 5, 4, 3, 2}) % 11;
  return (11 - rest) % 11 % 10 == digit(d[12]) ? value.size() : 0;
}

// Greece: AFM, powers of two; AMKA: a date and Luhn.
std::size_t gr_afm(std::string_view value) {
  const std::string d = digits_of(value);
  if (d.size() != 9 || all_same(d)) return 0;
  return weighted(d, {256, 128, 64, 32, 16, 8, 4, 2}) % 11 % 10 == digit(d[8]) ? value.size() : 0;
}

std::size_t gr_amka(std::string_view value) {
  const std::string d = digits_of(value);
  return d.size() == 11 && is_date(2000, part(d, 2, 2), part(d, 0, 2)) && luhn(d) ? value.size()
                                                                                  : 0;
}

// Turkey: T.C. kimlik numarası.
std::size_t tr_identity(std::string_view value) {
  const std::string d = digits_of(value);
  if (d.size() != 11 || d[0] == '0') return 0;
  const int odd = weighted(d, {1, 0, 1, 0, 1, 0, 1, 0, 1});
  const int even = weighted(d, {0, 1, 0, 1, 0, 1, 0, 1});
  const int tenth = ((odd * 7 - even) % 10 + 10) % 10;
  return tenth == digit(d[9]) && (odd + even + tenth) % 10 == digit(d[10]) ? value.size() : 0;
}

// Ukraine: RNOKPP.
std::size_t ua_tax(std::string_view value) {
  const std::string d = digits_of(value);
  if (d.size() != 10 || all_same(d)) return 0;
  const int sum = weighted(d, {-1, 5, 7, 9, 4, 6, 10, 5, 7});
  return ((sum % 11 + 11) % 11) % 10 == digit(d[9]) ? value.size() : 0;
}

constexpr std::array<NamedValidator, 22> kTable = {
    {{"pl_pesel", pl_pesel},       {"pl_nip", pl_nip},
     {"pl_regon", pl_regon},       {"se_personal", se_personal},
     {"fi_hetu", fi_hetu},         {"no_national", no_national},
     {"dk_cpr", dk_cpr},           {"ee_personal", ee_personal},
     {"lv_personal", lv_personal}, {"cz_birth_number", cz_birth_number},
     {"ro_cnp", ro_cnp},           {"bg_egn", bg_egn},
     {"hr_oib", hr_oib},           {"hu_taj", hu_taj},
     {"hu_tax", hu_tax},           {"si_emso", si_emso},
     {"gr_afm", gr_afm},           {"gr_amka", gr_amka},
     {"tr_identity", tr_identity}, {"ua_tax", ua_tax},
     {"ru_inn", ru_inn},           {"ru_snils", ru_snils}}};

}  // namespace

std::span<const NamedValidator> more_european_validators() { return kTable; }

}  // namespace candor::dlp
