// Identity, tax and health numbers of western and southern Europe, by each authority's published
// rule.
#include <array>

#include "dlp/internal/check_digits.h"
#include "dlp/validators.h"

namespace candor::dlp {
namespace {

// UK: HMRC's NINO form; D F I Q U V never, O not second; some prefixes are not given out.
std::size_t uk_nino(std::string_view value) {
  const std::string n = alnum_of(value);
  if (n.size() != 9) return 0;
  constexpr std::string_view kNever = "DFIQUV";
  if (kNever.contains(n[0]) || kNever.contains(n[1]) || n[1] == 'O') return 0;
  for (const std::string_view prefix : {"BG", "GB", "NK", "KN", "TN", "NT", "ZZ"}) {
    if (n.starts_with(prefix)) return 0;
  }
  return n[8] >= 'A' && n[8] <= 'D' ? value.size() : 0;
}

// UK: NHS number, modulus 11, weights 10 to 2.
std::size_t uk_nhs(std::string_view value) {
  const std::string d = digits_of(value);
  if (d.size() != 10 || all_same(d)) return 0;
  const int check = 11 - weighted(d, {10, 9, 8, 7, 6, 5, 4, 3, 2}) % 11;
  return check != 10 && check % 11 == digit(d[9]) ? value.size() : 0;
}

// UK: unique taxpayer reference, weights 6 7 8 9 10 5 4 3 2 over the last nine digits.
std::size_t uk_utr(std::string_view value) {
  const std::string d = digits_of(value);
  if (d.size() != 10) return 0;
  const int rest = weighted(d.substr(1), {6, 7, 8, 9, 10, 5, 4, 3, 2}) % 11;
  constexpr std::string_view kCheck = "21987654321";
  return d[0] == kCheck[static_cast<unsigned>(rest)] && !all_same(d) ? value.size() : 0;
}

// Germany: Steuer-Identifikationsnummer, ISO 7064 mod 11,10; among the first ten digits one stands
// twice or three times and the others at most once (§ 139b AO).
std::size_t de_tax_id(std::string_view value) {
  const std::string d = digits_of(value);
  if (d.size() != 11 || d[0] == '0' || !mod_11_10(d)) return 0;
  std::array<int, 10> count{};
  for (const char c : d.substr(0, 10)) ++count[static_cast<unsigned>(digit(c))];
  int twice = 0;
  int thrice = 0;
  for (const int n : count) {
    if (n > 3) return 0;
    twice += n == 2 ? 1 : 0;
    thrice += n == 3 ? 1 : 0;
  }
  return twice + thrice == 1 ? value.size() : 0;
}

// ICAO Doc 9303: weights 7 3 1, letters from 10, < is 0.
bool icao_check(std::string_view field, char check) {
  constexpr std::array<int, 3> kWeights = {7, 3, 1};
  int sum = 0;
  for (std::size_t i = 0; i < field.size(); ++i) {
    const char c = field[i];
    const int value = c == '<' ? 0 : c >= 'A' ? c - 'A' + 10 : digit(c);
    sum += value * kWeights[i % 3];
  }
  return check >= '0' && check <= '9' && sum % 10 == digit(check);
}

// Germany: number of identity card or passport, nine characters and the check digit.
std::size_t de_document(std::string_view value) {
  if (value.size() == 10) return icao_check(value.substr(0, 9), value[9]) ? value.size() : 0;
  return value.size() == 9 ? value.size() : 0;
}

// Machine readable passport: the second line's check digits (ICAO Doc 9303 part 4).
std::size_t mrz_td3(std::string_view value) {
  if (value.size() < 44) return 0;
  const std::string_view line = value.substr(value.size() - 44);
  const bool good = icao_check(line.substr(0, 9), line[9]) &&
                    icao_check(line.substr(13, 6), line[19]) &&
                    icao_check(line.substr(21, 6), line[27]);
  return good ? value.size() : 0;
}

// Germany: Rentenversicherungsnummer; the letter counts as its place in the alphabet.
std::size_t de_pension(std::string_view value) {
  const std::string n = alnum_of(value);
  if (n.size() != 12 || n[8] < 'A' || n[8] > 'Z') return 0;
  const int letter = n[8] - 'A' + 1;
  const std::string d = n.substr(0, 8) + static_cast<char>('0' + letter / 10) +
                        static_cast<char>('0' + letter % 10) + n.substr(9, 2);
  constexpr std::array<int, 12> kWeights = {2, 1, 2, 5, 7, 1, 2, 1, 2, 1, 2, 1};
  int sum = 0;
  for (std::size_t i = 0; i < 12; ++i) {
    if (d[i] < '0' || d[i] > '9') return 0;
    const int product = digit(d[i]) * kWeights[i];
    sum += product / 10 + product % 10;
  }
  return sum % 10 == digit(n[11]) ? value.size() : 0;
}

// Germany: Krankenversichertennummer; the letter as two digits, weights 1 2.
std::size_t de_health(std::string_view value) {
  const std::string n = alnum_of(value);
  if (n.size() != 10) return 0;
  const int letter = n[0] - 'A' + 1;
  const std::string d =
      std::string{static_cast<char>('0' + letter / 10), static_cast<char>('0' + letter % 10)} +
      n.substr(1, 8);
  int sum = 0;
  for (std::size_t i = 0; i < d.size(); ++i) {
    const int product = digit(d[i]) * (i % 2 == 0 ? 1 : 2);
    sum += product / 10 + product % 10;
  }
  return sum % 10 == digit(n[9]) ? value.size() : 0;
}

// France: NIR, key 97 - n mod 97; Corsica's 2A and 2B count as 19 and 18.
std::size_t fr_nir(std::string_view value) {
  std::string n = alnum_of(value);
  if (n.size() != 15) return 0;
  if (n[5] == '2' && (n[6] == 'A' || n[6] == 'B')) n.replace(5, 2, n[6] == 'A' ? "19" : "18");
  for (const char c : n) {
    if (c < '0' || c > '9') return 0;
  }
  const auto month = number_of(n.substr(3, 2));
  if (!((month >= 1 && month <= 12) || (month >= 20 && month <= 42) || month >= 50)) return 0;
  return 97 - number_of(n.substr(0, 13)) % 97 == number_of(n.substr(13)) ? value.size() : 0;
}

// France: SIREN and SIRET, Luhn.
std::size_t fr_siret(std::string_view value) {
  const std::string d = digits_of(value);
  return (d.size() == 9 || d.size() == 14) && luhn(d) && !all_same(d) ? value.size() : 0;
}

// Italy: codice fiscale (DM 23/12/1976): odd places by a table, even ones by value.
std::size_t it_fiscal_code(std::string_view value) {
  const std::string n = alnum_of(value);
  if (n.size() != 16) return 0;
  constexpr std::array<int, 26> kOdd = {1,  0,  5, 7, 9, 13, 15, 17, 19, 21, 2,  4,  18,
                                        20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23};
  int sum = 0;
  for (std::size_t i = 0; i < 15; ++i) {
    const int place = n[i] >= 'A' ? n[i] - 'A' : digit(n[i]);
    sum += i % 2 == 0 ? kOdd[static_cast<unsigned>(place)] : place;
  }
  return n[15] == 'A' + sum % 26 && std::string_view("ABCDEHLMPRST").contains(n[8]) ? value.size()
                                                                                    : 0;
}

// Italy: partita IVA, Luhn over eleven digits.
std::size_t it_vat(std::string_view value) {
  const std::string d = digits_of(value);
  return d.size() == 11 && luhn(d) && !all_same(d) ? value.size() : 0;
}

// Spain: DNI and NIE, the letter of n mod 23; X Y Z stand for 0 1 2.
std::size_t es_dni(std::string_view value) {
  std::string n = alnum_of(value);
  if (n.size() != 9) return 0;
  if (n[0] >= 'X' && n[0] <= 'Z') n[0] = static_cast<char>('0' + (n[0] - 'X'));
  for (const char c : n.substr(0, 8)) {
    if (c < '0' || c > '9') return 0;
  }
  constexpr std::string_view kLetters = "TRWAGMYFPDXBNJZSQVHLCKE";
  return kLetters[number_of(n.substr(0, 8)) % 23] == n[8] ? value.size() : 0;
}

// Spain: CIF of companies.
std::size_t es_cif(std::string_view value) {
  const std::string n = alnum_of(value);
  if (n.size() != 9) return 0;
  int sum = 0;
  for (std::size_t i = 1; i < 8; ++i) {
    const int d = digit(n[i]) * (i % 2 == 1 ? 2 : 1);
    sum += d / 10 + d % 10;
  }
  const int check = (10 - sum % 10) % 10;
  const bool as_digit = n[8] == '0' + check;
  const bool as_letter = n[8] == "JABCDEFGHI"[check];
  if (std::string_view("PQSNWR").contains(n[0])) return as_letter ? value.size() : 0;
  if (std::string_view("ABEH").contains(n[0])) return as_digit ? value.size() : 0;
  return as_digit || as_letter ? value.size() : 0;
}

// Portugal: NIF, weights 9 to 2 mod 11.
std::size_t pt_nif(std::string_view value) {
  const std::string d = digits_of(value);
  if (d.size() != 9 || all_same(d) || d[0] == '0') return 0;
  const int rest = weighted(d, {9, 8, 7, 6, 5, 4, 3, 2}) % 11;
  return digit(d[8]) == (rest < 2 ? 0 : 11 - rest) ? value.size() : 0;
}

// Netherlands: BSN, the eleven test with weight -1 for the last digit.
std::size_t nl_bsn(std::string_view value) {
  const std::string d = digits_of(value);
  if (d.size() != 9 || all_same(d)) return 0;
  return weighted(d, {9, 8, 7, 6, 5, 4, 3, 2, -1}) % 11 == 0 ? value.size() : 0;
}

// Belgium: national number, 97 - n mod 97; born from 2000 on with a 2 before it.
std::size_t be_national(std::string_view value) {
  const std::string d = digits_of(value);
  if (d.size() != 11) return 0;
  const auto month = number_of(d.substr(2, 2));
  if (month % 20 > 12 || month > 52 || number_of(d.substr(4, 2)) > 31) return 0;
  const auto base = number_of(d.substr(0, 9));
  const auto check = number_of(d.substr(9));
  return 97 - base % 97 == check || 97 - (2000000000ULL + base) % 97 == check ? value.size() : 0;
}

// Luxembourg: matricule, Luhn over 12 digits and Verhoeff over the first 11 and the last.
std::size_t lu_national(std::string_view value) {
  const std::string d = digits_of(value);
  if (d.size() != 13) return 0;
  if (!is_date(static_cast<int>(number_of(d.substr(0, 4))),
               static_cast<int>(number_of(d.substr(4, 2))),
               static_cast<int>(number_of(d.substr(6, 2))))) {
    return 0;
  }
  return luhn(d.substr(0, 12)) && verhoeff(d.substr(0, 11) + d[12]) ? value.size() : 0;
}

// Switzerland: AHV number, EAN-13 with 756.
std::size_t ch_ahv(std::string_view value) {
  const std::string d = digits_of(value);
  if (d.size() != 13 || !d.starts_with("756")) return 0;
  return weighted(d, {1, 3, 1, 3, 1, 3, 1, 3, 1, 3, 1, 3, 1}) % 10 == 0 ? value.size() : 0;
}

// Austria: social insurance number; the check digit stands fourth, then the day of birth.
std::size_t at_social(std::string_view value) {
  const std::string d = digits_of(value);
  if (d.size() != 10 || d[0] == '0') return 0;
  const int check = (weighted(d, {3, 7, 9, 0, 5, 8, 4, 2, 1, 6})) % 11;
  const auto month = number_of(d.substr(6, 2));
  const auto day = number_of(d.substr(4, 2));
  return check == digit(d[3]) && month >= 1 && month <= 13 && day >= 1 && day <= 31 ? value.size()
                                                                                    : 0;
}

// Ireland: PPS number, weights 8 to 2, a second letter counts nine times.
std::size_t ie_pps(std::string_view value) {
  const std::string n = alnum_of(value);
  if (n.size() != 8 && n.size() != 9) return 0;
  if (n[7] < 'A' || n.back() < 'A') return 0;
  int sum = weighted(n.substr(0, 7), {8, 7, 6, 5, 4, 3, 2});
  if (n.size() == 9) sum += n[8] == 'W' ? 0 : 9 * (n[8] - 'A' + 1);
  return "WABCDEFGHIJKLMNOPQRSTUV"[sum % 23] == n[7] ? value.size() : 0;
}

constexpr std::array<NamedValidator, 21> kTable = {{{"uk_nino", uk_nino},
                                                    {"uk_nhs", uk_nhs},
                                                    {"uk_utr", uk_utr},
                                                    {"de_tax_id", de_tax_id},
                                                    {"de_document", de_document},
                                                    {"mrz_td3", mrz_td3},
                                                    {"de_pension", de_pension},
                                                    {"de_health", de_health},
                                                    {"fr_nir", fr_nir},
                                                    {"fr_siret", fr_siret},
                                                    {"it_fiscal_code", it_fiscal_code},
                                                    {"it_vat", it_vat},
                                                    {"es_dni", es_dni},
                                                    {"es_cif", es_cif},
                                                    {"pt_nif", pt_nif},
                                                    {"nl_bsn", nl_bsn},
                                                    {"be_national", be_national},
                                                    {"lu_national", lu_national},
                                                    {"ch_ahv", ch_ahv},
                                                    {"at_social", at_social},
                                                    {"ie_pps", ie_pps}}};

}  // namespace

std::span<const NamedValidator> european_validators() { return kTable; }

}  // namespace candor::dlp
