// Reads HTTP/1.1 requests (RFC 9112) from bytes as they arrive; no sockets. The message syntax is
// Beast's; the bounds, the refusals and the resulting Request are ours. Hostile input is expected.
//
// The result does not depend on how the bytes were cut (request_reader_fuzz.cc). Refused: a target
// that is not in origin form, a missing or repeated Host, a length given twice or beside
// Transfer-Encoding, a Transfer-Encoding that is not "chunked" to the letter, a folded field, a
// compressed body, an expectation other than 100-continue.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>

#include "http/request.h"

namespace candor::http {

struct ReaderLimits {
  std::uint32_t header_bytes = 16U << 10U;  // request line and fields
  std::uint64_t body_bytes = 16U << 20U;
};

class RequestReader {
 public:
  enum class State : std::uint8_t {
    kHeader,    // more bytes are needed for the header
    kBody,      // the header is complete, the body is not
    kComplete,  // take() the request; bytes after it were not consumed
    kRefused,   // status() and reason() say why; the connection must be closed after the reply
  };

  explicit RequestReader(const ReaderLimits& limits);
  RequestReader(RequestReader&&) noexcept;
  RequestReader& operator=(RequestReader&&) noexcept;
  ~RequestReader();

  // Consumes a prefix of input and returns its size. Bytes not consumed must be given again, with
  // more after them. Consumes nothing once complete or refused.
  [[nodiscard]] std::size_t feed(std::string_view input);

  [[nodiscard]] State state() const noexcept;
  // The client waits for "100 Continue" before it sends the body. True once, when first asked.
  [[nodiscard]] bool take_expects_continue() noexcept;
  [[nodiscard]] int status() const noexcept;               // 400, 413, 414, 415, 417, 431 or 505
  [[nodiscard]] std::string_view reason() const noexcept;  // a sentence of ours, no input in it
  [[nodiscard]] Request take();  // once, when complete; request_id is empty

 private:
  class Parser;
  std::unique_ptr<Parser> parser_;
};

}  // namespace candor::http
