#include "engine/sse_parser.h"

#include <random>

#include <gtest/gtest.h>

#include "base/testing/result_matchers.h"

namespace candor::engine {
namespace {

std::vector<std::string> all(SseParser& parser) {
  std::vector<std::string> out;
  SseEvent event;
  while (parser.next(event)) out.push_back(event.type + "|" + event.data);
  return out;
}

std::vector<std::string> parse(std::string_view text) {
  SseParser parser;
  EXPECT_OK(parser.feed(text));
  return all(parser);
}

// The examples of WHATWG HTML, section 9.2.6.
TEST(SseParserTest, TheStandardsExamples) {
  EXPECT_EQ(parse("data: YHOO\ndata: +2\ndata: 10\n\n"),
            (std::vector<std::string>{"|YHOO\n+2\n10"}));
  EXPECT_EQ(parse(": test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\n"
                  "data:  third event\n"),
            (std::vector<std::string>{"|first event", "|second event"}));
  EXPECT_EQ(parse("data\n\ndata\ndata\n\ndata:"), (std::vector<std::string>{"|", "|\n"}));
  EXPECT_EQ(parse("data:test\n\ndata: test\n\n"), (std::vector<std::string>{"|test", "|test"}));
}

TEST(SseParserTest, AllLineEndsAndAByteOrderMark) {
  EXPECT_EQ(parse("\xEF\xBB\xBF"
                  "event: a\r\ndata: x\r\n\r\nevent: b\rdata: y\r\rdata: z\n\n"),
            (std::vector<std::string>{"a|x", "b|y", "|z"}));
  EXPECT_EQ(parse("\xEF\xBB data: x\n\ndata: y\n\n"), (std::vector<std::string>{"|y"}));
}

TEST(SseParserTest, AnEventWithoutItsBlankLineIsNeverDelivered) {
  EXPECT_TRUE(parse("data: half\n").empty());
  EXPECT_TRUE(parse("event: only a type\n\n").empty());
}

TEST(SseParserTest, SplitAtRandomPointsEqualsUnsplit) {
  std::mt19937_64 random(7);
  static constexpr std::string_view kPieces[] = {"data: ", "data:", "event: x",     "\n",
                                                 "\r\n",   "\r",    "\n\n",         ":",
                                                 "id: 1",  "a",     "\xEF\xBB\xBF", "b c"};
  for (int round = 0; round < 3'000; ++round) {
    std::string text;
    for (std::uint64_t i = 0, n = random() % 30; i < n; ++i) {
      text += kPieces[random() % std::size(kPieces)];
    }
    SseParser whole;
    ASSERT_OK(whole.feed(text));
    SseParser split;
    std::vector<std::string> events;
    for (std::string_view rest = text; !rest.empty();) {
      const std::size_t count = 1 + random() % std::min<std::size_t>(rest.size(), 5);
      ASSERT_OK(split.feed(rest.substr(0, count)));
      if (random() % 2 == 0) {
        for (auto& e : all(split)) events.push_back(std::move(e));
      }
      rest.remove_prefix(count);
    }
    for (auto& e : all(split)) events.push_back(std::move(e));
    EXPECT_EQ(events, all(whole)) << text;
  }
}

TEST(SseParserTest, S16_EveryBoundHolds) {
  SseParser line({.max_line_bytes = 10});
  EXPECT_OK(line.feed("data: 1234"));
  EXPECT_THAT(line.feed("5"), HasCode(Code::kResourceExhausted));
  EXPECT_THAT(line.feed("\n\n"), HasCode(Code::kResourceExhausted));
  SseParser event({.max_event_bytes = 4});
  EXPECT_OK(event.feed("data: 12\n"));
  EXPECT_THAT(event.feed("data: 34\n"), HasCode(Code::kResourceExhausted));
  SseParser total({.max_total_bytes = 8});
  EXPECT_OK(total.feed(":1234\n"));
  EXPECT_THAT(total.feed(":12\n"), HasCode(Code::kResourceExhausted));
}

}  // namespace
}  // namespace candor::engine
