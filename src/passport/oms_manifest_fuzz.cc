// A statement that parses is written back to one that parses to the same, holds no path that leaves
// the model, and no name twice.
#include <cstdint>
#include <set>
#include <tuple>

#include "base/check.h"
#include "passport/oms_manifest.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace candor;
  const auto manifest = passport::parse_oms_statement(std::as_bytes(std::span(data, size)));
  if (!manifest) return 0;
  std::set<std::tuple<std::string, std::uint64_t, std::uint64_t>> names;
  for (const passport::Resource& one : manifest->resources) {
    CANDOR_CHECK(one.path == "." || passport::is_model_path(one.path));
    CANDOR_CHECK(names.emplace(one.path, one.start, one.end).second);
    CANDOR_CHECK(one.end - one.start <= manifest->shard_bytes);
  }
  const auto text = passport::format_oms_statement(*manifest);
  if (!text) return 0;  // a shard size past 2^53 has no canonical form
  const auto again = passport::parse_oms_statement(as_bytes(*text));
  CANDOR_CHECK(again && *again == *manifest);
  return 0;
}
