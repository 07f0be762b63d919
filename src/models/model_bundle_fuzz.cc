// Whatever the bytes, reading a bundle's frame ends with an error or with files that lie inside it,
// one for each digest of its manifest.
#include <cstdint>

#include "base/check.h"
#include "models/bundle.h"
#include "models/testing/memory_file.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace candor;
  models::MemoryFile bundle(to_bytes(std::as_bytes(std::span(data, size))));
  const auto frame = models::read_bundle(bundle);
  if (!frame) return 0;
  CANDOR_CHECK(frame->manifest.admitted_us == 0 && frame->manifest.gate.by.empty());
  for (const models::BundleFile& file : frame->files) {
    CANDOR_CHECK(file.size <= size && file.offset <= size - file.size);
  }
  return 0;
}
