// The journal's files: where batches are written, which segments there are, and which records in
// them an erasure must still reach. write() is for one thread at a time; the rest is thread-safe.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/file_system.h"
#include "base/result.h"
#include "ledger/journal_format.h"
#include "store/internal/preallocator.h"

namespace candor::store {

// An auxiliary record that stands in a segment: what an erasure of id overwrites.
struct AuxPlace {
  Id128 id{};
  std::uint64_t state_offset = 0;  // in the segment
  std::uint64_t payload_offset = 0;
  std::uint64_t payload_bytes = 0;
};

struct Segment {
  std::uint64_t first_index = 0;
  Path path;
  std::unique_ptr<File> file;  // OpenMode::kDurable
  std::uint64_t size = 0;
  std::uint64_t used = 0;  // the next batch's place
  std::mutex mutex;        // aux
  std::vector<AuxPlace> aux;
};

struct BatchPlace {
  std::uint64_t first_index = 0;
  std::uint32_t entries = 0;
  std::shared_ptr<Segment> segment;  // shared: publication reads while the commit thread moves on
  std::uint64_t offset = 0;
  std::uint64_t bytes = 0;
};

class Journal {
 public:
  Journal(FileSystem& files, Path folder, std::string origin, Preallocator& spares)
      : files_(files), folder_(std::move(folder)), origin_(std::move(origin)), spares_(spares) {}

  // Recovery hands over what it found, in order.
  void adopt(std::shared_ptr<Segment> segment);

  // Writes one sealed batch that continues the log at first_index, whose tree had this root; it is
  // durable on return. Begins a new segment when the batch does not fit.
  [[nodiscard]] Result<BatchPlace> write(ByteView batch, std::uint64_t first_index,
                                         std::uint32_t entries, const Digest& root_before);
  // Bytes that can be written without a new file.
  [[nodiscard]] std::uint64_t room() const noexcept { return room_.load(); }

  [[nodiscard]] std::vector<std::shared_ptr<Segment>> segments() const;
  // Gives up segments whose entries all lie below published_size, but for the one in use: as spares
  // where one is wanted, else deleted.
  [[nodiscard]] Result<void> remove_published(std::uint64_t published_size);
  // Overwrites every record of these ids: state, sync, payload, sync. Gives how many.
  [[nodiscard]] Result<std::uint64_t> erase(const std::vector<Id128>& ids);

 private:
  [[nodiscard]] Result<void> begin_segment(std::uint64_t first_index, const Digest& root);

  FileSystem& files_;
  Path folder_;
  std::string origin_;
  Preallocator& spares_;
  mutable std::mutex mutex_;
  std::deque<std::shared_ptr<Segment>> segments_;
  std::shared_ptr<Segment> current_;  // the commit thread's
  std::atomic<std::uint64_t> room_{0};
};

// The ids that a batch's auxiliary records belong to, with their places in the segment.
[[nodiscard]] Result<std::vector<AuxPlace>> aux_places(const ledger::Batch& batch,
                                                       std::uint64_t batch_offset);
// The id in a key slot's or sealed record's payload.
[[nodiscard]] Result<Id128> aux_id(ledger::AuxKind kind, ByteView payload);

}  // namespace candor::store
