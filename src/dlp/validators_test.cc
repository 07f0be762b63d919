// Validators against numbers that others published: standards, authorities' examples, test numbers
// of issuers, and known answers of the algorithms' own papers.
#include "dlp/validators.h"

#include <algorithm>
#include <array>

#include <gtest/gtest.h>

namespace candor::dlp {
namespace {

struct Known {
  std::string_view validator, good;
  std::string_view source;
};

// Numbers with a check digit; each single changed digit must be noticed where `strict` says so.
constexpr std::array<Known, 47> kKnown = {{
    {"card", "4111 1111 1111 1111", "Visa's test number"},
    {"card", "5555555555554444", "Mastercard's test number"},
    {"card", "378282246310005", "American Express' test number"},
    {"card", "6011111111111117", "Discover's test number"},
    {"card", "3530111333300000", "JCB's test number"},
    {"card", "30569309025904", "Diners' test number"},
    {"iban", "GB82 WEST 1234 5698 7654 32", "ISO 13616's example"},
    {"iban", "DE89370400440532013000", "SWIFT's registry"},
    {"iban", "FR1420041010050500013M02606", "SWIFT's registry"},
    {"iban", "MT84MALT011000012345MTLCAST001S", "SWIFT's registry"},
    {"iban", "NO9386011117947", "SWIFT's registry"},
    {"isin", "US0378331005", "Apple"},
    {"aba_routing", "021000021", "JPMorgan Chase"},
    {"base58check", "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa", "Bitcoin's genesis block"},
    {"bech32", "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4", "BIP 173"},
    {"bech32", "bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqzk5jj0", "BIP 350"},
    {"eip55", "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed", "EIP-55"},
    {"eip55", "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359", "EIP-55"},
    {"eip55", "0xD1220A0cf47c7B9Be7A2E6BA89F429762e7b9aDb", "EIP-55"},
    {"uk_nhs", "943 476 5919", "NHS data dictionary"},
    {"de_tax_id", "86095742719", "Bundeszentralamt für Steuern"},
    {"de_tax_id", "47036892816", "ELSTER"},
    {"de_pension", "15070649C103", "Deutsche Rentenversicherung"},
    {"fr_nir", "255081416802538", "Wikipedia's example"},
    {"it_fiscal_code", "RSSMRA85T10A562S", "the usual example"},
    {"es_dni", "12345678Z", "the usual example"},
    {"es_dni", "X1234567L", "the usual example"},
    {"nl_bsn", "111222333", "Rijksdienst's example"},
    {"be_national", "85.07.30-033.28", "Belgian register's example"},
    {"ch_ahv", "756.9217.0769.85", "Zentrale Ausgleichsstelle"},
    {"pl_pesel", "44051401359", "PESEL's example"},
    {"se_personal", "811228-9874", "Skatteverket"},
    {"fi_hetu", "131052-308T", "Väestörekisterikeskus"},
    {"pt_nif", "501442600", "the usual example"},
    {"ru_inn", "7707083893", "Sberbank's own number"},
    {"ru_snils", "112-233-445 95", "Pension Fund's example"},
    {"ca_sin", "130 692 544", "the usual example"},
    {"in_aadhaar", "2341 2341 2346", "UIDAI's test number"},
    {"br_cpf", "111.444.777-35", "Receita Federal's example"},
    {"br_cnpj", "11.222.333/0001-81", "Receita Federal's example"},
    {"au_tfn", "123 456 782", "ATO's example"},
    {"au_abn", "51 824 753 556", "ATO's own number"},
    {"au_acn", "004 085 616", "ASIC's example"},
    {"us_npi", "1234567893", "CMS' example"},
    {"cn_resident", "11010519491231002X", "GB 11643's example"},
    {"jp_my_number", "123456789018", "the usual example"},
    {"za_id", "8001015009087", "the usual example"},
}};

TEST(ValidatorsTest, AcceptWhatOthersPublished) {
  for (const Known& known : kKnown) {
    const Validator check = find_validator(known.validator);
    ASSERT_NE(check, nullptr) << known.validator;
    EXPECT_EQ(check(known.good), known.good.size()) << known.validator << " " << known.source;
  }
}

TEST(ValidatorsTest, NoticeEverySingleChangedDigit) {
  // Mod 97, Luhn, Verhoeff, mod 11 with distinct weights: each finds all single errors. Leading
  // digits of other kinds (issuer, date) only make it stricter.
  for (const Known& known : kKnown) {
    // Mod 11 rules that fold 10 into 0 miss some; EIP-55 in one case has no checksum.
    if (known.validator == "eip55" || known.validator == "jp_my_number" ||
        known.validator == "pt_nif" || known.validator == "br_cpf" ||
        known.validator == "br_cnpj" || known.validator == "de_tax_id" ||
        known.validator == "de_pension" || known.validator == "ru_inn" ||
        known.validator == "au_acn") {
      continue;
    }
    const Validator check = find_validator(known.validator);
    for (std::size_t i = 0; i < known.good.size(); ++i) {
      if (known.good[i] < '0' || known.good[i] > '9') continue;
      for (char other = '0'; other <= '9'; ++other) {
        if (other == known.good[i]) continue;
        std::string changed(known.good);
        changed[i] = other;
        EXPECT_EQ(check(changed), 0U) << known.validator << " " << changed;
      }
    }
  }
}

TEST(ValidatorsTest, TelephoneNumbersEndWhereTheNumberEnds) {
  const Validator check = find_validator("phone_e164");
  EXPECT_EQ(check("+49 30 901820"), 13U);
  EXPECT_EQ(check("+1 415 555 2671 2026"), 15U);
  EXPECT_EQ(check("+1 415 155 2671"), 0U);
  EXPECT_EQ(check("+999"), 0U);
  EXPECT_EQ(check("0049 30 901820"), 14U);
}

TEST(ValidatorsTest, AddressesOfMailEndBeforeWhatFollows) {
  const Validator check = find_validator("email");
  EXPECT_EQ(check("a@example.com"), 13U);
  EXPECT_EQ(check("a@example.com."), 13U);
  EXPECT_EQ(check("a@example.com-"), 13U);
  EXPECT_EQ(check("a@example.com.123"), 13U);
  EXPECT_EQ(check("a..b@example.com"), 0U);
  EXPECT_EQ(check("a@-example.com"), 0U);
  EXPECT_EQ(check("icon@2x.png"), 0U);
}

TEST(ValidatorsTest, IpVersion6HasEightGroupsOrAGap) {
  const Validator check = find_validator("ipv6");
  for (const std::string_view good : {"2001:db8:85a3:8d3:1319:8a2e:370:7348", "fe80::1", "::1",
                                      "::ffff:192.0.2.128", "2001:db8::8a2e:370:7334"}) {
    EXPECT_EQ(check(good), good.size()) << good;
  }
  for (const std::string_view bad :
       {"1:2:3", "a::b", "12:34:56", "2001::1::2", "1:2:3:4:5:6:7:8:9"}) {
    EXPECT_EQ(check(bad), 0U) << bad;
  }
}

TEST(ValidatorsTest, SocialSecurityNumbersThatAreNeverIssued) {
  const Validator check = find_validator("us_ssn");
  EXPECT_EQ(check("536-90-4399"), 11U);
  for (const std::string_view bad :
       {"000-12-3456", "666-12-3456", "900-12-3456", "536-00-4399", "536-90-0000", "123-45-6789"}) {
    EXPECT_EQ(check(bad), 0U) << bad;
  }
}

TEST(ValidatorsTest, SecretsAreNoPlaceholdersNamesOrReferences) {
  const Validator check = find_validator("assigned_secret");
  for (const std::string_view good : {"Kx8!mQ2zLw", "9f8Xk2mQ7vT4zR1w", "hT7kQz2mW9vX"}) {
    EXPECT_EQ(check(good), good.size()) << good;
  }
  for (const std::string_view bad :
       {"changeme", "${TOKEN}", "your_api_key_here", "password123", "get_token_from_env",
        "settings.API_KEY", "aaaaaaaaaaaa", "123456789012", "application/json"}) {
    EXPECT_EQ(check(bad), 0U) << bad;
  }
}

TEST(ValidatorsTest, NamesAreFoundAndSorted) {
  EXPECT_EQ(find_validator("no_such_thing"), nullptr);
  const auto names = validator_names();
  EXPECT_TRUE(std::ranges::is_sorted(names));
  for (const std::string_view name : names) {
    const Validator check = find_validator(name);
    ASSERT_NE(check, nullptr);
    // Hostile lengths and bytes do not disturb them.
    for (const std::string_view text : {"", "1", "A", "@", "::", "\xFF\xFE",
                                        "12345678901234567890123456789012345678901234567890"}) {
      if (!text.empty()) EXPECT_LE(check(text), text.size()) << name;
    }
  }
}

}  // namespace
}  // namespace candor::dlp
