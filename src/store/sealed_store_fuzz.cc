// Whatever a pack or a large file holds, a scan ends, gives only records that lie whole inside it,
// and each gives the same bytes when it is read at its place; erasing it leaves zeros there and
// every other record as it was.
#include <cstdint>
#include <vector>

#include "base/check.h"
#include "base/testing/fake_clock.h"
#include "base/testing/faulty_file_system.h"
#include "store/sealed_store.h"

namespace {

using namespace candor;

struct Seen {
  store::SealedPlace place;
  Id128 id{};
  Bytes bytes;
};

std::vector<Seen> scan(store::SealedStore& store) {
  std::vector<Seen> seen;
  const auto done =
      store.scan([&](const store::SealedPlace& place, const Id128& id, ByteView bytes) {
        seen.push_back({.place = place, .id = id, .bytes = to_bytes(bytes)});
        return Result<void>();
      });
  CANDOR_CHECK(done);
  return seen;
}

void put(FileSystem& files, const Path& path, ByteView bytes) {
  const auto file = files.open(path, OpenMode::kCreateNew);
  CANDOR_CHECK(file && (*file)->write_at(0, bytes));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const ByteView input = std::as_bytes(std::span(data, size));
  FaultyFileSystem files;
  const store::DataPaths paths("/data");
  FakeClock clock;
  store::SealedStore store(files, paths, clock);
  CANDOR_CHECK(files.make_folders(paths.packs()) && files.make_folders(paths.large()));
  put(files, paths.packs() / "00000000000000000007.pack", input);
  put(files, paths.large() / "000102030405060708090a0b0c0d0e0f.request", input);
  const std::vector<Seen> seen = scan(store);
  CANDOR_CHECK(seen.size() <= 1 + (size / 24));
  for (const Seen& record : seen) {
    if (record.place.pack == UINT64_MAX) continue;  // the large file
    CANDOR_CHECK(record.place.offset + 24 + record.bytes.size() <= size);
    const auto read = store.read(record.place, record.id);
    CANDOR_CHECK(read && *read == record.bytes);
  }
  if (seen.empty() || seen.front().place.pack == UINT64_MAX) return 0;
  CANDOR_CHECK(store.erase(seen.front().place, seen.front().id));
  CANDOR_CHECK(!store.read(seen.front().place, seen.front().id));
  const std::vector<Seen> left = scan(store);
  CANDOR_CHECK(left.size() + 1 == seen.size());
  for (std::size_t i = 0; i < left.size(); ++i) {
    CANDOR_CHECK(left[i].id == seen[i + 1].id && left[i].bytes == seen[i + 1].bytes);
  }
  return 0;
}
