// What parses as a fingerprint is written back as the same bytes, and relates to itself without a
// number that is not finite.
#include <algorithm>
#include <cmath>
#include <cstdint>

#include "base/check.h"
#include "lineage/verdict.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace candor;
  const auto bytes = std::as_bytes(std::span(data, size));
  const auto parsed = lineage::parse_fingerprint(bytes);
  if (!parsed) return 0;
  CANDOR_CHECK(std::ranges::equal(lineage::serialise(*parsed), bytes));
  if (parsed->layers.size() > 4) return 0;
  const lineage::Relation relation = lineage::relate(*parsed, *parsed);
  CANDOR_CHECK(std::isfinite(relation.block_cosine) && std::isfinite(relation.z));
  return 0;
}
