// No pack crashes the reader or the scanner made from it; what is refused is kInvalidArgument with
// a message that a terminal may show; what is accepted scans its own examples.
#include <cstdint>
#include <string>

#include "base/check.h"
#include "base/text.h"
#include "dlp/pack.h"
#include "dlp/scanner.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace candor;
  if (size > 20000) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  auto pack = dlp::parse_pack(text, "fuzz.toml");
  if (!pack) {
    CANDOR_CHECK(pack.error().code() == Code::kInvalidArgument);
    CANDOR_CHECK(strip_controls(pack.error().message()) == pack.error().message());
    return 0;
  }
  if (pack->detectors.size() > 8) return 0;
  std::vector<dlp::Pack> packs;
  packs.push_back(*std::move(pack));
  const auto scanner = dlp::Scanner::build(std::move(packs));
  if (!scanner) {
    CANDOR_CHECK(scanner.error().code() == Code::kInvalidArgument);
    return 0;
  }
  for (const dlp::Detector& detector : scanner->detectors()) {
    for (const std::string& example : detector.match) (void)scanner->scan(example);
  }
  return 0;
}
