#include "base/terminal.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <unistd.h>

namespace candor {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;

// The other end of a pseudo-terminal: what programs see as a terminal.
class PseudoTerminal {
 public:
  PseudoTerminal() : main_(::posix_openpt(O_RDWR | O_NOCTTY)) {
    if (main_ < 0 || ::grantpt(main_) != 0 || ::unlockpt(main_) != 0) return;
    terminal_ = ::open(::ptsname(main_), O_RDWR | O_NOCTTY);
  }
  PseudoTerminal(const PseudoTerminal&) = delete;
  PseudoTerminal& operator=(const PseudoTerminal&) = delete;
  ~PseudoTerminal() {
    ::close(main_);
    ::close(terminal_);
  }
  [[nodiscard]] int fd() const { return terminal_; }

 private:
  int main_;
  int terminal_ = -1;
};

TEST(TerminalTest, A10_ColoursOnlyOnATerminalThatWantsThem) {
  int pipe_fds[2];
  ASSERT_EQ(::pipe(pipe_fds), 0);
  EXPECT_FALSE(is_terminal(pipe_fds[1]));
  EXPECT_FALSE(Style::of(pipe_fds[1]).colours());
  ::close(pipe_fds[0]);
  ::close(pipe_fds[1]);

  const PseudoTerminal terminal;
  if (terminal.fd() < 0) GTEST_SKIP() << "no pseudo-terminals here";
  ::unsetenv("NO_COLOR");
  ::setenv("TERM", "xterm", 1);
  EXPECT_TRUE(Style::of(terminal.fd()).colours());
  ::setenv("NO_COLOR", "1", 1);
  EXPECT_FALSE(Style::of(terminal.fd()).colours());
  ::setenv("NO_COLOR", "", 1);  // no-color.org: present and not empty
  EXPECT_TRUE(Style::of(terminal.fd()).colours());
  ::setenv("TERM", "dumb", 1);
  EXPECT_FALSE(Style::of(terminal.fd()).colours());
}

TEST(TerminalTest, AStyleWithoutColoursChangesNothing) {
  EXPECT_EQ(Style(false).bad("x"), "x");
  EXPECT_EQ(Style(true).good("x"), "\x1B[32mx\x1B[0m");
  EXPECT_EQ(Style(true).bold(""), "");
}

TEST(TerminalTest, WidthCountsColumnsNotBytes) {
  EXPECT_EQ(display_width("abc"), 3U);
  EXPECT_EQ(display_width("é"), 1U);
  EXPECT_EQ(display_width("e\u0301"), 1U);
  EXPECT_EQ(display_width("漢字"), 4U);
  EXPECT_EQ(display_width("한국"), 4U);
  EXPECT_EQ(display_width("😀"), 2U);
  EXPECT_EQ(display_width("\xFF"), 1U);
}

TEST(TerminalTest, ATableAlignsByColumns) {
  Table table({"model", "size"});
  table.align(1, Table::Align::kRight);
  table.add({"漢字", "9"});
  table.add({"smollm2", "98 MB"});
  EXPECT_EQ(table.text(),
            "model     size\n"
            "漢字         9\n"
            "smollm2  98 MB\n");
  Table plain({});
  plain.add({"a", Table::Cell("b", [](std::string_view t) { return "<" + std::string(t) + ">"; })});
  EXPECT_EQ(plain.text(), "a  <b>\n");
}

TEST(TerminalTest, ProgressShowsShareAndTimeAndFitsTheWidth) {
  EXPECT_THAT(progress_line({.label = "hashing", .done = 1, .total = 2, .elapsed_us = 1'250'000}),
              EndsWith("hashing  [████████████░░░░░░░░░░░░]  50 %  1.2 s"));
  EXPECT_THAT(progress_line({.label = "waiting", .elapsed_us = 61'000'000}), EndsWith("1:01 min"));
  EXPECT_THAT(progress_line({.label = "waiting"}), Not(HasSubstr("%")));
  const std::string label(200, 'x');
  for (const int width : {0, 20, 40, 80}) {
    EXPECT_LE(display_width(progress_line({.label = label, .total = 1, .width = width})),
              static_cast<std::size_t>(std::max(width, 20)));
  }
  EXPECT_THAT(progress_line({.label = "over", .done = 9, .total = 3}), HasSubstr("100 %"));
  EXPECT_THAT(progress_line({.label = "none", .done = 0, .total = 0}), HasSubstr("0 %"));
}

TEST(TerminalTest, ProgressErasesItsLineWhenItEnds) {
  std::string drawn;
  {
    Progress progress("loading", 10, [&](std::string_view text) { drawn += text; });
    progress.advance(5);
  }
  EXPECT_THAT(drawn, EndsWith("\r\x1B[K"));
  {
    const Progress nothing("silent", {}, {});
  }
}

}  // namespace
}  // namespace candor
