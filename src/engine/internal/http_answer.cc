#include "engine/internal/http_answer.h"

#include <algorithm>
#include <charconv>
#include <optional>
#include <utility>

namespace candor::engine::internal {
namespace {

constexpr std::size_t kMaxSizeLine = 256;
constexpr std::size_t kMaxTrailers = 16U << 10U;
constexpr std::uint64_t kMaxChunk = 1ULL << 40U;

std::unexpected<Error> malformed(const char* what) {
  return fail(Code::kInternal, std::string("the engine's answer is not HTTP: ") + what);
}

std::string_view trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

bool equals_ignoring_case(std::string_view a, std::string_view lower) {
  return std::ranges::equal(a, lower, [](char x, char y) {
    return (x >= 'A' && x <= 'Z' ? static_cast<char>(x + 32) : x) == y;
  });
}

bool has_token(std::string_view list, std::string_view lower) {
  while (!list.empty()) {
    const std::size_t comma = std::min(list.find(','), list.size());
    if (equals_ignoring_case(trim(list.substr(0, comma)), lower)) return true;
    list.remove_prefix(std::min(comma + 1, list.size()));
  }
  return false;
}

Result<void> read_header(std::string_view line, AnswerHead& head,
                         std::optional<std::uint64_t>& length, bool& chunked) {
  if (line.front() == ' ' || line.front() == '\t') return malformed("a folded header");
  const std::size_t colon = line.find(':');
  if (colon == std::string_view::npos || colon == 0) return malformed("a header without a colon");
  const std::string_view name = line.substr(0, colon);
  const std::string_view value = trim(line.substr(colon + 1));
  if (equals_ignoring_case(name, "content-length")) {
    std::uint64_t number = 0;
    const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number);
    if (value.empty() || error != std::errc() || end != value.data() + value.size()) {
      return malformed("a bad length");
    }
    if (length && *length != number) return malformed("two lengths");
    length = number;
  } else if (equals_ignoring_case(name, "transfer-encoding")) {
    if (!equals_ignoring_case(value, "chunked")) return malformed("an unknown transfer coding");
    chunked = true;
  } else if (equals_ignoring_case(name, "connection")) {
    if (has_token(value, "close")) head.keep_alive = false;
  } else if (equals_ignoring_case(name, "content-type")) {
    head.event_stream =
        equals_ignoring_case(trim(value.substr(0, value.find(';'))), "text/event-stream");
  }
  return {};
}

}  // namespace

Result<AnswerHead> parse_head(std::string_view text) {
  const std::size_t first_end = std::min(text.find("\r\n"), text.size());
  const std::string_view status_line = text.substr(0, first_end);
  if (!status_line.starts_with("HTTP/1.") || status_line.size() < 12 || status_line[8] != ' ' ||
      (status_line.size() > 12 && status_line[12] != ' ')) {
    return malformed("a bad status line");
  }
  AnswerHead head;
  head.keep_alive = status_line[7] == '1';
  const auto [end, error] =
      std::from_chars(status_line.data() + 9, status_line.data() + 12, head.status);
  if (error != std::errc() || end != status_line.data() + 12 || head.status < 100 ||
      head.status > 599) {
    return malformed("a bad status");
  }
  text.remove_prefix(std::min(first_end + 2, text.size()));
  std::optional<std::uint64_t> length;
  bool chunked = false;
  while (!text.empty()) {
    const std::size_t line_end = std::min(text.find("\r\n"), text.size());
    const std::string_view line = text.substr(0, line_end);
    if (line.empty()) return malformed("an empty header");
    TRY(read_header(line, head, length, chunked));
    text.remove_prefix(std::min(line_end + 2, text.size()));
  }
  if (chunked && length) return malformed("a length and chunks");
  if (head.status < 200 || head.status == 204 || head.status == 304) {
    head.framing = AnswerHead::Framing::kNone;
  } else if (chunked) {
    head.framing = AnswerHead::Framing::kChunked;
  } else if (length) {
    head.framing = AnswerHead::Framing::kLength;
    head.length = *length;
  } else {
    head.framing = AnswerHead::Framing::kUntilClose;
    head.keep_alive = false;
  }
  return head;
}

BodyDecoder::BodyDecoder(const AnswerHead& head) {
  switch (head.framing) {
    case AnswerHead::Framing::kNone: state_ = State::kEnd; break;
    case AnswerHead::Framing::kLength:
      left_ = head.length;
      state_ = left_ == 0 ? State::kEnd : State::kContent;
      break;
    case AnswerHead::Framing::kChunked: state_ = State::kChunkSize; break;
    case AnswerHead::Framing::kUntilClose: state_ = State::kUntilClose; break;
  }
}

Result<std::string_view> BodyDecoder::decode(std::string_view& input) {
  while (!input.empty() && state_ != State::kEnd) {
    switch (state_) {
      case State::kUntilClose: return std::exchange(input, {});
      case State::kContent:
      case State::kChunkContent: {
        const std::size_t count =
            static_cast<std::size_t>(std::min<std::uint64_t>(left_, input.size()));
        const std::string_view piece = input.substr(0, count);
        input.remove_prefix(count);
        left_ -= count;
        if (left_ == 0) state_ = state_ == State::kContent ? State::kEnd : State::kChunkEnd;
        return piece;
      }
      case State::kChunkSize:
      case State::kChunkEnd:
      case State::kTrailer: {
        const std::size_t end = input.find('\n');
        const std::size_t count = std::min(end, input.size());
        if (line_.size() + count > (state_ == State::kTrailer ? kMaxTrailers : kMaxSizeLine)) {
          return malformed("a long chunk line");
        }
        line_.append(input.substr(0, count));
        if (end == std::string_view::npos) {
          input = {};
          return std::string_view();
        }
        input.remove_prefix(end + 1);
        if (line_.empty() || line_.back() != '\r') return malformed("a bare line feed");
        line_.pop_back();
        if (state_ == State::kChunkEnd) {
          if (!line_.empty()) return malformed("a chunk of another length");
          state_ = State::kChunkSize;
        } else if (state_ == State::kTrailer) {
          trailer_bytes_ += line_.size();
          if (trailer_bytes_ > kMaxTrailers) return malformed("long trailers");
          if (line_.empty()) state_ = State::kEnd;
        } else {
          const auto [stop, error] =
              std::from_chars(line_.data(), line_.data() + line_.size(), left_, 16);
          const bool extension = stop != line_.data() + line_.size() && *stop == ';';
          if (error != std::errc() || left_ > kMaxChunk ||
              (stop != line_.data() + line_.size() && !extension)) {
            return malformed("a bad chunk size");
          }
          state_ = left_ == 0 ? State::kTrailer : State::kChunkContent;
        }
        line_.clear();
        break;
      }
      case State::kEnd: break;
    }
  }
  return std::string_view();
}

Result<void> BodyDecoder::closed() {
  if (state_ == State::kUntilClose) state_ = State::kEnd;
  if (state_ == State::kEnd) return {};
  return fail(Code::kUnavailable, "the engine closed the connection in the middle of an answer");
}

}  // namespace candor::engine::internal
