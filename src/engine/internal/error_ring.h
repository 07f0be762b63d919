// The last bytes that an engine wrote to its standard error, in memory only: they may hold a
// prompt, so they are never logged or shown (S16). What leaves is their number, and the sentence of
// explain_exit() that known words stand for.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace candor::engine::internal {

class ErrorRing {
 public:
  static constexpr std::size_t kMaxBytes = 16U << 10U;

  void append(std::string_view words) {
    total_ += words.size();
    if (words.size() > kMaxBytes) words.remove_prefix(words.size() - kMaxBytes);
    text_.append(words);
    // By halves, so that not every piece moves all of it.
    if (text_.size() > kMaxBytes) text_.erase(0, text_.size() - kMaxBytes / 2);
  }
  [[nodiscard]] std::string_view text() const noexcept { return text_; }
  [[nodiscard]] std::uint64_t total_bytes() const noexcept { return total_; }

 private:
  std::string text_;
  std::uint64_t total_ = 0;
};

}  // namespace candor::engine::internal
