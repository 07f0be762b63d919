// The part of HTTP/1.1 (RFC 9112) that an engine's answer needs, bounded and pure: a head, then a
// body by length, in chunks, or until the connection closes. Whatever the bytes are split into, the
// same comes out.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace candor::engine::internal {

struct AnswerHead {
  enum class Framing : std::uint8_t { kNone, kLength, kChunked, kUntilClose };
  int status = 0;
  Framing framing = Framing::kNone;
  std::uint64_t length = 0;
  bool keep_alive = true;
  bool event_stream = false;  // Content-Type: text/event-stream
};

// text is a whole head without its final empty line. kInternal if malformed: bad status line, two
// different lengths, a length and chunks, an unknown transfer coding, a folded line.
[[nodiscard]] Result<AnswerHead> parse_head(std::string_view text);

// Takes the framing off. decode() consumes from the front of input and appends nothing itself: it
// says which part is content, so that nothing is copied.
class BodyDecoder {
 public:
  BodyDecoder() = default;
  explicit BodyDecoder(const AnswerHead& head);

  // The next piece of content at the front of input, input shortened by what was read. An empty
  // piece: more input is needed, or the body has ended.
  [[nodiscard]] Result<std::string_view> decode(std::string_view& input);
  // The connection was closed by the peer: the clean end only for kUntilClose.
  [[nodiscard]] Result<void> closed();
  [[nodiscard]] bool ended() const noexcept { return state_ == State::kEnd; }

 private:
  enum class State : std::uint8_t {
    kContent,
    kUntilClose,
    kChunkSize,
    kChunkContent,
    kChunkEnd,
    kTrailer,
    kEnd
  };
  State state_ = State::kEnd;
  std::uint64_t left_ = 0;
  std::string line_;  // an unfinished size line or trailer
  std::size_t trailer_bytes_ = 0;
};

}  // namespace candor::engine::internal
