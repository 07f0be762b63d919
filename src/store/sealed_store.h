// Sealed records on disk (docs/formats/sealed-packs.md): small ones together in pack files, written
// at publication; those above the inline limit in a file of their own, synced before their entry is
// queued (S6). Thread-safe.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/file_system.h"
#include "base/result.h"
#include "base/thread.h"
#include "store/data_folder.h"
#include "store/state_db.h"

namespace candor::store {

enum class SealedHalf : std::uint8_t { kRequest, kAnswer };  // of an exchange; a note is a request

class SealedStore {
 public:
  SealedStore(FileSystem& files, DataPaths paths, Clock& clock);

  struct Record {
    Id128 id{};
    ByteView bytes;
  };
  // Appends to the current pack, durably on return; a new pack, named by first_index, is begun
  // after a start, a failure, a day or 256 MiB. Rests between pieces as the pacer says. On failure
  // nothing is known of the pack; the next call writes all to a fresh one.
  [[nodiscard]] Result<std::vector<SealedPlace>> append(std::uint64_t first_index,
                                                        const std::vector<Record>& records,
                                                        Pacer& pacer);
  // kNotFound: no such record, or it was removed by retention or erased.
  [[nodiscard]] Result<Bytes> read(const SealedPlace& place, const Id128& id);
  // Overwrites the record with zeros and syncs. Absent packs are fine.
  [[nodiscard]] Result<void> erase(const SealedPlace& place, const Id128& id);

  // A record of its own, synced, name too, when this returns.
  [[nodiscard]] Result<void> write_large(const Id128& id, SealedHalf half, ByteView bytes);
  [[nodiscard]] Result<Bytes> read_large(const Id128& id, SealedHalf half);
  [[nodiscard]] Result<void> erase_large(const Id128& id);  // overwritten, then removed

  // Every record of every pack, then of every large file; torn ends are passed over.
  using Visit = std::function<Result<void>(const SealedPlace&, const Id128&, ByteView)>;
  [[nodiscard]] Result<void> scan(const Visit& visit);
  // Removes packs and large files whose newest content is older; gives the bytes freed.
  [[nodiscard]] Result<std::uint64_t> remove_older_than(std::int64_t wall_us);

 private:
  [[nodiscard]] Path pack_path(std::uint64_t pack) const;
  [[nodiscard]] Path large_path(const Id128& id, SealedHalf half) const;
  [[nodiscard]] Result<void> begin_pack(std::uint64_t first_index);

  FileSystem& files_;
  DataPaths paths_;
  Clock& clock_;
  std::mutex mutex_;
  std::unique_ptr<File> pack_;
  std::uint64_t pack_name_ = 0, pack_bytes_ = 0;
  std::int64_t pack_since_us_ = 0;
};

}  // namespace candor::store
