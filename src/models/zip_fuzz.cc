// Whatever the bytes, reading an archive and taking out each member ends with an error or with a
// file of the size that its directory states.
#include <cstdint>

#include "base/check.h"
#include "models/testing/memory_file.h"
#include "models/zip.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace candor;
  models::MemoryFile archive(to_bytes(std::as_bytes(std::span(data, size))));
  const auto members = models::zip_members(archive);
  if (!members) return 0;
  std::size_t tried = 0;
  for (const models::ZipMember& member : *members) {
    if (++tried > 8) break;
    models::MemoryFile out;
    const auto done = models::extract(archive, member.name, out);
    CANDOR_CHECK(out.bytes().size() <= member.size);
    if (done) CANDOR_CHECK(out.bytes().size() == member.size);
  }
  return 0;
}
