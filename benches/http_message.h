// A small incremental reader of HTTP/1.1 messages (RFC 9112) for the benchmark programs: a start
// line, headers, a body by Content-Length or in chunks. It trusts its peer to be well-formed and
// reports anything else as broken. Not for hostile input: the product's reader is src/http.
#pragma once

#include <charconv>
#include <cstdint>
#include <string>
#include <string_view>

#include <strings.h>

namespace candor::bench {

class HttpMessage {
 public:
  enum class State { kHead, kBody, kDone, kBroken };

  // Takes bytes; stops at the end of one message. Returns how many were used.
  std::size_t feed(std::string_view bytes) {
    std::size_t used = 0;
    while (state_ == State::kHead && used < bytes.size()) {
      const std::size_t before = head_.size();
      head_.append(bytes.substr(used));
      const auto end = head_.find("\r\n\r\n", before < 3 ? 0 : before - 3);
      if (end == std::string::npos) return bytes.size();
      used += end + 4 - before;
      head_.resize(end + 2);
      read_head();
    }
    if (state_ == State::kBody)
      used += chunked_ ? feed_chunks(bytes.substr(used)) : feed_plain(bytes.substr(used));
    return used;
  }

  void reset() {
    head_.clear();
    body_.clear();
    size_line_.clear();
    left_ = 0;
    chunked_ = false;
    chunk_state_ = Chunk::kSize;
    state_ = State::kHead;
  }

  [[nodiscard]] State state() const { return state_; }
  [[nodiscard]] std::string_view head() const { return head_; }
  [[nodiscard]] const std::string& body() const { return body_; }
  // The status code of a response, 0 otherwise.
  [[nodiscard]] int status() const {
    int code = 0;
    if (head_.starts_with("HTTP/1.1 ")) std::from_chars(head_.data() + 9, head_.data() + 12, code);
    return code;
  }
  [[nodiscard]] std::string_view header(std::string_view name) const {
    std::size_t at = head_.find("\r\n");
    while (at != std::string::npos && at + 2 < head_.size()) {
      at += 2;
      const auto end = head_.find("\r\n", at);
      const std::string_view line = std::string_view(head_).substr(at, end - at);
      if (line.size() > name.size() && line[name.size()] == ':' &&
          strncasecmp(line.data(), name.data(), name.size()) == 0) {
        std::string_view value = line.substr(name.size() + 1);
        while (value.starts_with(' ')) value.remove_prefix(1);
        return value;
      }
      at = end;
    }
    return {};
  }

 private:
  enum class Chunk { kSize, kData, kDataEnd, kTrailer };

  void read_head() {
    const std::string_view length = header("content-length");
    chunked_ = header("transfer-encoding") == "chunked";
    if (!chunked_ && !length.empty()) {
      std::from_chars(length.data(), length.data() + length.size(), left_);
    }
    state_ = chunked_ || left_ > 0 ? State::kBody : State::kDone;
  }

  std::size_t feed_plain(std::string_view bytes) {
    const std::size_t take = bytes.size() < left_ ? bytes.size() : static_cast<std::size_t>(left_);
    body_.append(bytes.substr(0, take));
    left_ -= take;
    if (left_ == 0) state_ = State::kDone;
    return take;
  }

  std::size_t feed_chunks(std::string_view bytes) {
    std::size_t used = 0;
    while (used < bytes.size() && state_ == State::kBody) {
      if (chunk_state_ == Chunk::kData) {
        const std::size_t take =
            std::min<std::size_t>(bytes.size() - used, static_cast<std::size_t>(left_));
        body_.append(bytes.substr(used, take));
        used += take;
        left_ -= take;
        if (left_ == 0) chunk_state_ = Chunk::kDataEnd;
        continue;
      }
      const char c = bytes[used++];
      if (c != '\n') {
        if (c != '\r') size_line_.push_back(c);
        continue;
      }
      end_line();
    }
    return used;
  }

  void end_line() {
    if (chunk_state_ == Chunk::kSize) {
      const auto [end, error] =
          std::from_chars(size_line_.data(), size_line_.data() + size_line_.size(), left_, 16);
      if (error != std::errc{}) state_ = State::kBroken;
      chunk_state_ = left_ == 0 ? Chunk::kTrailer : Chunk::kData;
    } else if (chunk_state_ == Chunk::kDataEnd) {
      chunk_state_ = Chunk::kSize;
    } else if (size_line_.empty()) {
      state_ = State::kDone;
    }
    size_line_.clear();
  }

  State state_ = State::kHead;
  std::string head_, body_, size_line_;
  std::uint64_t left_ = 0;
  bool chunked_ = false;
  Chunk chunk_state_ = Chunk::kSize;
};

}  // namespace candor::bench
