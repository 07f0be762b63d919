#include "store/internal/journal_ledger.h"

#include <algorithm>
#include <cstring>

#include "base/check.h"
#include "base/log.h"
#include "base/thread.h"
#include "crypto/hash.h"
#include "ledger/entry.h"

namespace candor::store {
namespace {

constexpr std::size_t kEntryOverhead = 2;
// While a batch is flushed the next one grows: a flush costs the same for one entry and for many.
// From this many on it is prepared beside the flush, since that then takes a while by itself.
constexpr std::size_t kPrepareBeside = 16;
constexpr std::size_t kBatchHeader = 64;  // docs/formats/journal.md
constexpr std::size_t kIndexOffset = 36;  // of a key slot (docs/formats/key-table.md)
constexpr std::size_t kSlotCheckOffset = 248;
constexpr std::string_view kSlotDomain("candor/v1/slot\0", 15);

std::size_t bytes_of(const Submission& submission) {
  std::size_t bytes = kEntryOverhead + submission.entry.size();
  for (const AuxRecord& record : submission.aux) {
    bytes += ledger::kAuxHeaderBytes + record.payload.size();
  }
  return bytes;
}

// A key slot names the entry that made it, which is known only now.
void set_entry_index(Bytes& slot, std::uint64_t index) {
  if (slot.size() != ledger::kKeySlotBytes) return;
  for (std::size_t i = 0; i < 8; ++i) {
    slot[kIndexOffset + i] = static_cast<std::byte>(index >> (56 - (8 * i)));
  }
  const Digest check =
      crypto::sha256({as_bytes(kSlotDomain), ByteView(slot).first(kSlotCheckOffset)});
  std::ranges::copy(ByteView(check).first(slot.size() - kSlotCheckOffset),
                    slot.begin() + kSlotCheckOffset);
}

}  // namespace

JournalLedger::JournalLedger(Parts parts, const LedgerOptions& options)
    : parts_(std::move(parts)), options_(options) {}

Result<std::unique_ptr<JournalLedger>> JournalLedger::open(Parts parts,
                                                           const LedgerOptions& options,
                                                           Position position) {
  if (options.segment_bytes % ledger::kJournalPage != 0 ||
      options.segment_bytes < 16 * ledger::kJournalPage) {
    return fail(Code::kInvalidArgument, "a journal segment has whole pages, at least 16");
  }
  std::unique_ptr<JournalLedger> ledger(new JournalLedger(std::move(parts), options));
  JournalLedger& it = *ledger;
  const ledger::VerifierKey& key = it.parts_.signer->key();
  it.origin_ = key.name;
  it.verifier_key_ = ledger::format_verifier_key(key);
  it.max_batch_bytes_ =
      std::min<std::size_t>((options.segment_bytes - ledger::kJournalPage) / 2, 16U << 20U);
  it.spares_ = TRY(Preallocator::open(it.parts_.files, {.folder = it.parts_.paths.journal(),
                                                        .segment_bytes = options.segment_bytes,
                                                        .spares = options.spare_segments,
                                                        .min_free_bytes = options.min_free_bytes,
                                                        .paced = options.paced}));
  it.journal_ = std::make_unique<Journal>(it.parts_.files, it.parts_.paths.journal(), it.origin_,
                                          *it.spares_);
  for (auto& segment : position.segments) it.journal_->adopt(std::move(segment));
  it.tree_ = std::make_unique<TreeMemory>(it.parts_.files, it.parts_.paths.ledger(),
                                          position.journal_start, position.published_size);
  TRY(it.tree_->append(position.journal_leaves));
  const ledger::Frontier frontier = it.tree_->frontier();
  it.root_ = frontier.root();
  it.size_ = frontier.size();
  it.flushed_size_ = frontier.size();
  it.head_ = std::move(position.head);
  it.published_size_ = position.published_size;
  it.pending_.assign(std::make_move_iterator(position.pending.begin()),
                     std::make_move_iterator(position.pending.end()));
  it.open_intents_ = position.open_intents;
  it.tiles_ = std::make_unique<TileWriter>(it.parts_.files, it.parts_.paths.ledger(), *it.tree_);
  TRY(it.tiles_->open(position.published_size));
  it.slots_of_round_ = TRY(it.parts_.table.tail(position.published_size));
  return ledger;
}

JournalLedger::~JournalLedger() {
  {
    const std::lock_guard lock(queue_mutex_);
    closing_ = true;
  }
  queue_changed_.notify_all();
  publisher_thread_.request_stop();
  publisher_changed_.notify_all();
  for (std::jthread& thread : commit_threads_) {
    if (thread.joinable()) thread.join();
  }
  if (publisher_thread_.joinable()) publisher_thread_.join();
}

void JournalLedger::start_threads() {
  for (std::jthread& thread : commit_threads_) {
    thread = std::jthread([this](const std::stop_token& stop) { run_commits(stop); });
  }
  if (options_.publish_every_us > 0) {
    publisher_thread_ =
        std::jthread([this](const std::stop_token& stop) { run_publication(stop); });
  }
}

void JournalLedger::poison(const Error& why) {
  {
    const std::lock_guard lock(health_mutex_);
    if (poison_) return;
    poison_ =
        Error(Code::kDataLoss,
              "the log takes no more entries until a restart has verified it: " + why.message());
    poisoned_ = true;
  }
  log_error("ledger.poisoned", {{"code", why.code()}});
  if (options_.on_poison) options_.on_poison(why);
}

Result<void> JournalLedger::health() const {
  {
    const std::lock_guard lock(health_mutex_);
    if (poison_) return std::unexpected(*poison_);
    if (publication_failure_) return std::unexpected(*publication_failure_);
  }
  {
    const std::lock_guard lock(queue_mutex_);
    if (closing_) return fail(Code::kUnavailable, "the log is closing");
  }
  return spares_->health();
}

// queue_mutex_ is held.
Result<void> JournalLedger::admit(const Submission& submission, std::size_t bytes) {
  if (poisoned_.load()) {
    const std::lock_guard lock(health_mutex_);
    return std::unexpected(*poison_);
  }
  if (closing_) return fail(Code::kUnavailable, "the log is closing");
  if (submission.entry.empty() || submission.entry.size() > ledger::kMaxEntryBytes) {
    return fail(Code::kInvalidArgument, "an entry has 1 to 65,535 bytes");
  }
  if (bytes > max_batch_bytes_ / 2) {
    return fail(Code::kResourceExhausted, "an entry's records are above what a batch may hold");
  }
  if (submission.priority == Priority::kReserved) return {};
  if (queued_bytes_ + bytes > options_.max_queue_bytes) {
    return fail(Code::kResourceExhausted, "too much waits to be written to the log; retry");
  }
  if (publication_failed_.load()) {
    const std::lock_guard lock(health_mutex_);
    if (publication_failure_) return std::unexpected(*publication_failure_);
  }
  if (spares_->stopped()) {
    // Nothing new can be made: is what is left enough for the ends of what was admitted?
    const std::uint64_t left = journal_->room() + (spares_->ready() * options_.segment_bytes);
    const std::uint64_t due = options_.reserve_bytes +
                              (open_intents_.load() * options_.outcome_bytes) + queued_bytes_ +
                              in_flight_bytes_.load() + bytes;
    if (left < due) {
      const auto why = spares_->health();
      return fail(Code::kResourceExhausted,
                  "the log keeps what room is left for answers that are under way" +
                      (why ? std::string() : "; " + why.error().message()));
    }
  }
  return {};
}

void JournalLedger::submit(Submission submission, Acknowledged done) {
  Queued item{.submission = std::move(submission), .leaf = {}, .bytes = 0, .done = std::move(done)};
  item.leaf = ledger::hash_leaf(as_bytes(item.submission.entry));
  item.bytes = bytes_of(item.submission);
  bool at_rest = false;
  bool wake = false;
  {
    const std::lock_guard lock(queue_mutex_);
    if (const auto admitted = admit(item.submission, item.bytes); admitted) {
      queued_bytes_ += item.bytes;
      // Counted here, so that intents in the queue have their outcomes' room reserved too.
      if (item.submission.mark.step == ExchangeStep::kIntent) ++open_intents_;
      // A thread that flushes looks at the queue again by itself.
      at_rest = queue_.empty() && under_way_ == 0;
      wake = idle_commits_ > 0 && (at_rest || queue_.size() + 1 == kPrepareBeside);
      if (wake) --idle_commits_;
      queue_.push_back(std::move(item));
    } else {
      item.done(std::unexpected(admitted.error()));
      return;
    }
  }
  if (at_rest) start_at_once();
  if (wake) queue_changed_.notify_one();
}

// queue_mutex_ and assemble_mutex_ are held.
std::uint64_t JournalLedger::take_batch(std::vector<Queued>& batch) {
  std::uint64_t bytes = 0;
  std::size_t count = 0;
  while (count < queue_.size() && count < ledger::kMaxBatchEntries &&
         (count == 0 || bytes + queue_[count].bytes <= max_batch_bytes_ / 2)) {
    bytes += queue_[count].bytes;
    ++count;
  }
  if (count == queue_.size()) {
    batch.swap(queue_);
  } else {
    const auto end = queue_.begin() + static_cast<std::ptrdiff_t>(count);
    batch.assign(std::make_move_iterator(queue_.begin()), std::make_move_iterator(end));
    queue_.erase(queue_.begin(), end);
  }
  queued_bytes_ -= bytes;
  in_flight_bytes_ += bytes;
  if (count != 0) ++under_way_;
  return bytes;
}

// With nothing under way the signer is asked from here, so that it works while a commit thread
// wakes: one wake-up less before the flush.
void JournalLedger::start_at_once() {
  const std::unique_lock assemble(assemble_mutex_, std::try_to_lock);
  if (!assemble || early_ || poisoned_.load()) return;
  {
    const std::lock_guard lock(queue_mutex_);
    early_work_.bytes = take_batch(early_work_.batch);
    if (early_work_.batch.empty()) return;
    early_ = true;
  }
  early_work_.started = start(early_work_.batch, early_work_.prepared);
}

// Waits for a batch and starts it, unless start_at_once() has; false when the log closes.
// assemble_mutex_ is held on return.
bool JournalLedger::next_batch(Assembly& work, std::unique_lock<std::mutex>& assemble) {
  work.batch.clear();
  for (;;) {
    {
      std::unique_lock lock(queue_mutex_);
      const auto may_take = [this] {
        return !queue_.empty() && (under_way_ == 0 || queue_.size() >= kPrepareBeside);
      };
      while (!may_take() && !early_ && !closing_) {
        idle_commits_ = std::min<std::size_t>(idle_commits_ + 1, commit_threads_.size());
        queue_changed_.wait(lock);
      }
    }
    assemble.lock();
    {
      const std::lock_guard lock(queue_mutex_);
      if (early_) {
        std::swap(work, early_work_);
        early_ = false;
        return true;
      }
      work.bytes = take_batch(work.batch);
      if (work.batch.empty() && closing_) return false;
    }
    if (!work.batch.empty()) break;
    assemble.unlock();  // the other thread took it
  }
  work.started = poisoned_.load() ? Result<void>(std::unexpected(health().error()))
                                  : start(work.batch, work.prepared);
  return true;
}

void JournalLedger::run_commits(const std::stop_token& /*stop*/) {
  name_thread("commit");
  Assembly work;
  for (;;) {
    std::unique_lock assemble(assemble_mutex_, std::defer_lock);
    if (!next_batch(work, assemble)) return;
    Result<void> done = std::move(work.started);
    if (done) done = complete(work.batch, work.prepared);
    if (done) {
      const std::lock_guard flushing(flush_mutex_);
      assemble.unlock();
      // The batch before may have failed while this one was prepared.
      done =
          poisoned_.load() ? Result<void>(std::unexpected(health().error())) : flush(work.prepared);
      if (!done) poison(done.error());
    } else {
      poison(done.error());
      assemble.unlock();
    }
    in_flight_bytes_ -= work.bytes;
    {
      const std::lock_guard lock(queue_mutex_);
      --under_way_;
    }
    if (done) {
      const std::shared_ptr<const SignedHead> head = std::move(work.prepared.head);
      for (std::size_t i = 0; i < work.batch.size(); ++i) {
        work.batch[i].done(Acknowledgement{
            .index = work.prepared.first + i, .leaf = work.batch[i].leaf, .head = head});
      }
    } else {
      const Error why = health().error();
      for (Queued& item : work.batch) item.done(std::unexpected(why));
    }
  }
}

Result<void> JournalLedger::start(std::span<Queued> batch, Prepared& out) {
  out.first = size_;
  out.root_before = root_;
  out.leaves.clear();
  for (const Queued& item : batch) out.leaves.push_back(item.leaf);
  const ledger::Proof proof = TRY(tree_->append(out.leaves));
  out.head = std::make_shared<SignedHead>();
  out.head->size = out.first + batch.size();
  out.head->root = tree_->frontier().root();
  size_ = out.head->size;
  root_ = out.head->root;
  return parts_.signer->begin({.old_size = out.first,
                               .new_size = out.head->size,
                               .new_root = out.head->root,
                               .proof = proof,
                               .flushed_size = flushed_size_.load()});
}

Result<void> JournalLedger::complete(std::span<Queued> batch, Prepared& out) {
  // The signer works meanwhile.
  out.builder.begin(out.first);
  out.pending = {};
  out.aux.clear();
  out.ended = 0;
  std::uint64_t offset = kBatchHeader;
  for (std::size_t i = 0; i < batch.size(); ++i) {
    Submission& submission = batch[i].submission;
    TRY(out.builder.add_entry(submission.entry));
    offset += kEntryOverhead + submission.entry.size();
    for (AuxRecord& record : submission.aux) {
      const auto kind = static_cast<ledger::AuxKind>(record.kind);
      if (kind == ledger::AuxKind::kKeySlot) set_entry_index(record.payload, out.first + i);
      TRY(out.builder.add_aux({.kind = kind, .payload = record.payload}));
      const Id128 id = TRY(aux_id(kind, record.payload));
      out.aux.push_back({.id = id, .payload_bytes = record.payload.size()});
    }
    const ExchangeStep step = submission.mark.step;
    if (step == ExchangeStep::kNone) continue;
    out.pending.marks.push_back({.mark = submission.mark, .index = out.first + i});
    if (step == ExchangeStep::kOutcome || step == ExchangeStep::kAbort) ++out.ended;
  }
  out.head->note = TRY(parts_.signer->finish());
  out.bytes = TRY(out.builder.seal(out.head->note));
  offset += out.head->note.size();
  for (AuxPlace& place : out.aux) {  // docs/formats/journal.md
    place.state_offset = offset + 1;
    place.payload_offset = offset + ledger::kAuxHeaderBytes;
    offset += ledger::kAuxHeaderBytes + place.payload_bytes;
  }
  return {};
}

Result<void> JournalLedger::flush(Prepared& batch) {
  const auto entries = static_cast<std::uint32_t>(batch.leaves.size());
  batch.pending.place = TRY(journal_->write(batch.bytes, batch.first, entries, batch.root_before));
  flushed_size_ = batch.head->size;
  if (!batch.aux.empty()) {
    Segment& segment = *batch.pending.place.segment;
    const std::lock_guard lock(segment.mutex);
    for (AuxPlace place : batch.aux) {
      place.state_offset += batch.pending.place.offset;
      place.payload_offset += batch.pending.place.offset;
      segment.aux.push_back(place);
    }
  }
  open_intents_ -= std::min(batch.ended, open_intents_.load());
  batch.pending.head = batch.head;
  const std::lock_guard lock(pending_mutex_);
  pending_.push_back(std::move(batch.pending));
  head_ = batch.head;
  return {};
}

Result<std::vector<Acknowledgement>> JournalLedger::commit_together(
    std::vector<Submission> submissions) {
  CANDOR_CHECK(!commit_threads_[0].joinable());
  std::vector<Queued> batch;
  std::vector<Acknowledgement> acknowledgements;
  for (Submission& submission : submissions) {
    Queued item{.submission = std::move(submission), .leaf = {}, .bytes = 0, .done = {}};
    item.leaf = ledger::hash_leaf(as_bytes(item.submission.entry));
    batch.push_back(std::move(item));
  }
  Prepared prepared;
  auto done = start(batch, prepared);
  if (done) done = complete(batch, prepared);
  if (done) done = flush(prepared);
  if (!done) {
    poison(done.error());
    return std::unexpected(done.error());
  }
  for (std::size_t i = 0; i < batch.size(); ++i) {
    acknowledgements.push_back(
        {.index = prepared.first + i, .leaf = batch[i].leaf, .head = prepared.head});
  }
  return acknowledgements;
}

Result<std::vector<Digest>> JournalLedger::prove(std::uint64_t index, std::uint64_t size) {
  return tree_->prove(index, size);
}

std::shared_ptr<const SignedHead> JournalLedger::head() const {
  const std::lock_guard lock(pending_mutex_);
  return head_;
}

Result<std::string> JournalLedger::read(std::uint64_t index) {
  std::optional<BatchPlace> place;
  {
    const std::lock_guard lock(pending_mutex_);
    if (!head_ || index >= head_->size) return fail(Code::kNotFound, "the log has no such entry");
    const auto after = std::ranges::upper_bound(
        pending_, index, {}, [](const PendingBatch& batch) { return batch.place.first_index; });
    if (after != pending_.begin()) {
      const BatchPlace& found = std::prev(after)->place;
      if (index < found.first_index + found.entries) place = found;
    }
  }
  if (!place) return tiles_->read(index, published_size_.load());
  Bytes bytes(place->bytes);
  TRY(place->segment->file->read_at(place->offset, bytes));
  const ledger::Batch batch = TRY(ledger::decode_batch(bytes));
  return std::string(batch.entries[index - place->first_index]);
}

Result<void> JournalLedger::close_with(std::optional<Submission> last) {
  {
    const std::lock_guard lock(queue_mutex_);
    if (last && !closing_) {
      Queued item{
          .submission = *std::move(last), .leaf = {}, .bytes = 0, .done = [](const auto&) {}};
      item.leaf = ledger::hash_leaf(as_bytes(item.submission.entry));
      item.bytes = bytes_of(item.submission);
      queued_bytes_ += item.bytes;
      queue_.push_back(std::move(item));
    }
    closing_ = true;
  }
  queue_changed_.notify_all();
  for (std::jthread& thread : commit_threads_) {
    if (thread.joinable()) thread.join();
  }
  publisher_thread_.request_stop();
  publisher_changed_.notify_all();
  if (publisher_thread_.joinable()) publisher_thread_.join();
  {
    const std::lock_guard lock(health_mutex_);
    if (poison_) return std::unexpected(*poison_);
  }
  TRY(publish());
  if (size_ != 0) TRY(parts_.signer->confirm(size_));
  return {};
}

}  // namespace candor::store
