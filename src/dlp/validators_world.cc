// Identity, tax and health numbers of the Americas, Asia, Africa and Oceania, by each authority's
// published rule.
#include <array>

#include "dlp/internal/check_digits.h"
#include "dlp/validators.h"

namespace candor::dlp {
namespace {

int part(const std::string& d, std::size_t from, std::size_t size) {
  return static_cast<int>(number_of(std::string_view(d).substr(from, size)));
}

// USA: Social Security Administration; since 2011 only 000, 666 and 9xx are never given out.
// 078-05-1120 and 219-09-9999 were printed in advertisements.
std::size_t us_ssn(std::string_view value) {
  const std::string d = digits_of(value);
  if (d.size() != 9) return 0;
  const int area = part(d, 0, 3);
  if (area == 0 || area == 666 || area >= 900 || part(d, 3, 2) == 0 || part(d, 5, 4) == 0) return 0;
  return all_same(d) || d == "123456789" ? 0 : value.size();
}

// USA: IRS; 9xx with 50-65, 70-88, 90-92, 94-99 in the middle.
std::size_t us_itin(std::string_view value) {
  const std::string d = digits_of(value);
  if (d.size() != 9 || d[0] != '9') return 0;
  const int group = part(d, 3, 2);
  const bool given = (group >= 50 && group <= 65) || (group >= 70 && group <= 88) ||
                     (group >= 90 && group <= 92) || (group >= 94 && group <= 99);
  return given && part(d, 5, 4) != 0 ? value.size() : 0;
}

// USA: National Provider Identifier, Luhn with 80840 before it.
std::size_t us_npi(std::string_view value) {
  const std::string d = digits_of(value);
  return d.size() == 10 && (d[0] == '1' || d[0] == '2') && luhn("80840" + d) ? value.size() : 0;
}

// USA: DEA registration.
std::size_t us_dea(std::string_view value) {
  const std::string n = alnum_of(value);
  if (n.size() != 9) return 0;
  const std::string d = n.substr(2);
  return weighted(d, {1, 2, 1, 2, 1, 2}) % 10 == digit(d[6]) ? value.size() : 0;
}

// USA: Medicare beneficiary identifier (CMS): the form alone, no S L O I B Z.
std::size_t us_mbi(std::string_view value) {
  const std::string n = alnum_of(value);
  if (n.size() != 11) return 0;
  for (const char c : n) {
    if (std::string_view("SLOIBZ").contains(c)) return 0;
  }
  return value.size();
}

// Canada: SIN, Luhn; 0 and 8 are not given to people.
std::size_t ca_sin(std::string_view value) {
  const std::string d = digits_of(value);
  return d.size() == 9 && d[0] != '0' && d[0] != '8' && luhn(d) && !all_same(d) ? value.size() : 0;
}

// India: Aadhaar, Verhoeff; not 0 or 1 first.
std::size_t in_aadhaar(std::string_view value) {
  const std::string d = digits_of(value);
  return d.size() == 12 && d[0] > '1' && verhoeff(d) && !all_same(d) ? value.size() : 0;
}

// India: PAN; the fourth letter is the holder's kind.
std::size_t in_pan(std::string_view value) {
  return value.size() == 10 && std::string_view("ABCFGHLJPTK").contains(value[3]) ? value.size()
                                                                                  : 0;
}

// India: GSTIN: a state, a PAN, base-36 check character.
std::size_t in_gstin(std::string_view value) {
  if (value.size() != 15) return 0;
  const auto code = [](char c) { return c <= '9' ? c - '0' : c - 'A' + 10; };
  int sum = 0;
  for (std::size_t i = 0; i < 14; ++i) {
    const int product = code(value[i]) * (i % 2 == 0 ? 1 : 2);
    sum += product / 36 + product % 36;
  }
  const int check = (36 - sum % 36) % 36;
  return check == code(value[14]) ? value.size() : 0;
}

int mod11_check(std::string_view digits, std::initializer_list<int> weights) {
  const int rest = weighted(digits, weights) % 11;
  return rest < 2 ? 0 : 11 - rest;
}

// Brazil: CPF and CNPJ, two check digits mod 11 (Receita Federal).
std::size_t br_cpf(std::string_view value) {
  const std::string d = digits_of(value);
  if (d.size() != 11 || all_same(d)) return 0;
  return mod11_check(d, {10, 9, 8, 7, 6, 5, 4, 3, 2}) == digit(d[9]) &&
                 mod11_check(d, {11, 10, 9, 8, 7, 6, 5, 4, 3, 2}) == digit(d[10])
             ? value.size()
             : 0;
}

std::size_t br_cnpj(std::string_view value) {
  const std::string d = digits_of(value);
  if (d.size() != 14 || all_same(d)) return 0;
  return mod11_check(d, {5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2}) == digit(d[12]) &&
                 mod11_check(d, {6, 5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2}) == digit(d[13])
             ? value.size()
             : 0;
}

// Australia: tax file number, Medicare, business number (ATO, Services Australia).
std::size_t au_tfn(std::string_view value) {
  const std::string d = digits_of(value);
  if (d.size() != 9 || all_same(d)) return 0;
  return weighted(d, {1, 4, 3, 7, 5, 8, 6, 9, 10}) % 11 == 0 ? value.size() : 0;
}

std::size_t au_medicare(std::string_view value) {
  const std::string d = digits_of(value);
  if ((d.size() != 10 && d.size() != 11) || d[0] < '2' || d[0] > '6') return 0;
  return weighted(d, {1, 3, 7, 9, 1, 3, 7, 9}) % 10 == digit(d[8]) ? value.size() : 0;
}

std::size_t au_abn(std::string_view value) {
  std::string d = digits_of(value);
  if (d.size() != 11 || d[0] == '0') return 0;
  --d[0];
  return weighted(d, {10, 1, 3, 5, 7, 9, 11, 13, 15, 17, 19}) % 89 == 0 ? value.size() : 0;
}

// New Zealand: IRD number.
std::size_t nz_ird(std::string_view value) {
  std::string d = digits_of(value);
  if (d.size() == 8) d.insert(0, "0");
  if (d.size() != 9 || number_of(d) < 10000000 || number_of(d) > 150000000) return 0;
  int check = weighted(d, {3, 2, 7, 6, 5, 4, 3, 2}) % 11;
  check = check == 0 ? 0 : 11 - check;
  if (check == 10) {
    check = weighted(d, {7, 4, 3, 2, 5, 2, 7, 6}) % 11;
    check = check == 0 ? 0 : 11 - check;
  }
  return check == digit(d[8]) ? value.size() : 0;
}

// South Africa: a date, citizenship, Luhn.
std::size_t za_id(std::string_view value) {
  const std::string d = digits_of(value);
  if (d.size() != 13 || !is_date(2000, part(d, 2, 2), part(d, 4, 2))) return 0;
  return d[10] <= '2' && luhn(d) ? value.size() : 0;
}

// Israel: Luhn over nine digits.
std::size_t il_id(std::string_view value) {
  const std::string d = digits_of(value);
  return d.size() == 9 && luhn(d) && !all_same(d) ? value.size() : 0;
}

// China: GB 11643, ISO 7064 mod 11-2.
std::size_t cn_resident(std::string_view value) {
  if (value.size() != 18) return 0;
  const std::string d = digits_of(value.substr(0, 17));
  if (d.size() != 17 || !is_date(part(d, 6, 4), part(d, 10, 2), part(d, 12, 2))) return 0;
  const int rest = weighted(d, {7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2}) % 11;
  const char check = value[17] == 'x' ? 'X' : value[17];
  return "10X98765432"[rest] == check ? value.size() : 0;
}

// Japan: My Number.
std::size_t jp_my_number(std::string_view value) {
  const std::string d = digits_of(value);
  if (d.size() != 12 || all_same(d)) return 0;
  const int rest = weighted(d, {6, 5, 4, 3, 2, 7, 6, 5, 4, 3, 2}) % 11;
  return (rest <= 1 ? 0 : 11 - rest) == digit(d[11]) ? value.size() : 0;
}

// South Korea: resident registration number.
std::size_t kr_rrn(std::string_view value) {
  const std::string d = digits_of(value);
  if (d.size() != 13 || !is_date(2000, part(d, 2, 2), part(d, 4, 2))) return 0;
  if (d[6] == '0' || d[6] == '9') return 0;
  const int check = (11 - weighted(d, {2, 3, 4, 5, 6, 7, 8, 9, 2, 3, 4, 5}) % 11) % 10;
  return check == digit(d[12]) ? value.size() : 0;
}

// Singapore: NRIC and FIN.
std::size_t sg_nric(std::string_view value) {
  if (value.size() != 9) return 0;
  int sum = weighted(value.substr(1, 7), {2, 7, 6, 5, 4, 3, 2});
  const char kind = value[0];
  if (kind == 'T' || kind == 'G') sum += 4;
  if (kind == 'M') sum += 3;
  const auto rest = static_cast<unsigned>(sum % 11);
  const std::string_view letters = kind == 'S' || kind == 'T' ? "JZIHGFEDCBA"
                                   : kind == 'M'              ? "KLJNPQRTUWX"
                                                              : "XWUTRQPNMLK";
  return letters[kind == 'M' ? 10 - rest : rest] == value[8] ? value.size() : 0;
}

// Hong Kong identity card; a space counts 36.
std::size_t hk_id(std::string_view value) {
  const std::string n = alnum_of(value);
  if (n.size() != 8 && n.size() != 9) return 0;
  const std::string padded = n.size() == 8 ? " " + n : n;
  int sum = 0;
  for (std::size_t i = 0; i < 8; ++i) {
    const char c = padded[i];
    const int code = c == ' ' ? 36 : c >= 'A' ? c - 'A' + 10 : digit(c);
    sum += code * (9 - static_cast<int>(i));
  }
  const int check = (11 - sum % 11) % 11;
  return (check == 10 ? 'A' : static_cast<char>('0' + check)) == padded[8] ? value.size() : 0;
}

// Taiwan: a letter of the place, then weights 1 9 8 ... 1 1.
std::size_t tw_id(std::string_view value) {
  if (value.size() != 10) return 0;
  constexpr std::string_view kOrder = "ABCDEFGHJKLMNPQRSTUVXYWZIO";
  const int place = static_cast<int>(kOrder.find(value[0])) + 10;
  const int sum =
      place / 10 + place % 10 * 9 + weighted(value.substr(1), {8, 7, 6, 5, 4, 3, 2, 1, 1});
  return sum % 10 == 0 ? value.size() : 0;
}

// Thailand: thirteen digits, weights 13 to 2.
std::size_t th_id(std::string_view value) {
  const std::string d = digits_of(value);
  if (d.size() != 13 || d[0] == '0' || d[0] == '9') return 0;
  const int check = (11 - weighted(d, {13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2}) % 11) % 10;
  return check == digit(d[12]) ? value.size() : 0;
}

// Mexico: CURP.
std::size_t mx_curp(std::string_view value) {
  if (value.size() != 18) return 0;
  int sum = 0;
  for (std::size_t i = 0; i < 17; ++i) {
    const char c = value[i];
    // The alphabet of the rule has an N with tilde between N and O.
    const int code = c <= '9' ? c - '0' : c - 'A' + 10 + (c > 'N' ? 1 : 0);
    sum += code * (18 - static_cast<int>(i));
  }
  return (10 - sum % 10) % 10 == digit(value[17]) ? value.size() : 0;
}

// Argentina: CUIT and CUIL.
std::size_t ar_cuit(std::string_view value) {
  const std::string d = digits_of(value);
  if (d.size() != 11) return 0;
  int check = 11 - weighted(d, {5, 4, 3, 2, 7, 6, 5, 4, 3, 2}) % 11;
  if (check == 11) check = 0;
  if (check == 10) check = 9;
  return check == digit(d[10]) ? value.size() : 0;
}

// Australian Company Number: ASIC, weights 8 to 1, the tens' complement.
std::size_t au_acn(std::string_view value) {
  const std::string d = digits_of(value);
  if (d.size() != 9 || all_same(d)) return 0;
  return (10 - weighted(d, {8, 7, 6, 5, 4, 3, 2, 1}) % 10) % 10 == digit(d[8]) ? value.size() : 0;
}

// Chile: RUT, weights 2 to 7 from the right; K is 10.
std::size_t cl_rut(std::string_view value) {
  const std::string n = alnum_of(value);
  if (n.size() != 8 && n.size() != 9) return 0;
  int sum = 0;
  int weight = 2;
  for (std::size_t i = n.size() - 1; i-- > 0;) {
    sum += digit(n[i]) * weight;
    weight = weight == 7 ? 2 : weight + 1;
  }
  const int check = 11 - sum % 11;
  const char letter = check == 11 ? '0' : check == 10 ? 'K' : static_cast<char>('0' + check);
  return letter == n.back() ? value.size() : 0;
}

constexpr std::array<NamedValidator, 28> kTable = {{{"us_ssn", us_ssn},
                                                    {"us_itin", us_itin},
                                                    {"us_npi", us_npi},
                                                    {"us_dea", us_dea},
                                                    {"us_mbi", us_mbi},
                                                    {"ca_sin", ca_sin},
                                                    {"in_aadhaar", in_aadhaar},
                                                    {"in_pan", in_pan},
                                                    {"in_gstin", in_gstin},
                                                    {"br_cpf", br_cpf},
                                                    {"br_cnpj", br_cnpj},
                                                    {"au_tfn", au_tfn},
                                                    {"au_medicare", au_medicare},
                                                    {"au_abn", au_abn},
                                                    {"au_acn", au_acn},
                                                    {"nz_ird", nz_ird},
                                                    {"za_id", za_id},
                                                    {"il_id", il_id},
                                                    {"cn_resident", cn_resident},
                                                    {"jp_my_number", jp_my_number},
                                                    {"kr_rrn", kr_rrn},
                                                    {"sg_nric", sg_nric},
                                                    {"hk_id", hk_id},
                                                    {"tw_id", tw_id},
                                                    {"th_id", th_id},
                                                    {"mx_curp", mx_curp},
                                                    {"ar_cuit", ar_cuit},
                                                    {"cl_rut", cl_rut}}};

}  // namespace

std::span<const NamedValidator> world_validators() { return kTable; }

}  // namespace candor::dlp
