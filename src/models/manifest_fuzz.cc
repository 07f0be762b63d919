// What parses as a manifest, a plan or ranges is written back as the same bytes, and no manifest
// holds a path that leaves its folder.
#include <cstdint>

#include "base/check.h"
#include "models/manifest.h"
#include "models/plan.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace candor;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto manifest = models::manifest_from_json(text)) {
    const auto back = models::to_json(*manifest);
    CANDOR_CHECK(back && *back == text);
    for (const models::StoredFile& file : manifest->files) {
      CANDOR_CHECK(!file.path.starts_with('/') && !("/" + file.path + "/").contains("/../"));
    }
  }
  if (const auto plan = models::plan_from_json(text)) CANDOR_CHECK(*models::to_json(*plan) == text);
  if (const auto fetched = models::fetched_from_json(text)) {
    CANDOR_CHECK(*models::to_json(*fetched) == text);
    CANDOR_CHECK(fetched->ranges.bytes() <= fetched->size);
  }
  return 0;
}
