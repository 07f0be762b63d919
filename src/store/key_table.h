// The key table's file (docs/formats/key-table.md): slots appended at publication, erased in place.
// Thread-safe. After a failed write or sync nothing more is written: the caller poisons the log
// (S6). Only where an append found no room, and what it began is taken back, may it be tried again.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <unordered_map>
#include <vector>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/file_system.h"
#include "base/result.h"
#include "ledger/key_table_format.h"

namespace candor::store {

struct IdHash {  // ids are random
  std::size_t operator()(const Id128& id) const noexcept;
};

class KeyTable {
 public:
  // Makes the file when absent.
  [[nodiscard]] static Result<std::unique_ptr<KeyTable>> open(FileSystem& files, const Path& path);

  // For readers of a copy: nothing is written, append and erase fail.
  [[nodiscard]] static Result<std::unique_ptr<KeyTable>> open_for_reading(FileSystem& files,
                                                                          const Path& path);

  // Encoded slots, one after the other; gives the first one's number. Not yet durable: sync().
  // kResourceExhausted: no room; the table is as it was. Else kDataLoss.
  [[nodiscard]] Result<std::uint64_t> append(ByteView slots);
  [[nodiscard]] Result<void> sync();
  [[nodiscard]] Result<ledger::KeySlot> read(std::uint64_t slot);
  // Overwrites the slot by what erasing leaves. Not yet durable: sync().
  [[nodiscard]] Result<void> erase(std::uint64_t slot);
  // Writes another state of a live slot in its place. Not yet durable: sync().
  [[nodiscard]] Result<void> rewrite(std::uint64_t slot, ByteView bytes);
  [[nodiscard]] std::uint64_t size() const;

  // Slots that a publication which did not finish may have left: those behind the last live slot of
  // an entry below published_size. Torn slots among them stay unused.
  [[nodiscard]] Result<std::unordered_map<Id128, std::uint64_t, IdHash>> tail(
      std::uint64_t published_size);
  // Every slot in order; a slot whose check is wrong is skipped. Stops at an error of visit.
  [[nodiscard]] Result<void> scan(
      const std::function<Result<void>(std::uint64_t, const ledger::KeySlot&)>& visit);

 private:
  KeyTable(std::unique_ptr<File> file, std::uint64_t slots)
      : file_(std::move(file)), slots_(slots) {}

  // With mutex_ held: after a failed write or sync nothing more is written (S6).
  [[nodiscard]] Result<void> check_whole() const;
  [[nodiscard]] Result<void> remember(Result<void> done);

  bool broken_ = false;
  mutable std::mutex mutex_;
  std::unique_ptr<File> file_;
  std::uint64_t slots_;
};

}  // namespace candor::store
