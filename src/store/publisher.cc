// Publication of the journal (docs/formats/journal.md#publication): sealed records, key slots,
// tiles, checkpoint, index; then segments that are no longer needed are deleted.
#include <algorithm>

#include "base/log.h"
#include "base/thread.h"
#include "store/internal/journal_ledger.h"

namespace candor::store {
namespace {

constexpr std::uint64_t kRoundBytes = 32U << 20U;  // of journal, so that memory is bounded

// At full load a round computes for some 100 ms: in one go it would hold up whoever shares its
// processor, and the disk, for that long.
constexpr auto kWork = std::chrono::microseconds(300);
constexpr auto kRest = std::chrono::microseconds(500);

constexpr std::size_t kSlotSubject = 20;  // docs/formats/key-table.md

struct HeldBatch {
  Bytes bytes;
  ledger::Batch batch;
};

// What a batch's records say about exchanges, merged by exchange.
class RowSet {
 public:
  ExchangeRow& of(const Id128& id) {
    const auto [place, added] = rows_.try_emplace(id);
    if (added) place->second.id = id;
    return place->second;
  }
  ExchangeRow* find(const Id128& id) {
    const auto found = rows_.find(id);
    return found == rows_.end() ? nullptr : &found->second;
  }
  void mark(const MarkedEntry& marked) {
    ExchangeRow& row = of(marked.mark.exchange);
    switch (marked.mark.step) {
      case ExchangeStep::kNone: return;
      case ExchangeStep::kIntent:
        row.intent = marked.index;
        row.subject = marked.mark.subject;
        return;
      case ExchangeStep::kProgress:
        row.intent = marked.mark.intent;
        row.released_bytes = std::max(row.released_bytes, marked.mark.released_bytes);
        return;
      case ExchangeStep::kOutcome:
      case ExchangeStep::kAbort:
        row.intent = marked.mark.intent;
        row.end = marked.index;
        row.end_kind = marked.mark.step == ExchangeStep::kOutcome ? End::kOutcome : End::kAbort;
        return;
    }
  }
  void take(std::vector<ExchangeRow>& out) {
    out.reserve(rows_.size());
    for (auto& [id, row] : rows_) out.push_back(std::move(row));
  }

 private:
  std::unordered_map<Id128, ExchangeRow, IdHash> rows_;
};

}  // namespace

std::vector<PendingBatch> JournalLedger::next_pending(bool& more) const {
  const std::lock_guard lock(pending_mutex_);
  std::vector<PendingBatch> batches;
  std::uint64_t bytes = 0;
  for (const PendingBatch& batch : pending_) {
    if (bytes >= kRoundBytes) {
      more = true;
      break;
    }
    bytes += batch.place.bytes;
    batches.push_back(batch);
  }
  return batches;
}

Result<void> JournalLedger::publish_round(Pacer& pacer, bool& more) {
  more = false;
  const std::vector<PendingBatch> batches = next_pending(more);
  if (batches.empty()) return {};
  std::vector<HeldBatch> held(batches.size());
  std::vector<std::string_view> entries;
  std::vector<SealedStore::Record> records;
  std::vector<bool> record_is_answer;
  Bytes slots;
  std::vector<Id128> slot_ids;
  RowSet rows;
  for (std::size_t i = 0; i < batches.size(); ++i) {
    pacer.breathe();
    const BatchPlace& place = batches[i].place;
    held[i].bytes.resize(place.bytes);
    TRY(place.segment->file->read_at(place.offset, held[i].bytes));
    auto batch = ledger::decode_batch(held[i].bytes);
    if (!batch || batch->first_index != place.first_index) {
      const Error why(Code::kDataLoss,
                      "a batch of the journal was changed after it was written, at "
                      "byte " +
                          std::to_string(place.offset) + " of " + place.segment->path.native());
      poison(why);
      return std::unexpected(why);
    }
    held[i].batch = *std::move(batch);
    entries.insert(entries.end(), held[i].batch.entries.begin(), held[i].batch.entries.end());
    std::unordered_map<Id128, bool, IdHash> answers;
    for (const MarkedEntry& marked : batches[i].marks) {
      rows.mark(marked);
      if (marked.mark.step == ExchangeStep::kOutcome) answers[marked.mark.exchange] = true;
    }
    for (const ledger::AuxView& record : held[i].batch.aux) {
      if (record.state == ledger::AuxState::kErased) continue;
      const Id128 id = TRY(aux_id(record.kind, record.payload));
      if (record.kind == ledger::AuxKind::kSealedRecord) {
        records.push_back({.id = id, .bytes = record.payload});
        record_is_answer.push_back(answers.contains(id));
        continue;
      }
      if (const auto there = slots_of_round_.find(id); there != slots_of_round_.end()) {
        if (ExchangeRow* row = rows.find(id)) row->key_slot = there->second;
        continue;
      }
      if (ExchangeRow* row = rows.find(id);
          row != nullptr && record.payload.size() > kSlotSubject) {
        std::ranges::copy(record.payload.subspan(kSlotSubject, row->subject.size()),
                          row->subject.begin());
      }
      put_bytes(slots, record.payload);
      slot_ids.push_back(id);
    }
  }
  if (!records.empty()) {
    const auto places =
        TRY(parts_.sealed.append(batches.front().place.first_index, records, pacer));
    for (std::size_t i = 0; i < records.size(); ++i) {
      if (ExchangeRow* row = rows.find(records[i].id)) {
        (record_is_answer[i] ? row->answer : row->request) = places[i];
      }
    }
  }
  if (!slots.empty()) {
    auto first = parts_.table.append(slots);
    if (!first && first.error().code() == Code::kResourceExhausted) {
      return std::unexpected(first.error());  // the table is as it was; the round is tried again
    }
    Result<void> synced;
    if (first) synced = parts_.table.sync();
    if (!first || !synced) {
      const Error why = first ? synced.error() : first.error();
      poison(why);  // what stands in the table is not known any more (S6)
      return std::unexpected(why);
    }
    for (std::size_t i = 0; i < slot_ids.size(); ++i) {
      slots_of_round_[slot_ids[i]] = *first + i;
      if (ExchangeRow* row = rows.find(slot_ids[i])) row->key_slot = *first + i;
    }
  }
  TRY(tiles_->write(entries, pacer));
  const std::shared_ptr<const SignedHead>& head = batches.back().head;
  if (!index_broken_) {
    StateDb::IndexUpdate update;
    rows.take(update.exchanges);
    update.indexed_size = head->size;
    if (const auto indexed = parts_.state.update_index(update, pacer); !indexed) {
      index_broken_ = true;  // the next start makes it again from the log
      log_warning("ledger.index_failed", {{"code", indexed.error().code()}});
    }
  }
  TRY(tiles_->write_checkpoint(head->note, head->size));
  published_size_ = head->size;
  tree_->published(head->size, options_.recent_leaves);
  if (!more) slots_of_round_.clear();
  {
    const std::lock_guard lock(pending_mutex_);
    pending_.erase(pending_.begin(),
                   pending_.begin() + static_cast<std::ptrdiff_t>(batches.size()));
  }
  return journal_->remove_published(head->size);
}

Result<void> JournalLedger::publish() {
  Pacer no_rests;
  return publish_with(no_rests);
}

Result<void> JournalLedger::publish_with(Pacer& pacer) {
  const std::lock_guard lock(publication_mutex_);
  {
    const std::lock_guard health(health_mutex_);
    if (poison_) return std::unexpected(*poison_);
  }
  Result<void> done;
  bool more = true;
  while (done && more) done = publish_round(pacer, more);
  const std::lock_guard health(health_mutex_);
  if (done) {
    publication_failure_.reset();
  } else if (!publication_failure_) {
    publication_failure_ =
        Error(done.error().code() == Code::kResourceExhausted ? Code::kResourceExhausted
                                                              : Code::kUnavailable,
              "the log cannot be published: " + done.error().message());
    log_error("ledger.publication_failed", {{"code", done.error().code()}});
  }
  publication_failed_ = publication_failure_.has_value();
  return done;
}

void JournalLedger::run_publication(const std::stop_token& stop) {
  name_thread("publisher");
  Pacer pacer = options_.paced ? Pacer(kWork, kRest) : Pacer();
  std::unique_lock lock(publisher_mutex_);
  while (!stop.stop_requested()) {
    publisher_changed_.wait_for(lock, stop, std::chrono::microseconds(options_.publish_every_us),
                                [] { return false; });
    if (stop.stop_requested()) return;
    lock.unlock();
    if (!parts_.signer->alive()) {
      poison(Error(Code::kUnavailable, "the signer has ended"));
    } else {
      (void)publish_with(pacer);  // remembered in health()
    }
    lock.lock();
  }
}

}  // namespace candor::store
