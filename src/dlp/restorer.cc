#include "dlp/restorer.h"

#include <algorithm>
#include <utility>

namespace candor::dlp {
namespace {

constexpr std::size_t kWordBytes = 16;  // enough for "mailto:" and what stands before a stand-in
constexpr std::size_t kFence = 3, kIndentOfCode = 4;

bool is_word(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return (byte >= '0' && byte <= '9') || (byte >= 'a' && byte <= 'z') ||
         (byte >= 'A' && byte <= 'Z') || byte == '_' || byte >= 0x80;
}
bool is_space(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }
// What joins a word to another.
bool joins(char c) { return std::string_view("/@.-+=&%#?:\\~").contains(c); }
bool needs_escapes(std::string_view value) {
  return std::ranges::any_of(
      value, [](char c) { return c == '"' || c == '\\' || static_cast<unsigned char>(c) < 0x20; });
}

}  // namespace

Restorer::Restorer(std::shared_ptr<const StandIns> stand_ins, bool json)
    : stand_ins_(std::move(stand_ins)), json_(json) {
  for (const auto& [stand_in, value] : *stand_ins_) {
    if (stand_in.empty()) continue;
    begins_.set(static_cast<unsigned char>(stand_in.front()));
    longest_ = std::max(longest_, stand_in.size());
  }
}

void Restorer::feed(std::string_view text, std::string& out) {
  held_ += text;
  work(/*end=*/false, out);
}

void Restorer::finish(std::string& out) { work(/*end=*/true, out); }

void Restorer::work(bool end, std::string& out) {
  std::size_t at = 0;
  while (at < held_.size()) {
    const std::string_view rest = std::string_view(held_).substr(at);
    const StandIns::value_type* one = nullptr;
    const Found found = look(rest, end, &one);
    if (found == Found::kMaybe) break;
    if (found == Found::kYes) {
      out += one->second;
      for (const char c : one->first) pass(c);
      at += one->first.size();
      ++restored_;
      continue;
    }
    out += rest.front();
    pass(rest.front());
    ++at;
  }
  held_.erase(0, at);
}

// The longest stand-in that begins here and stands alone.
Restorer::Found Restorer::look(std::string_view rest, bool end,
                               const StandIns::value_type** found) const {
  if (!begins_.test(static_cast<unsigned char>(rest.front())) || !allowed_here()) return Found::kNo;
  if (!word_.empty() && is_word(rest.front()) && (is_word(word_.back()) || joins(word_.back()))) {
    return Found::kNo;
  }
  // All stand-ins that `rest` begins are together, from the first that is not less than it.
  const auto next = stand_ins_->lower_bound(rest);
  if (!end && next != stand_ins_->end() && next->first.starts_with(rest)) return Found::kMaybe;
  // Those that begin `rest` are not greater; the longest comes last.
  for (std::size_t size = std::min(rest.size(), longest_); size > 0; --size) {
    const auto one = stand_ins_->find(rest.substr(0, size));
    if (one == stand_ins_->end()) continue;
    const Found alone = stands_alone(one->first, rest.substr(size), end);
    if (alone == Found::kNo) continue;
    if (alone == Found::kYes && json_ && needs_escapes(one->second)) continue;
    *found = &*one;
    return alone;
  }
  return Found::kNo;
}

Restorer::Found Restorer::stands_alone(std::string_view stand_in, std::string_view behind,
                                       bool end) const {
  if (behind.empty()) return end ? Found::kYes : Found::kMaybe;
  if (!is_word(stand_in.back())) return Found::kYes;
  if (is_word(behind.front())) return Found::kNo;
  if (!joins(behind.front())) return Found::kYes;
  // "Write to x@example.com." ends a sentence, "x@example.com/path" is another word.
  if (behind.front() == '/' || behind.front() == '@') return Found::kNo;
  if (behind.size() == 1) return end ? Found::kYes : Found::kMaybe;
  return is_word(behind[1]) ? Found::kNo : Found::kYes;
}

bool Restorer::allowed_here() const {
  if (web_ || fence_ > 0 || inline_ > 0 || ticks_ > 0) return false;
  return indent_ < kIndentOfCode || json_;
}

void Restorer::pass(char c) {
  // The end of a run of backticks or tildes decides what it was.
  if (ticks_ > 0 && c != ticks_of_) {
    if (fence_ > 0) {
      if (run_begins_line_ && ticks_of_ == fence_of_ && ticks_ >= fence_) fence_ = 0;
    } else if (inline_ > 0) {
      if (ticks_of_ == '`' && ticks_ == inline_) inline_ = 0;
    } else if (run_begins_line_ && ticks_ >= kFence) {
      fence_ = ticks_;
      fence_of_ = ticks_of_;
    } else if (ticks_of_ == '`') {
      inline_ = ticks_;
    }
    ticks_ = 0;
  }
  if ((c == '`' || (c == '~' && (line_begins_ || ticks_ > 0))) && !json_) {
    if (ticks_ == 0) run_begins_line_ = line_begins_;
    ticks_of_ = c;
    ++ticks_;
  }
  if (c == '\n') {
    if (line_begins_) inline_ = 0;  // an empty line ends what was never closed
    indent_ = 0;
    line_begins_ = true;
  } else if (line_begins_ && c == ' ') {
    ++indent_;
  } else if (line_begins_ && c == '\t') {
    indent_ += kIndentOfCode;
  } else if (c != '\r') {
    line_begins_ = false;
  }
  if (is_space(c)) {
    word_.clear();
    web_ = false;
    return;
  }
  word_ += c;
  if (word_.size() > kWordBytes) word_.erase(0, word_.size() - kWordBytes);
  web_ = web_ || word_.ends_with("://") || word_.ends_with("www.") || word_.ends_with("mailto:");
}

}  // namespace candor::dlp
