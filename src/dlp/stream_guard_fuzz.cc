// However a text is cut, the guard's parts joined are the text, and its findings those of one scan.
// Input: a byte n of at most 15, n bytes with the lengths of the pieces but the last, the text.
#include <algorithm>
#include <cstdint>
#include <string>

#include "base/check.h"
#include "dlp/pack.h"
#include "dlp/stream_guard.h"

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
  if (size == 0) return 0;
  const std::size_t cuts = std::min<std::size_t>(data[0] % 16, size - 1);
  const std::string_view text(reinterpret_cast<const char*>(data) + 1 + cuts, size - 1 - cuts);
  if (text.size() > StreamGuard::kMaxHeld) return 0;

  StreamGuard guard(scanner);
  std::vector<Part> parts;
  std::size_t at = 0;
  for (std::size_t i = 0; i < cuts; ++i) {
    const std::size_t piece = std::min<std::size_t>(data[1 + i], text.size() - at);
    guard.feed(text.substr(at, piece), *scratch, parts);
    at += piece;
  }
  guard.feed(text.substr(at), *scratch, parts);
  guard.finish(*scratch, parts);

  std::string joined;
  std::vector<Finding> found;
  std::vector<Finding> noted;
  for (const Part& part : parts) {
    if (part.kind == Part::Kind::kFinding) {
      CANDOR_CHECK(part.finding.begin == joined.size());
      found.push_back(part.finding);
    }
    if (part.kind == Part::Kind::kMore) found.back() = part.finding;
    if (part.kind == Part::Kind::kNote) noted.push_back(part.finding);
    joined += part.text;
    if (part.kind == Part::Kind::kFinding || part.kind == Part::Kind::kMore) {
      CANDOR_CHECK(part.finding.end == joined.size());
    }
  }
  CANDOR_CHECK(joined == text);
  found.insert(found.end(), noted.begin(), noted.end());
  std::ranges::sort(found, {}, &Finding::begin);
  std::vector<Finding> expected;
  scanner.scan(text, *scratch, expected);
  CANDOR_CHECK(found == expected);
  return 0;
}
