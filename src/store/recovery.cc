#include "store/internal/recovery.h"

#include <algorithm>

#include "ledger/checkpoint.h"
#include "ledger/sealed_format.h"

namespace candor::store {
namespace {

constexpr std::uint64_t kMaxSegmentBytes = 4ULL << 30U;
constexpr std::string_view kAdvice =
    "; nothing was changed. Keep a copy of the data folder, run `candor-verify log` on it, and "
    "restore the newest intact copy, or move the folder away to begin a new log";

std::unexpected<Error> damage(const std::string& what) {
  return fail(Code::kDataLoss, what + std::string(kAdvice));
}

struct FoundSegment {
  std::shared_ptr<Segment> segment;
  Bytes bytes;
  ledger::SegmentScan scan;
};

Result<std::vector<FoundSegment>> read_segments(FileSystem& files, const Path& folder) {
  std::vector<FoundSegment> found;
  for (const std::string& name : TRY(files.list(folder))) {
    const auto first_index = ledger::parse_segment_name(name);
    if (!first_index) continue;
    FoundSegment it;
    const Path path = folder / name;
    it.bytes = TRY(read_file(files, path, kMaxSegmentBytes));
    auto scan = ledger::scan_segment(it.bytes);
    if (!scan) return damage("journal segment " + name + ": " + scan.error().message());
    it.scan = *std::move(scan);
    if (it.scan.header.first_index != *first_index) {
      return damage("journal segment " + name + " was renamed: it begins with entry " +
                    std::to_string(it.scan.header.first_index));
    }
    if (it.scan.end == ledger::SegmentEnd::kDamage) {
      return damage("journal segment " + name + ": " + it.scan.what);
    }
    it.segment = std::make_shared<Segment>();
    it.segment->first_index = *first_index;
    it.segment->path = path;
    it.segment->size = it.bytes.size();
    it.segment->used = it.scan.end_offset;
    found.push_back(std::move(it));
  }
  // Names sort as numbers do. Each segment goes on where the one before ends.
  for (std::size_t i = 0; i + 1 < found.size(); ++i) {
    const ledger::SegmentScan& scan = found[i].scan;
    const ledger::SegmentScan& next = found[i + 1].scan;
    if (scan.end == ledger::SegmentEnd::kTornTail && !next.batches.empty()) {
      return damage(found[i].segment->path.filename().native() + ": " + scan.what +
                    ", but a later segment goes on");
    }
    const std::uint64_t end = scan.batches.empty() ? scan.header.first_index
                                                   : scan.batches.back().batch.first_index +
                                                         scan.batches.back().batch.entries.size();
    if (end != next.header.first_index) {
      return damage("the journal ends at entry " + std::to_string(end) + " in " +
                    found[i].segment->path.filename().native() + " and goes on at entry " +
                    std::to_string(next.header.first_index));
    }
  }
  return found;
}

Result<std::string> read_checkpoint(FileSystem& files, const DataPaths& paths) {
  const auto bytes = read_file(files, paths.checkpoint(), ledger::kMaxNoteBytes);
  if (bytes) return std::string(as_text(*bytes));
  if (bytes.error().code() == Code::kNotFound) return std::string();
  return std::unexpected(bytes.error());
}

using Keys = std::vector<ledger::VerifierKey>;

Result<ledger::SignedCheckpoint> open_head(std::string_view note, const Keys& keys) {
  auto head = ledger::open_checkpoint(note, keys.front());
  for (std::size_t i = 1; i < keys.size() && !head; ++i) {
    auto other = ledger::open_checkpoint(note, keys[i]);
    // A wrong signature says more than a missing one.
    if (other || head.error().code() != Code::kDataLoss) head = std::move(other);
  }
  return head;
}

// The signer's keys, and those before them that signed what still lies in the journal.
Keys known_keys(const std::vector<FoundSegment>& segments, Keys keys) {
  std::vector<ledger::KeyChange> changes;
  for (const FoundSegment& found : segments) {
    for (const auto& [offset, batch] : found.scan.batches) {
      for (const std::string_view text : batch.entries) {
        if (!text.contains("\"type\":\"key_change\"")) continue;
        const auto entry = ledger::decode(text);
        if (!entry) continue;
        if (const auto* change = std::get_if<ledger::KeyChange>(&*entry))
          changes.push_back(*change);
      }
    }
  }
  for (auto change = changes.rbegin(); change != changes.rend(); ++change) {
    const auto newer = ledger::parse_verifier_key(change->new_key);
    const auto older = ledger::parse_verifier_key(change->old_key);
    const auto known = [&](const ledger::VerifierKey& key) {
      return std::ranges::find(keys, key) != keys.end();
    };
    if (newer && older && known(*newer) && !known(*older) && older->name == newer->name) {
      keys.push_back(*older);
    }
  }
  return keys;
}

// The published tree: its checkpoint, its edge as tiles and as entries.
class Published {
 public:
  static Result<Published> open(FileSystem& files, const DataPaths& paths, const std::string& note,
                                const Keys& keys) {
    Published published(files, paths);
    if (note.empty()) return published;
    const auto head = open_head(note, keys);
    if (!head) return damage("ledger/checkpoint: " + head.error().message());
    published.size_ = head->head.size;
    published.root_ = head->head.root;
    const auto edge = published.frontier(published.size_);
    if (!edge) return damage("the published tree's edge: " + edge.error().message());
    if (edge->root() != published.root_) {
      return damage("the published tiles do not lead to the root of ledger/checkpoint at size " +
                    std::to_string(published.size_));
    }
    TRY(published.check_edge_bundle());
    return published;
  }
  [[nodiscard]] std::uint64_t size() const noexcept { return size_; }
  [[nodiscard]] const Digest& root() const noexcept { return root_; }
  [[nodiscard]] Result<ledger::Frontier> frontier(std::uint64_t at) {
    ledger::TileSource source(tiles_, size_);
    return ledger::frontier_at(source, at);
  }
  // Entries [from, size), a bundle at a time.
  [[nodiscard]] Result<void> scan(
      std::uint64_t from,
      const std::function<Result<void>(std::uint64_t, std::string_view)>& visit) {
    while (from < size_) {
      const std::uint64_t index = from / ledger::kTileWidth;
      const unsigned width = ledger::tile_width(0, index, size_);
      const Bytes bytes = TRY(tiles_.read(
          {.kind = ledger::TileKind::kEntries, .level = 0, .index = index, .width = width}));
      const auto entries = TRY(ledger::decode_bundle(bytes, width));
      for (std::uint64_t i = from % ledger::kTileWidth; i < entries.size(); ++i) {
        TRY(visit((index * ledger::kTileWidth) + i, entries[i]));
      }
      from = (index + 1) * ledger::kTileWidth;
    }
    return {};
  }

 private:
  Published(FileSystem& files, const DataPaths& paths) : tiles_(files, paths.ledger()) {}

  Result<void> check_edge_bundle() {
    if (size_ == 0) return {};
    const std::uint64_t first = (size_ - 1) / ledger::kTileWidth * ledger::kTileWidth;
    ledger::TileSource source(tiles_, size_);
    const auto checked =
        scan(first, [&](std::uint64_t index, std::string_view entry) -> Result<void> {
          const Digest leaf = TRY(source.node({.level = 0, .index = index}));
          if (leaf != ledger::hash_leaf(as_bytes(entry))) {
            return fail(Code::kDataLoss, "entry " + std::to_string(index) + " was changed");
          }
          return {};
        });
    if (!checked) return damage("the published tree's last bundle: " + checked.error().message());
    return {};
  }

  TileFiles tiles_;
  std::uint64_t size_ = 0;
  Digest root_ = ledger::empty_root();
};

// Replays the journal over the tree where it begins.
Result<void> replay(const std::vector<FoundSegment>& segments, Published& published,
                    const Keys& keys, Recovered& out) {
  ledger::Frontier frontier;
  std::uint64_t start = published.size();
  if (!segments.empty()) start = segments.front().scan.header.first_index;
  if (start > published.size()) {
    return damage("entries " + std::to_string(published.size()) + " to " +
                  std::to_string(start - 1) +
                  " are missing: they are neither published nor in the "
                  "journal");
  }
  auto at_start = published.frontier(start);
  if (!at_start) return damage("the published tree: " + at_start.error().message());
  frontier = *std::move(at_start);
  out.position.journal_start = frontier;
  bool met_published = start == published.size();
  for (const FoundSegment& found : segments) {
    const std::string name = found.segment->path.filename().native();
    if (found.scan.header.origin != keys.front().name) return damage(name + " is of another log");
    if (found.scan.header.root != frontier.root()) {
      return damage(name + " begins over another tree than the one that leads to it");
    }
    for (const auto& [offset, batch] : found.scan.batches) {
      const std::string place = name + " at byte " + std::to_string(offset);
      for (const std::string_view entry : batch.entries) {
        const Digest leaf = ledger::hash_leaf(as_bytes(entry));
        out.position.journal_leaves.push_back(leaf);
        frontier.append(leaf);
        if (frontier.size() == published.size()) {
          met_published = true;
          if (frontier.root() != published.root()) {
            return damage("the journal and ledger/checkpoint disagree at size " +
                          std::to_string(published.size()));
          }
        }
      }
      const auto head = open_head(batch.head, keys);
      if (!head) return damage(place + ": " + head.error().message());
      if (head->head.size != frontier.size() || head->head.root != frontier.root()) {
        return damage(place + ": the batch's head is not of the entries that lead to it");
      }
      out.position.head = std::make_shared<SignedHead>(SignedHead{
          .size = frontier.size(), .root = frontier.root(), .note = std::string(batch.head)});
      std::vector<AuxPlace> places = TRY(aux_places(batch, offset));
      found.segment->aux.insert(found.segment->aux.end(), places.begin(), places.end());
      if (frontier.size() <= published.size()) continue;
      PendingBatch& pending = out.position.pending.emplace_back();
      pending.place = {.first_index = batch.first_index,
                       .entries = static_cast<std::uint32_t>(batch.entries.size()),
                       .segment = found.segment,
                       .offset = offset,
                       .bytes = batch.bytes};
      pending.head = out.position.head;
      for (std::size_t i = 0; i < batch.entries.size(); ++i) {
        const auto entry = ledger::decode(batch.entries[i]);
        if (!entry) {
          return damage(place + ": entry " + std::to_string(batch.first_index + i) +
                        " is none that candor writes: " + entry.error().message());
        }
        const ExchangeMark mark = mark_of(*entry);
        if (mark.step != ExchangeStep::kNone) {
          pending.marks.push_back({.mark = mark, .index = batch.first_index + i});
        }
      }
    }
  }
  if (!met_published) {
    return damage("the journal ends at entry " + std::to_string(frontier.size()) +
                  ", before the published size " + std::to_string(published.size()));
  }
  out.size = frontier.size();
  out.root = frontier.root();
  return {};
}

void apply(const ExchangeMark& mark, std::uint64_t index,
           std::map<std::uint64_t, OpenIntent>& open) {
  switch (mark.step) {
    case ExchangeStep::kNone: return;
    case ExchangeStep::kIntent:
      open[index] = {.exchange = mark.exchange, .released_bytes = 0};
      return;
    case ExchangeStep::kProgress:
      if (const auto found = open.find(mark.intent); found != open.end()) {
        found->second.released_bytes = std::max(found->second.released_bytes, mark.released_bytes);
      }
      return;
    case ExchangeStep::kOutcome:
    case ExchangeStep::kAbort: open.erase(mark.intent); return;
  }
}

// Brings the index up to the published size; what the log does not say (slots, places) is read from
// the key table and the packs.
Result<void> catch_up_index(Published& published, KeyTable& table, SealedStore& sealed,
                            StateDb& state, std::uint64_t log_size) {
  std::uint64_t indexed = TRY(state.indexed_size());
  if (indexed > log_size) {  // of another history
    TRY(state.clear_index());
    indexed = 0;
  }
  if (indexed >= published.size()) return {};
  constexpr std::size_t kAtOnce = 65'536;
  StateDb::IndexUpdate update;
  std::unordered_map<Id128, bool, IdHash> fresh;
  const auto put = [&](std::uint64_t size) -> Result<void> {
    update.indexed_size = size;
    Pacer no_rests;
    TRY(state.update_index(update, no_rests));
    update.exchanges.clear();
    return {};
  };
  std::vector<Id128> erased;
  TRY(published.scan(indexed, [&](std::uint64_t index, std::string_view text) -> Result<void> {
    const ledger::Entry entry = TRY(ledger::decode(text));
    if (const auto* erasure = std::get_if<ledger::Erasure>(&entry)) {
      erased.insert(erased.end(), erasure->exchanges.begin(), erasure->exchanges.end());
    }
    const ExchangeMark mark = mark_of(entry);
    if (mark.step == ExchangeStep::kNone) return {};
    ExchangeRow row;
    row.id = mark.exchange;
    row.intent = mark.step == ExchangeStep::kIntent ? index : mark.intent;
    row.released_bytes = mark.released_bytes;
    if (mark.step == ExchangeStep::kOutcome || mark.step == ExchangeStep::kAbort) {
      row.end = index;
      row.end_kind = mark.step == ExchangeStep::kOutcome ? End::kOutcome : End::kAbort;
    }
    fresh[row.id] = true;
    update.exchanges.push_back(row);
    if (update.exchanges.size() >= kAtOnce) return put(indexed);
    return {};
  }));
  TRY(put(indexed));
  TRY(table.scan([&](std::uint64_t number, const ledger::KeySlot& slot) -> Result<void> {
    if (slot.kind != ledger::SlotKind::kExchange || slot.state != ledger::SlotState::kLive ||
        !fresh.contains(slot.id)) {
      return {};
    }
    auto row = TRY(state.find_exchange(slot.id));
    if (!row) return {};
    row->subject = slot.subject;
    row->key_slot = number;
    update.exchanges.push_back(*row);
    if (update.exchanges.size() >= kAtOnce) return put(indexed);
    return {};
  }));
  TRY(put(indexed));
  TRY(sealed.scan([&](const SealedPlace& place, const Id128& id, ByteView bytes) -> Result<void> {
    if (place.pack == UINT64_MAX || !fresh.contains(id)) return {};
    auto row = TRY(state.find_exchange(id));
    const auto record = ledger::decode_sealed_record(bytes);
    if (!row || !record) return {};
    const bool answer = record->transcripts.front().name.starts_with("answer.");
    (answer ? row->answer : row->request) = place;
    update.exchanges.push_back(*row);
    if (update.exchanges.size() >= kAtOnce) return put(indexed);
    return {};
  }));
  TRY(put(published.size()));
  if (!erased.empty()) TRY(state.mark_erased(erased));
  return {};
}

Result<std::uint64_t> zero_torn_tail(FoundSegment& found) {
  const std::uint64_t from = found.scan.end_offset;
  const ByteView tail = ByteView(found.bytes).subspan(from);
  std::size_t last = tail.size();
  while (last > 0 && tail[last - 1] == std::byte{0}) --last;
  if (last == 0) return std::uint64_t{0};
  const Bytes zeros(last);
  TRY(found.segment->file->write_at(from, zeros));
  return std::uint64_t{last};
}

}  // namespace

ExchangeMark mark_of(const ledger::Entry& entry) {
  if (const auto* intent = std::get_if<ledger::Intent>(&entry)) {
    return {.step = ExchangeStep::kIntent, .exchange = intent->exchange};
  }
  if (const auto* progress = std::get_if<ledger::Progress>(&entry)) {
    return {.step = ExchangeStep::kProgress,
            .exchange = progress->exchange,
            .intent = progress->intent_index,
            .released_bytes = progress->released_bytes};
  }
  if (const auto* outcome = std::get_if<ledger::Outcome>(&entry)) {
    return {.step = ExchangeStep::kOutcome,
            .exchange = outcome->exchange,
            .intent = outcome->intent_index};
  }
  if (const auto* abort = std::get_if<ledger::Abort>(&entry)) {
    return {
        .step = ExchangeStep::kAbort, .exchange = abort->exchange, .intent = abort->intent_index};
  }
  return {};
}

Result<Recovered> recover_log(FileSystem& files, const DataPaths& paths, Signer& signer,
                              KeyTable& table, SealedStore& sealed, StateDb& state) {
  Recovered out;
  std::vector<FoundSegment> segments = TRY(read_segments(files, paths.journal()));
  const std::string checkpoint = TRY(read_checkpoint(files, paths));
  std::string last_head = checkpoint;
  for (const FoundSegment& found : segments) {
    if (!found.scan.batches.empty()) last_head = found.scan.batches.back().batch.head;
  }
  if (const auto opened = signer.open(last_head); !opened) {
    if (opened.error().code() != Code::kDataLoss) return std::unexpected(opened.error());
    return damage(opened.error().message());
  }
  const Keys keys = known_keys(segments, signer.keys().keys);
  Published published = TRY(Published::open(files, paths, checkpoint, keys));
  out.position.published_size = published.size();
  TRY(replay(segments, published, keys, out));
  if (out.position.head == nullptr && published.size() != 0) {
    out.position.head = std::make_shared<SignedHead>(
        SignedHead{.size = published.size(), .root = published.root(), .note = checkpoint});
  }
  // All verified: from here on the folder may be changed.
  for (FoundSegment& found : segments) {
    found.segment->file = TRY(files.open(found.segment->path, OpenMode::kDurable));
    out.torn_bytes += TRY(zero_torn_tail(found));
    // A batch may be complete in the page cache alone: it counts from now on.
    TRY(found.segment->file->sync());
    out.position.segments.push_back(found.segment);
  }
  TRY(catch_up_index(published, table, sealed, state, out.size));
  for (const ExchangeRow& row : TRY(state.open_exchanges())) {
    out.open[row.intent] = {.exchange = row.id, .released_bytes = row.released_bytes};
  }
  for (const PendingBatch& pending : out.position.pending) {
    for (const MarkedEntry& marked : pending.marks) apply(marked.mark, marked.index, out.open);
  }
  // An index that ran ahead of what was kept may name intents that are not there any more.
  std::erase_if(out.open, [&](const auto& item) { return item.first >= out.size; });
  return out;
}

}  // namespace candor::store
