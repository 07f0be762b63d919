// What the command line shows: colours only on a terminal (and not where NO_COLOR or TERM=dumb says
// so), a progress line on standard error where something takes long, and tables. All text that did
// not come from this program must pass strip_controls (base/text.h) first.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace candor {

[[nodiscard]] bool is_terminal(int fd) noexcept;
// Columns of the terminal behind fd, or 80.
[[nodiscard]] int terminal_width(int fd) noexcept;
// Columns that UTF-8 text takes: 0 for combining marks, 2 for East Asian wide characters and emoji.
[[nodiscard]] std::size_t display_width(std::string_view text) noexcept;

// Wraps text in colours, or returns it as it is.
class Style {
 public:
  explicit Style(bool colours) : colours_(colours) {}
  // Colours if fd is a terminal, NO_COLOR is unset or empty, and TERM is not "dumb".
  [[nodiscard]] static Style of(int fd);

  [[nodiscard]] std::string bold(std::string_view text) const { return wrap("1", text); }
  [[nodiscard]] std::string faint(std::string_view text) const { return wrap("2", text); }
  [[nodiscard]] std::string good(std::string_view text) const { return wrap("32", text); }
  [[nodiscard]] std::string bad(std::string_view text) const { return wrap("1;31", text); }
  [[nodiscard]] std::string caution(std::string_view text) const { return wrap("33", text); }
  [[nodiscard]] bool colours() const noexcept { return colours_; }

 private:
  [[nodiscard]] std::string wrap(std::string_view code, std::string_view text) const;
  bool colours_;
};

// The line that Progress shows, pure: "⠙ hashing weights  [█████░░░░░]  52 %  1.2 s".
struct ProgressView {
  std::string_view label;
  std::uint64_t done = 0;
  std::optional<std::uint64_t> total = {};  // unset: a spinner
  std::int64_t elapsed_us = 0;
  int frame = 0;
  int width = 80;
};
[[nodiscard]] std::string progress_line(const ProgressView& view);

// A spinner or bar on standard error while it lives, drawn by a thread of its own ten times a
// second. Off a terminal it draws nothing. advance() may be called from any thread. Nothing else
// should write to standard error meanwhile.
class Progress {
 public:
  explicit Progress(std::string label, std::optional<std::uint64_t> total = {});
  // For tests: where to draw, instead of standard error if that is a terminal.
  Progress(std::string label, std::optional<std::uint64_t> total,
           std::function<void(std::string_view)> draw);
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  ~Progress();  // erases the line

  void advance(std::uint64_t by) noexcept { done_.fetch_add(by, std::memory_order_relaxed); }
  void set(std::uint64_t done) noexcept { done_.store(done, std::memory_order_relaxed); }

 private:
  void run();

  std::string label_;
  std::optional<std::uint64_t> total_;
  std::function<void(std::string_view)> draw_;  // empty: nothing is drawn
  std::atomic<std::uint64_t> done_{0};
  std::mutex mutex_;
  std::condition_variable stop_changed_;
  bool stop_ = false;
  std::thread thread_;
};

// Columns aligned by display width, two spaces apart. Cells must hold no line breaks; colours are
// applied after alignment through paint.
class Table {
 public:
  enum class Align : std::uint8_t { kLeft, kRight };
  struct Cell {
    std::string text;
    std::function<std::string(std::string_view)> paint;  // empty: as it is
    Cell(std::string t) : text(std::move(t)) {}          // NOLINT(google-explicit-constructor)
    Cell(const char* t) : text(t) {}                     // NOLINT(google-explicit-constructor)
    Cell(std::string t, std::function<std::string(std::string_view)> p)
        : text(std::move(t)), paint(std::move(p)) {}
  };

  // An empty header list prints no header line.
  explicit Table(std::vector<std::string> headers, Style style = Style(false));
  void align(std::size_t column, Align to);
  void add(std::vector<Cell> row);
  [[nodiscard]] std::string text() const;  // ends in a line break unless empty
  [[nodiscard]] std::size_t rows() const noexcept { return rows_.size(); }

 private:
  std::vector<std::string> headers_;
  std::vector<std::vector<Cell>> rows_;
  std::vector<Align> aligns_;
  Style style_;
};

}  // namespace candor
