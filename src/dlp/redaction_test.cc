#include "dlp/redaction.h"

#include <set>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "dlp/validators.h"

namespace candor::dlp {
namespace {

Detector detector(std::string id, std::string class_name = "personal.contact") {
  Detector made;
  made.id = std::move(id);
  made.class_name = std::move(class_name);
  return made;
}

TEST(RedactionTest, C6_AMaskNamesTheKind) {
  EXPECT_EQ(mask(detector("iban")), "[IBAN]");
  EXPECT_EQ(mask(detector("phone.nanp")), "[PHONE]");
  EXPECT_EQ(mask(detector("secret.aws.key")), "[SECRET]");
  EXPECT_EQ(mask(detector("uk.nhs")), "[UK NHS]");
  EXPECT_EQ(mask(detector("birth_date")), "[BIRTH]");
  EXPECT_EQ(mask(detector("text.opaque")), "[TEXT OPAQUE]");
}

TEST(RedactionTest, C6_TheSameValueHasTheSameStandInAndTwoValuesNeverShareOne) {
  Pseudonyms names(Digest{std::byte{1}});
  // More addresses than the ranges for documentation hold: the rest becomes masks with tags.
  std::set<std::string> seen;
  for (int i = 0; i < 1200; ++i) {
    const std::string address = fmt::format("10.0.{}.{}", i / 250, i % 250);
    const std::string stand_in = names.stand_in(detector("ipv4", "network"), address);
    EXPECT_EQ(names.stand_in(detector("ipv4", "network"), address), stand_in);
    EXPECT_TRUE(seen.insert(stand_in).second) << stand_in;
    EXPECT_TRUE(stand_in.starts_with("192.0.2.") || stand_in.starts_with("198.51.100.") ||
                stand_in.starts_with("203.0.113.") || stand_in.starts_with("[IPV4 "))
        << stand_in;
  }
  Pseudonyms other(Digest{std::byte{2}});
  Pseudonyms again(Digest{std::byte{1}});
  const Detector email = detector("email");
  EXPECT_EQ(again.stand_in(email, "a@b.org"), names.stand_in(email, "a@b.org"));
  EXPECT_NE(other.stand_in(email, "a@b.org"), names.stand_in(email, "a@b.org"));
}

TEST(RedactionTest, C6_StandInsKeepTheFormAndNobodyOwnsThem) {
  Pseudonyms names(Digest{std::byte{7}});
  EXPECT_THAT(names.stand_in(detector("email"), "maria@firm.de"),
              testing::MatchesRegex("person-[0-9a-f]{10}@example.com"));
  EXPECT_THAT(names.stand_in(detector("phone.nanp"), "415-555-2671"),
              testing::MatchesRegex("\\+1 [2-9][0-9]{2} 555 01[0-9]{2}"));
  EXPECT_THAT(names.stand_in(detector("ipv6.full"), "fe80::1"),
              testing::MatchesRegex("2001:db8::[0-9a-f]{4}:[0-9a-f]{4}"));
  EXPECT_THAT(names.stand_in(detector("mac"), "00:1b:44:11:3a:b7"),
              testing::MatchesRegex("00:00:5E:00:53:[0-9A-F]{2}"));
  const std::string card = names.stand_in(detector("card", "financial"), "4111 1111 1111 1111");
  EXPECT_THAT(card, testing::MatchesRegex("0[0-9]{3} [0-9]{4} [0-9]{4} [0-9]{4}"));
  EXPECT_EQ(find_validator("card")(card), 0U);
  const std::string iban =
      names.stand_in(detector("iban", "financial"), "DE89 3704 0044 0532 0130 00");
  EXPECT_THAT(iban, testing::MatchesRegex("DE00 [0-9]{4} [0-9]{4} [0-9]{4} [0-9]{4} [0-9]{2}"));
  EXPECT_EQ(find_validator("iban")(iban), 0U);
  EXPECT_THAT(names.stand_in(detector("secret.jwt", "secret"), "eyJ0"),
              testing::MatchesRegex("\\[SECRET [0-9a-f]{8}\\]"));
}

TEST(RedactionTest, L1_OnlyWhatWasMadeHereLeadsBack) {
  Pseudonyms names(Digest{std::byte{3}});
  const Detector email = detector("email");
  const std::string stand_in = names.stand_in(email, "maria@firm.de");
  EXPECT_EQ(names.value_of(stand_in), "maria@firm.de");
  EXPECT_EQ(names.stand_in(email, stand_in), stand_in);
  EXPECT_EQ(names.value_of("person-0123456789@example.com"), std::nullopt);
  EXPECT_EQ(Pseudonyms(Digest{std::byte{3}}).value_of(stand_in), std::nullopt);
}

}  // namespace
}  // namespace candor::dlp
