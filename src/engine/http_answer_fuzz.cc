// Whatever an engine sends: the same head and content come out however the body is split, content
// is never longer than the input, and a decoder that has ended reads nothing more.
#include <cstdint>
#include <string>
#include <string_view>

#include "base/check.h"
#include "engine/internal/http_answer.h"

namespace {

using candor::engine::internal::AnswerHead;
using candor::engine::internal::BodyDecoder;

struct Outcome {
  std::string content;
  bool failed = false;
  bool ended = false;
};

Outcome run(const AnswerHead& head, std::string_view bytes, std::size_t step) {
  BodyDecoder decoder(head);
  Outcome out;
  std::string pending;
  while (!bytes.empty() && !out.failed) {
    const std::size_t count = step == 0 ? bytes.size() : std::min(bytes.size(), step);
    pending.append(bytes.substr(0, count));
    bytes.remove_prefix(count);
    std::string_view input = pending;
    while (!input.empty() && !decoder.ended() && !out.failed) {
      const auto piece = decoder.decode(input);
      out.failed = !piece.has_value();
      if (piece) out.content.append(*piece);
    }
    pending = std::string(input);
  }
  out.ended = decoder.ended();
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const std::size_t end = bytes.find("\r\n\r\n");
  if (end == std::string_view::npos) return 0;
  const auto head = candor::engine::internal::parse_head(bytes.substr(0, end));
  if (!head) return 0;
  CANDOR_CHECK(head->status >= 100 && head->status <= 599);
  const std::string_view body = bytes.substr(end + 4);
  const Outcome whole = run(*head, body, 0);
  CANDOR_CHECK(whole.content.size() <= body.size());
  for (const std::size_t step : {1U, 3U}) {
    const Outcome split = run(*head, body, step);
    CANDOR_CHECK(split.content == whole.content && split.failed == whole.failed &&
                 split.ended == whole.ended);
  }
  return 0;
}
