// Property: a saved file is refused, or gives an answer whose transcript is UTF-8 with unique
// paths; a saved request likewise.
#include <cstdint>
#include <set>

#include "base/check.h"
#include "base/text.h"
#include "dialect/saved.h"
#include "dialect/transcript.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace candor;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const auto check = [](const Transcript& transcript) {
    std::set<std::string> paths;
    for (const TranscriptField& field : transcript) {
      CANDOR_CHECK(paths.insert(field.path).second && is_utf8(field.text.reveal()));
    }
  };
  if (const auto saved = dialect::read_saved_response(bytes)) {
    check(dialect::answer_transcript(saved->answer));
    CANDOR_CHECK(saved->exchange.empty() || saved->exchange.size() == 32);
  }
  if (const auto request = dialect::read_saved_request(bytes)) {
    check(dialect::request_transcript(*request));
  }
  return 0;
}
