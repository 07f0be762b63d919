// A summary of any bytes is bounded: it serialises within kMaxSummaryBytes or says so, and what it
// serialises to reads back as the same summary; the reader never reads outside the file.
#include <cstdint>

#include "base/check.h"
#include "base/text.h"
#include "model/gguf_reader.h"
#include "model/testing/gguf_builder.h"
#include "model/tokenizer_digest.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace candor;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  model::MemorySource source(bytes);
  const auto summary = model::read_gguf(source);
  const auto tokenizer = model::tokenizer_digest(source);
  CANDOR_CHECK(tokenizer || tokenizer.error().code() != Code::kInternal);
  CANDOR_CHECK(tokenizer || !summary);  // what the one reads, the other reads
  if (!summary) {
    CANDOR_CHECK(summary.error().code() != Code::kInternal);
    (void)model::summary_from_json(bytes);
    return 0;
  }
  CANDOR_CHECK(is_utf8(summary->name) && strip_controls(summary->name) == summary->name);
  const auto text = model::to_json(*summary);
  if (!text) return 0;
  CANDOR_CHECK(text->size() <= model::kMaxSummaryBytes);
  const auto again = model::summary_from_json(*text);
  CANDOR_CHECK(again.has_value() && *again == *summary);
  return 0;
}
