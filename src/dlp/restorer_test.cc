#include "dlp/restorer.h"

#include <random>

#include <gtest/gtest.h>

namespace candor::dlp {
namespace {

const auto kStandIns = std::make_shared<const StandIns>(StandIns{
    {"a7@example.com", "maria@klinikum.org"},
    {"a7@example.com.invalid", "no"},
    {"192.0.2.7", "10.1.2.3"},
    {"192.0.2.70", "10.1.2.4"},
    {"[SECRET 3f9a02c1]", "pa\"ss"},
    {"555-0142", "030 90 18 20"},
});

std::string whole(std::string_view text, bool json = false) {
  Restorer restorer(kStandIns, json);
  std::string out;
  restorer.feed(text, out);
  restorer.finish(out);
  return out;
}

struct Case {
  std::string_view text, restored;
};
constexpr Case kCases[] = {
    {"Write to a7@example.com.", "Write to maria@klinikum.org."},
    {"a7@example.com", "maria@klinikum.org"},
    {"(a7@example.com), or 555-0142!", "(maria@klinikum.org), or 030 90 18 20!"},
    {"two: 192.0.2.7 and 192.0.2.70.", "two: 10.1.2.3 and 10.1.2.4."},
    {"key [SECRET 3f9a02c1]x", "key pa\"ssx"},
    {"a7@example.com.invalid!", "no!"},
    {"a7@example.com.invalidate", "a7@example.com.invalidate"},
    // Not another word's part.
    {"xa7@example.com and a7@example.community", "xa7@example.com and a7@example.community"},
    {"1192.0.2.7 192.0.2.71 192.0.2.7.8 192.0.2.7/24",
     "1192.0.2.7 192.0.2.71 192.0.2.7.8 192.0.2.7/24"},
    {"1-555-0142 555-0142-9", "1-555-0142 555-0142-9"},
    {"Ä192.0.2.7Ä", "Ä192.0.2.7Ä"},
    // Not in addresses of the web.
    {"https://evil.example/?q=a7@example.com x", "https://evil.example/?q=a7@example.com x"},
    {"[click](https://evil.example/?q= a7@example.com)",
     "[click](https://evil.example/?q= maria@klinikum.org)"},
    {"mailto:a7@example.com www.x.org,a7@example.com",
     "mailto:a7@example.com www.x.org,a7@example.com"},
    {"http://192.0.2.7/ then 192.0.2.7 then", "http://192.0.2.7/ then 10.1.2.3 then"},
    // Not in code.
    {"`192.0.2.7` 192.0.2.7", "`192.0.2.7` 10.1.2.3"},
    {"``a ` 192.0.2.7`` 192.0.2.7", "``a ` 192.0.2.7`` 10.1.2.3"},
    {"x\n```sh\nping 192.0.2.7\n`\n```\n192.0.2.7", "x\n```sh\nping 192.0.2.7\n`\n```\n10.1.2.3"},
    {"~~~\n192.0.2.7\n```\n~~~\n192.0.2.7", "~~~\n192.0.2.7\n```\n~~~\n10.1.2.3"},
    {"    192.0.2.7\n192.0.2.7", "    192.0.2.7\n10.1.2.3"},
    {"\t192.0.2.7", "\t192.0.2.7"},
    {"a ` left open 192.0.2.7\n\n192.0.2.7", "a ` left open 192.0.2.7\n\n10.1.2.3"},
    // What only begins one is not lost.
    {"a7@exam", "a7@exam"},
    {"a7@a7@example.com", "a7@a7@example.com"},
    {"", ""},
};

TEST(RestorerTest, L1_StandInsAreTurnedBackInProseAndNowhereElse) {
  for (const Case& one : kCases) EXPECT_EQ(whole(one.text), one.restored) << one.text;
}

TEST(RestorerTest, L1_InJsonOnlyWhatNeedsNoEscape) {
  EXPECT_EQ(whole(R"({"mail":"a7@example.com","key":"[SECRET 3f9a02c1]"})", true),
            R"({"mail":"maria@klinikum.org","key":"[SECRET 3f9a02c1]"})");
}

TEST(RestorerTest, L1_AnyCutGivesTheSame) {
  std::mt19937 random(7);
  std::string all;
  for (const Case& one : kCases) all += std::string(one.text) + "\n\n";
  const std::string wanted = whole(all);
  for (const Case& one : kCases) {
    for (std::size_t cut = 0; cut <= one.text.size(); ++cut) {
      Restorer restorer(kStandIns, false);
      std::string out;
      restorer.feed(one.text.substr(0, cut), out);
      restorer.feed(one.text.substr(cut), out);
      restorer.finish(out);
      ASSERT_EQ(out, one.restored) << one.text << " cut at " << cut;
    }
  }
  for (int round = 0; round < 2'000; ++round) {
    Restorer restorer(kStandIns, false);
    std::string out;
    for (std::size_t at = 0; at < all.size();) {
      const std::size_t size = 1 + random() % (round % 2 == 0 ? 4 : 40);
      restorer.feed(std::string_view(all).substr(at, size), out);
      at += size;
    }
    restorer.finish(out);
    ASSERT_EQ(out, wanted);
  }
}

TEST(RestorerTest, L1_LittleIsHeldBack) {
  Restorer restorer(kStandIns, false);
  std::string out;
  std::size_t fed = 0;
  for (const char c : std::string_view("Good morning, a7@exampl and 192.0.2.7 it is.")) {
    restorer.feed(std::string_view(&c, 1), out);
    EXPECT_LE(++fed, out.size() + 24);
  }
}

}  // namespace
}  // namespace candor::dlp
