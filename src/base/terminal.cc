#include "base/terminal.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdlib>

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/text.h"

namespace candor {
namespace {

constexpr int kDefaultWidth = 80;
constexpr std::size_t kBarColumns = 24;
constexpr std::array<std::string_view, 10> kFrames = {"⠋", "⠙", "⠹", "⠸", "⠼",
                                                      "⠴", "⠦", "⠧", "⠇", "⠏"};

struct Range {
  char32_t first, last;
};
// Marks that take no column: combining blocks, joiners, variation selectors.
constexpr Range kZeroWidth[] = {
    {0x0300, 0x036F}, {0x0483, 0x0489}, {0x0591, 0x05BD}, {0x064B, 0x065F}, {0x093C, 0x093C},
    {0x0941, 0x0948}, {0x094D, 0x094D}, {0x0E31, 0x0E31}, {0x0E34, 0x0E3A}, {0x0E47, 0x0E4E},
    {0x200B, 0x200F}, {0x20D0, 0x20F0}, {0xFE00, 0xFE0F}, {0xFE20, 0xFE2F}};
// East Asian Wide and Fullwidth, and emoji (Unicode 15, UAX 11), in blocks.
constexpr Range kWide[] = {{0x1100, 0x115F},   {0x2E80, 0x303E},   {0x3041, 0xA4CF},
                           {0xAC00, 0xD7A3},   {0xF900, 0xFAFF},   {0xFE30, 0xFE6F},
                           {0xFF00, 0xFF60},   {0xFFE0, 0xFFE6},   {0x1F300, 0x1F64F},
                           {0x1F680, 0x1F6FF}, {0x1F900, 0x1F9FF}, {0x20000, 0x3FFFD}};

template <std::size_t N>
bool is_in(char32_t c, const Range (&ranges)[N]) {
  return std::ranges::any_of(ranges, [c](const Range& r) { return c >= r.first && c <= r.last; });
}

char32_t decode(std::string_view sequence) {
  constexpr std::array<unsigned, 5> kLeadMask = {0, 0x7F, 0x1F, 0x0F, 0x07};
  char32_t c = static_cast<unsigned char>(sequence[0]) & kLeadMask[sequence.size()];
  for (const char byte : sequence.substr(1)) {
    c = c << 6U | (static_cast<unsigned char>(byte) & 0x3FU);
  }
  return c;
}

std::string pad(std::string_view text, std::size_t width, Table::Align to) {
  const std::size_t taken = display_width(text);
  const std::string space(width > taken ? width - taken : 0, ' ');
  return to == Table::Align::kRight ? space + std::string(text) : std::string(text) + space;
}

}  // namespace

bool is_terminal(int fd) noexcept { return ::isatty(fd) == 1; }

int terminal_width(int fd) noexcept {
  winsize size{};
  if (::ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) return size.ws_col;
  return kDefaultWidth;
}

std::size_t display_width(std::string_view text) noexcept {
  std::size_t width = 0;
  while (!text.empty()) {
    const std::size_t length = utf8_sequence(text);
    if (length == 0) {
      ++width;  // shown as one replacement character
      text.remove_prefix(1);
      continue;
    }
    const char32_t c = decode(text.substr(0, length));
    width += is_in(c, kZeroWidth) ? 0 : is_in(c, kWide) ? 2 : 1;
    text.remove_prefix(length);
  }
  return width;
}

Style Style::of(int fd) {
  const char* no_colour = std::getenv("NO_COLOR");
  const char* term = std::getenv("TERM");
  const bool refused = (no_colour != nullptr && *no_colour != '\0') ||
                       (term != nullptr && std::string_view(term) == "dumb");
  return Style(!refused && is_terminal(fd));
}

std::string Style::wrap(std::string_view code, std::string_view text) const {
  if (!colours_ || text.empty()) return std::string(text);
  return fmt::format("\x1B[{}m{}\x1B[0m", code, text);
}

std::string progress_line(const ProgressView& view) {
  std::string tail;
  if (view.total) {
    const std::uint64_t total = std::max<std::uint64_t>(*view.total, 1);
    const double share = std::min(1.0, static_cast<double>(view.done) / static_cast<double>(total));
    const auto full = static_cast<std::size_t>(share * static_cast<double>(kBarColumns));
    tail = "  [";
    for (std::size_t i = 0; i < kBarColumns; ++i) tail += i < full ? "█" : "░";
    tail += fmt::format("] {:3} %", static_cast<int>(share * 100));
  }
  const std::int64_t tenths = view.elapsed_us / 100'000;
  tail += tenths < 600 ? fmt::format("  {}.{} s", tenths / 10, tenths % 10)
                       : fmt::format("  {}:{:02} min", tenths / 600, tenths / 10 % 60);
  const auto frame = static_cast<std::size_t>(view.frame) % kFrames.size();
  std::string line = fmt::format("{} {}", kFrames[frame], view.label);
  const auto width = static_cast<std::size_t>(std::max(view.width, 20));
  if (display_width(line) + display_width(tail) < width) return line + tail;
  while (display_width(line) >= width) {  // cut whole characters
    line.pop_back();
    while (!is_utf8(line)) line.pop_back();
  }
  return line;
}

Progress::Progress(std::string label, std::optional<std::uint64_t> total)
    : Progress(std::move(label), total,
               is_terminal(STDERR_FILENO)
                   ? std::function<void(std::string_view)>([](std::string_view text) {
                       [[maybe_unused]] const auto written =
                           ::write(STDERR_FILENO, text.data(), text.size());
                     })
                   : std::function<void(std::string_view)>()) {}

Progress::Progress(std::string label, std::optional<std::uint64_t> total,
                   std::function<void(std::string_view)> draw)
    : label_(std::move(label)), total_(total), draw_(std::move(draw)) {
  if (draw_) thread_ = std::thread([this] { run(); });
}

Progress::~Progress() {
  if (!thread_.joinable()) return;
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  stop_changed_.notify_all();
  thread_.join();
  draw_("\r\x1B[K");
}

void Progress::run() {
  const std::int64_t begin = system_clock().mono_us();
  std::unique_lock lock(mutex_);
  for (int frame = 0; !stop_; ++frame) {
    draw_("\r" +
          progress_line({.label = label_,
                         .done = done_.load(std::memory_order_relaxed),
                         .total = total_,
                         .elapsed_us = system_clock().mono_us() - begin,
                         .frame = frame,
                         .width = terminal_width(STDERR_FILENO)}) +
          "\x1B[K");
    stop_changed_.wait_for(lock, std::chrono::milliseconds(100), [this] { return stop_; });
  }
}

Table::Table(std::vector<std::string> headers, Style style)
    : headers_(std::move(headers)), style_(style) {}

void Table::align(std::size_t column, Align to) {
  if (aligns_.size() <= column) aligns_.resize(column + 1, Align::kLeft);
  aligns_[column] = to;
}

void Table::add(std::vector<Cell> row) { rows_.push_back(std::move(row)); }

std::string Table::text() const {
  std::vector<std::size_t> widths;
  const auto measure = [&](std::size_t column, std::string_view text) {
    if (widths.size() <= column) widths.resize(column + 1);
    widths[column] = std::max(widths[column], display_width(text));
  };
  for (std::size_t i = 0; i < headers_.size(); ++i) measure(i, headers_[i]);
  for (const auto& row : rows_) {
    for (std::size_t i = 0; i < row.size(); ++i) measure(i, row[i].text);
  }
  const auto align_of = [&](std::size_t i) {
    return i < aligns_.size() ? aligns_[i] : Align::kLeft;
  };
  // The last column is not padded, so that no line ends in spaces.
  const auto placed = [&](std::size_t i, std::size_t count, std::string_view text) {
    if (i + 1 == count && align_of(i) == Align::kLeft) return std::string(text);
    return pad(text, widths[i], align_of(i));
  };
  std::string out;
  if (!headers_.empty()) {
    for (std::size_t i = 0; i < headers_.size(); ++i) {
      if (i > 0) out += "  ";
      out += style_.bold(placed(i, headers_.size(), headers_[i]));
    }
    out += '\n';
  }
  for (const auto& row : rows_) {
    for (std::size_t i = 0; i < row.size(); ++i) {
      if (i > 0) out += "  ";
      const std::string cell = placed(i, row.size(), row[i].text);
      out += row[i].paint ? row[i].paint(cell) : cell;
    }
    out += '\n';
  }
  return out;
}

}  // namespace candor
