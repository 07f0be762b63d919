#include "store/key_table.h"

#include <algorithm>
#include <cstring>

namespace candor::store {
namespace {

constexpr std::uint64_t kSlotsAtOnce = 4096;

// What a write that found no room has left behind the last slot: an erasure would not look there.
Result<void> take_back(File& file, std::uint64_t end) {
  const std::uint64_t size = TRY(file.size());
  if (size <= end) return {};
  TRY(file.write_at(end, Bytes(size - end)));
  TRY(file.sync());
  return file.truncate(end);
}

}  // namespace

std::size_t IdHash::operator()(const Id128& id) const noexcept {
  std::size_t value = 0;
  std::memcpy(&value, id.data(), sizeof(value));
  return value;
}

Result<std::unique_ptr<KeyTable>> KeyTable::open(FileSystem& files, const Path& path) {
  auto file = TRY(files.open(path, OpenMode::kCreate));
  const std::uint64_t size = TRY(file->size());
  if (size < ledger::kKeyTablePage) {  // new, or cut while it was made: it holds no slot yet
    const Bytes header = ledger::encode_key_table_header();
    TRY(file->write_at(0, header));
    TRY(file->sync());
    TRY(files.sync_folder(path.parent_path()));
    return std::unique_ptr<KeyTable>(new KeyTable(std::move(file), 0));
  }
  Bytes header(ledger::kKeyTablePage);
  TRY(file->read_at(0, header));
  const bool blank = std::ranges::all_of(header, [](std::byte b) { return b == std::byte{0}; });
  if (blank && size == ledger::kKeyTablePage) {
    header = ledger::encode_key_table_header();
    TRY(file->write_at(0, header));
    TRY(file->sync());
  } else if (const auto checked = ledger::check_key_table_header(header); !checked) {
    return fail(Code::kDataLoss, path.native() + ": " + checked.error().message() +
                                     "; restore it from a backup that is not older than the last "
                                     "erasure");
  }
  // A torn last slot is overwritten by the next one.
  const std::uint64_t slots = (size - ledger::kKeyTablePage) / ledger::kKeySlotBytes;
  return std::unique_ptr<KeyTable>(new KeyTable(std::move(file), slots));
}

Result<std::unique_ptr<KeyTable>> KeyTable::open_for_reading(FileSystem& files, const Path& path) {
  auto file = TRY(files.open(path, OpenMode::kRead));
  Bytes header(ledger::kKeyTablePage);
  TRY(file->read_at(0, header));
  TRY(ledger::check_key_table_header(header));
  const std::uint64_t size = TRY(file->size());
  return std::unique_ptr<KeyTable>(
      new KeyTable(std::move(file), (size - ledger::kKeyTablePage) / ledger::kKeySlotBytes));
}

Result<std::uint64_t> KeyTable::append(ByteView slots) {
  const std::lock_guard lock(mutex_);
  TRY(check_whole());
  const std::uint64_t first = slots_;
  const std::uint64_t end = ledger::key_slot_offset(first);
  const auto written = file_->write_at(end, slots);
  if (!written && written.error().code() == Code::kResourceExhausted && take_back(*file_, end)) {
    return std::unexpected(written.error());
  }
  if (!written) {
    broken_ = true;
    return fail(Code::kDataLoss, written.error().message());
  }
  slots_ += slots.size() / ledger::kKeySlotBytes;
  return first;
}

Result<void> KeyTable::sync() {
  const std::lock_guard lock(mutex_);
  TRY(check_whole());
  return remember(file_->sync());
}

Result<void> KeyTable::check_whole() const {
  if (!broken_) return {};
  return fail(Code::kDataLoss, "the key table could not be written; a restart verifies it");
}

Result<void> KeyTable::remember(Result<void> done) {
  if (!done) broken_ = true;
  return done;
}

Result<ledger::KeySlot> KeyTable::read(std::uint64_t slot) {
  const std::lock_guard lock(mutex_);
  if (slot >= slots_) return fail(Code::kNotFound, "the key table has no such slot");
  Bytes bytes(ledger::kKeySlotBytes);
  TRY(file_->read_at(ledger::key_slot_offset(slot), bytes));
  return ledger::decode_key_slot(bytes);
}

Result<void> KeyTable::erase(std::uint64_t slot) {
  const ledger::KeySlot old = TRY(read(slot));
  if (old.kind == ledger::SlotKind::kEmpty || old.state == ledger::SlotState::kErased) return {};
  const Bytes erased = ledger::erased_key_slot(old);
  const std::lock_guard lock(mutex_);
  TRY(check_whole());
  return remember(file_->write_at(ledger::key_slot_offset(slot), erased));
}

Result<void> KeyTable::rewrite(std::uint64_t slot, ByteView bytes) {
  const ledger::KeySlot old = TRY(read(slot));
  const ledger::KeySlot now = TRY(ledger::decode_key_slot(bytes));
  if (old.id != now.id || old.kind != now.kind || old.state != ledger::SlotState::kLive) {
    return fail(Code::kFailedPrecondition, "the key slot is erased, or another's");
  }
  const std::lock_guard lock(mutex_);
  TRY(check_whole());
  return remember(file_->write_at(ledger::key_slot_offset(slot), bytes));
}

std::uint64_t KeyTable::size() const {
  const std::lock_guard lock(mutex_);
  return slots_;
}

Result<std::unordered_map<Id128, std::uint64_t, IdHash>> KeyTable::tail(
    std::uint64_t published_size) {
  std::unordered_map<Id128, std::uint64_t, IdHash> found;
  for (std::uint64_t slot = size(); slot-- > 0;) {
    const auto read_slot = read(slot);
    if (!read_slot) {
      if (read_slot.error().code() == Code::kUnavailable) return std::unexpected(read_slot.error());
      continue;  // torn
    }
    if (read_slot->kind == ledger::SlotKind::kEmpty) continue;
    const bool of_entry = read_slot->state == ledger::SlotState::kLive &&
                          read_slot->kind != ledger::SlotKind::kSubject;
    if (of_entry && read_slot->entry_index < published_size) break;
    found.emplace(read_slot->id, slot);
  }
  return found;
}

Result<void> KeyTable::scan(
    const std::function<Result<void>(std::uint64_t, const ledger::KeySlot&)>& visit) {
  const std::uint64_t count = size();
  Bytes bytes;
  for (std::uint64_t first = 0; first < count; first += kSlotsAtOnce) {
    const std::uint64_t here = std::min(kSlotsAtOnce, count - first);
    bytes.resize(here * ledger::kKeySlotBytes);
    {
      const std::lock_guard lock(mutex_);
      TRY(file_->read_at(ledger::key_slot_offset(first), bytes));
    }
    for (std::uint64_t i = 0; i < here; ++i) {
      const auto slot = ledger::decode_key_slot(
          ByteView(bytes).subspan(i * ledger::kKeySlotBytes, ledger::kKeySlotBytes));
      if (slot && slot->kind != ledger::SlotKind::kEmpty) TRY(visit(first + i, *slot));
    }
  }
  return {};
}

}  // namespace candor::store
