#include "engine/sse_parser.h"

#include <algorithm>
#include <utility>

namespace candor::engine {
namespace {

constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
constexpr std::size_t kStartIsOver = 4;

std::unexpected<Error> too_much(const char* what) {
  return fail(Code::kResourceExhausted, std::string("event stream: ") + what + " is too long");
}

}  // namespace

Result<void> SseParser::feed(std::string_view bytes) {
  if (failed_) return fail(Code::kResourceExhausted, "event stream: already refused");
  if (read_ == events_.size()) {
    events_.clear();
    read_ = 0;
  }
  total_ += bytes.size();
  if (total_ > limits_.max_total_bytes) {
    failed_ = true;
    return too_much("the stream");
  }
  // A leading byte-order mark may itself be split.
  while (!bytes.empty() && bom_seen_ < kByteOrderMark.size()) {
    if (bytes.front() != kByteOrderMark[bom_seen_]) {
      line_.assign(kByteOrderMark.substr(0, bom_seen_));
      bom_seen_ = kStartIsOver;
      break;
    }
    ++bom_seen_;
    bytes.remove_prefix(1);
  }
  while (!bytes.empty()) {
    if (after_cr_) {  // CR LF is one end of line
      after_cr_ = false;
      if (bytes.front() == '\n') {
        bytes.remove_prefix(1);
        continue;
      }
    }
    const std::size_t end = bytes.find_first_of("\r\n");
    const std::size_t length = std::min(end, bytes.size());
    if (line_.size() + length > limits_.max_line_bytes) {
      failed_ = true;
      return too_much("a line");
    }
    if (end == std::string_view::npos) {
      line_.append(bytes);
      break;
    }
    Result<void> ended;
    if (line_.empty()) {  // the common case: a whole line in one read, no copy
      ended = end_line(bytes.substr(0, end));
    } else {
      line_.append(bytes.substr(0, end));
      ended = end_line(line_);
      line_.clear();
    }
    if (!ended) {
      failed_ = true;
      return ended;
    }
    after_cr_ = bytes[end] == '\r';
    bytes.remove_prefix(end + 1);
  }
  return {};
}

Result<void> SseParser::end_line(std::string_view line) {
  if (line.empty()) {
    if (has_data_) events_.push_back(std::move(current_));
    current_ = {};
    has_data_ = false;
    return {};
  }
  const std::size_t colon = line.find(':');
  const std::string_view field = line.substr(0, colon);
  std::string_view value =
      colon == std::string_view::npos ? std::string_view() : line.substr(colon + 1);
  if (value.starts_with(' ')) value.remove_prefix(1);
  if (field == "data") {
    const std::size_t separator = has_data_ ? 1 : 0;
    if (current_.data.size() + separator + value.size() > limits_.max_event_bytes) {
      return too_much("an event");
    }
    if (has_data_) current_.data.push_back('\n');
    current_.data.append(value);
    has_data_ = true;
  } else if (field == "event") {
    if (value.size() > limits_.max_event_bytes) return too_much("an event");
    current_.type = value;
  }
  return {};
}

bool SseParser::next(SseEvent& event) {
  if (read_ == events_.size()) return false;
  event = std::move(events_[read_++]);
  return true;
}

}  // namespace candor::engine
