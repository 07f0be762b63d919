#include "store/internal/journal.h"

#include <algorithm>

namespace candor::store {
namespace {

constexpr std::size_t kSlotIdOffset = 4;     // docs/formats/key-table.md
constexpr std::size_t kSealedIdOffset = 12;  // docs/formats/sealed.md
constexpr std::byte kErased{static_cast<std::byte>(ledger::AuxState::kErased)};

}  // namespace

Result<Id128> aux_id(ledger::AuxKind kind, ByteView payload) {
  const std::size_t at = kind == ledger::AuxKind::kKeySlot ? kSlotIdOffset : kSealedIdOffset;
  Id128 id{};
  if (payload.size() < at + id.size()) {
    return fail(Code::kInvalidArgument, "an auxiliary record too short to name its exchange");
  }
  std::ranges::copy(payload.subspan(at, id.size()), id.begin());
  return id;
}

Result<std::vector<AuxPlace>> aux_places(const ledger::Batch& batch, std::uint64_t batch_offset) {
  std::vector<AuxPlace> places;
  places.reserve(batch.aux.size());
  for (const ledger::AuxView& record : batch.aux) {
    if (record.state == ledger::AuxState::kErased) continue;
    places.push_back({.id = TRY(aux_id(record.kind, record.payload)),
                      .state_offset = batch_offset + record.state_offset,
                      .payload_offset = batch_offset + record.payload_offset,
                      .payload_bytes = record.payload.size()});
  }
  return places;
}

void Journal::adopt(std::shared_ptr<Segment> segment) {
  const std::lock_guard lock(mutex_);
  room_ = segment->size - segment->used;
  current_ = segment;
  segments_.push_back(std::move(segment));
}

Result<void> Journal::begin_segment(std::uint64_t first_index, const Digest& root) {
  Spare spare = TRY(spares_.take());
  const Bytes header = TRY(
      ledger::encode_segment_header({.first_index = first_index, .root = root, .origin = origin_}));
  TRY(spare.file->write_at(0, header));
  const Path path = folder_ / ledger::segment_name(first_index);
  TRY(files_.rename(spare.path, path));
  TRY(files_.sync_folder(folder_));
  auto segment = std::make_shared<Segment>();
  segment->first_index = first_index;
  segment->path = path;
  segment->size = TRY(spare.file->size());
  segment->file = std::move(spare.file);
  segment->used = ledger::kJournalPage;
  adopt(std::move(segment));
  return {};
}

Result<BatchPlace> Journal::write(ByteView batch, std::uint64_t first_index, std::uint32_t entries,
                                  const Digest& root_before) {
  if (current_ == nullptr || current_->size - current_->used < batch.size()) {
    TRY(begin_segment(first_index, root_before));
    if (current_->size - current_->used < batch.size()) {
      return fail(Code::kInternal, "a batch above the size of a journal segment");
    }
  }
  const std::uint64_t offset = current_->used;
  TRY(current_->file->write_at(offset, batch));
  current_->used += batch.size();
  room_ = current_->size - current_->used;
  return BatchPlace{.first_index = first_index,
                    .entries = entries,
                    .segment = current_,
                    .offset = offset,
                    .bytes = batch.size()};
}

std::vector<std::shared_ptr<Segment>> Journal::segments() const {
  const std::lock_guard lock(mutex_);
  return {segments_.begin(), segments_.end()};
}

Result<void> Journal::remove_published(std::uint64_t published_size) {
  for (;;) {
    std::shared_ptr<Segment> oldest;
    {
      const std::lock_guard lock(mutex_);
      // A segment ends where the next one begins; the last one is in use.
      if (segments_.size() < 2 || segments_[1]->first_index > published_size) return {};
      oldest = segments_.front();
    }
    // Durable one by one: a crash that kept an older removal back would leave a gap.
    if (!TRY(spares_.recycle(oldest->path))) TRY(files_.remove(oldest->path));
    TRY(files_.sync_folder(folder_));
    const std::lock_guard lock(mutex_);
    segments_.pop_front();
  }
}

Result<std::uint64_t> Journal::erase(const std::vector<Id128>& ids) {
  std::vector<Id128> sorted = ids;
  std::ranges::sort(sorted);
  std::uint64_t erased = 0;
  for (const auto& segment : segments()) {
    std::vector<AuxPlace> places;
    {
      const std::lock_guard lock(segment->mutex);
      for (const AuxPlace& place : segment->aux) {
        if (std::ranges::binary_search(sorted, place.id)) places.push_back(place);
      }
    }
    if (places.empty()) continue;
    // A handle of its own: the commit thread writes to the end of the same file.
    const auto file = TRY(files_.open(segment->path, OpenMode::kReadWrite));
    for (const AuxPlace& place : places) {
      TRY(file->write_at(place.state_offset, ByteView(&kErased, 1)));
    }
    TRY(file->sync());
    Bytes zeros;
    for (const AuxPlace& place : places) {
      zeros.assign(place.payload_bytes, std::byte{0});
      TRY(file->write_at(place.payload_offset, zeros));
    }
    TRY(file->sync());
    erased += places.size();
    const std::lock_guard lock(segment->mutex);
    std::erase_if(segment->aux, [&](const AuxPlace& place) {
      return std::ranges::binary_search(sorted, place.id);
    });
  }
  spares_
      .settle();  // a segment given up a moment ago may hold such records until it is overwritten
  return erased;
}

}  // namespace candor::store
