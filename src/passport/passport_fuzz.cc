// A passport that parses is written back to the same bytes; its gaps, bill of materials and cards
// are made whatever it says; a card in HTML holds no tag but ours.
#include <algorithm>
#include <array>
#include <cstdint>

#include "base/check.h"
#include "passport/card.h"
#include "passport/cyclonedx.h"
#include "passport/passport.h"

namespace {

void check_tags(std::string_view page) {
  using namespace candor;
  constexpr std::array<std::string_view, 16> kOurs{
      "!DOCTYPE", "html", "head",  "meta", "title", "style", "body", "h1",
      "h2",       "p",    "table", "tr",   "th",    "td",    "ul",   "li"};
  for (std::size_t at = page.find('<'); at != page.npos; at = page.find('<', at + 1)) {
    std::string_view tag = page.substr(at + 1);
    if (tag.starts_with('/')) tag.remove_prefix(1);
    tag = tag.substr(0, tag.find_first_of(" >"));
    CANDOR_CHECK(std::ranges::find(kOurs, tag) != kOurs.end());
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace candor;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto parsed = passport::parse_passport(text);
  if (!parsed) return 0;
  const auto written = passport::format_passport(*parsed);
  CANDOR_CHECK(written && *written == text);
  (void)passport::chain_gaps(*parsed);
  (void)passport::to_cyclonedx(*parsed, text);
  (void)passport::card_markdown(*parsed, {.digest = "0", .signature = "nobody"});
  check_tags(passport::card_html(*parsed, {.digest = "0", .signature = "nobody"}));
  return 0;
}
