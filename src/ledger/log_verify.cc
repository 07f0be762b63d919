#include "ledger/log_verify.h"

#include <algorithm>
#include <cstring>
#include <set>

#include "ledger/journal_format.h"
#include "ledger/tiles.h"

namespace candor::ledger {
namespace {

constexpr std::size_t kBundlesAtOnce = 64;
constexpr std::size_t kHashBytes = 32;

std::string at_entry(std::uint64_t index) { return "entry " + std::to_string(index); }

// One bundle's entries, hashed, compared with their tile and decoded; done on any thread.
struct DecodedBundle {
  std::vector<Digest> leaves;
  std::vector<Entry> entries;
  std::uint64_t bytes = 0;
  // The first entry of the bundle that is not as it must be, and why; entries before it are good.
  std::optional<Fault> fault;
  std::optional<Error> error;  // reading failed: nothing is known
};

// Hashes of the complete nodes that tiles above level 0 hold.
class UpperNodes final : public NodeSink {
 public:
  void node(NodeId id, const Digest& hash) override {
    if (id.level == 0 || id.level % 8 != 0) return;
    const std::size_t level = id.level / 8U;
    if (levels_.size() <= level) levels_.resize(level + 1);
    levels_[level].push_back(hash);
  }
  [[nodiscard]] std::span<const Digest> level(std::size_t tile_level) const {
    if (tile_level >= levels_.size()) return {};
    return levels_[tile_level];
  }

 private:
  std::vector<std::vector<Digest>> levels_;
};

struct TileFile {
  TileId id;  // with the width that the file's own name says
  Bytes bytes;
};

// A tile or bundle of a tree of that size: the partial file, or the full one that took its place.
Result<TileFile> read_tile(LogFolder& folder, const TileId& id) {
  auto bytes = folder.read(tile_path(id));
  if (bytes) return TileFile{.id = id, .bytes = *std::move(bytes)};
  if (bytes.error().code() != Code::kNotFound || id.width == kTileWidth) {
    return std::unexpected(bytes.error());
  }
  TileId full = id;
  full.width = kTileWidth;
  auto whole = folder.read(tile_path(full));
  if (whole) return TileFile{.id = full, .bytes = *std::move(whole)};
  return std::unexpected(whole.error().code() == Code::kNotFound ? bytes.error() : whole.error());
}

// Nothing when a tile of hashes has the length that its name says.
std::string wrong_length(const TileFile& tile) {
  const std::size_t expected = tile.id.width * kHashBytes;
  if (tile.bytes.size() == expected) return {};
  return tile_path(tile.id) + " has " + std::to_string(tile.bytes.size()) + " bytes, not " +
         std::to_string(expected);
}

DecodedBundle decode_one(LogFolder& folder, std::uint64_t index, std::uint64_t size) {
  DecodedBundle out;
  const unsigned width = tile_width(0, index, size);
  const TileId bundle_id{.kind = TileKind::kEntries, .level = 0, .index = index, .width = width};
  const TileId tile_id{.kind = TileKind::kHashes, .level = 0, .index = index, .width = width};
  const std::uint64_t first = index * kTileWidth;
  const auto broken = [&](std::uint64_t entry, std::string what) {
    out.fault = Fault{.promise = "P2", .index = entry, .what = std::move(what)};
    return std::move(out);
  };
  const auto bundle = read_tile(folder, bundle_id);
  if (!bundle) {
    if (bundle.error().code() != Code::kNotFound) {
      out.error = bundle.error();
      return out;
    }
    return broken(first, tile_path(bundle_id) + " is missing");
  }
  const auto tile = read_tile(folder, tile_id);
  if (!tile) {
    if (tile.error().code() != Code::kNotFound) {
      out.error = tile.error();
      return out;
    }
    return broken(first, tile_path(tile_id) + " is missing");
  }
  if (auto wrong = wrong_length(*tile); !wrong.empty()) return broken(first, std::move(wrong));
  const auto texts = decode_bundle(bundle->bytes, bundle->id.width);
  if (!texts) return broken(first, tile_path(bundle->id) + ": " + texts.error().message());
  out.leaves.reserve(width);
  out.entries.reserve(width);
  for (unsigned i = 0; i < width; ++i) {
    const std::string_view text = (*texts)[i];
    const Digest leaf = hash_leaf(as_bytes(text));
    if (std::memcmp(leaf.data(), tile->bytes.data() + (i * kHashBytes), kHashBytes) != 0) {
      return broken(first + i, tile_path(bundle_id) + " and " + tile_path(tile_id) +
                                   " disagree: the entry or its hash was changed");
    }
    auto entry = decode(text);
    if (!entry) return broken(first + i, entry.error().message());
    out.leaves.push_back(leaf);
    out.entries.push_back(*std::move(entry));
    out.bytes += text.size();
  }
  return out;
}

class FolderTiles final : public TileReader {
 public:
  explicit FolderTiles(LogFolder& folder) : folder_(folder) {}
  Result<Bytes> read(const TileId& id) override { return folder_.read(tile_path(id)); }

 private:
  LogFolder& folder_;
};

class LogVerification {
 public:
  LogVerification(LogFolder& folder, const LogQuestion& question, const Parallel& parallel)
      : folder_(folder), question_(question), parallel_(parallel) {}

  Result<LogReport> run() {
    TRY(read_checkpoint());
    auditor_.emplace(origin_);
    auditor_->set_sink(&upper_);
    TRY(read_tiles());
    if (!fault_) TRY(check_published());
    if (!fault_) TRY(read_journal());
    if (!fault_ && !auditor_->finish()) fault_ = auditor_->fault();
    if (!fault_) TRY(check_suspects());
    report_.summary = auditor_->summary();
    TRY(conclude());
    return std::move(report_);
  }

 private:
  void add(std::string promise, Standing standing, std::string what, std::string where = {}) {
    report_.findings.push_back({.promise = std::move(promise),
                                .standing = standing,
                                .what = std::move(what),
                                .where = std::move(where)});
  }
  void broken(std::string promise, std::uint64_t index, std::string what) {
    if (fault_) return;
    fault_ = Fault{.promise = std::move(promise), .index = index, .what = std::move(what)};
  }

  Result<void> read_checkpoint() {
    const auto bytes = folder_.read("checkpoint");
    if (bytes) {
      auto published = parse_signed_checkpoint(as_text(*bytes));
      if (!published) {
        return fail(published.error().code(), "checkpoint: " + published.error().message());
      }
      published_ = *std::move(published);
      origin_ = published_->head.origin;
      report_.published = published_->head;
      report_.head = published_->head;
      return {};
    }
    if (bytes.error().code() != Code::kNotFound) return std::unexpected(bytes.error());
    if (!folder_.has_journal()) return fail(Code::kNotFound, "no checkpoint and no journal here");
    const auto names = TRY(folder_.segments());
    if (names.empty()) return fail(Code::kNotFound, "no checkpoint and an empty journal");
    const Bytes segment = TRY(folder_.read_segment(names.front()));
    origin_ = TRY(decode_segment_header(segment)).origin;
    return {};
  }

  // The pinned size is reached: what is the root there?
  void note_pin() {
    if (question_.pin && auditor_->frontier().size() == question_.pin->size) {
      root_at_pin_ = auditor_->frontier().root();
    }
  }

  bool take(const Entry& entry, const Digest& leaf) {
    if (!auditor_->add(entry, leaf)) {
      fault_ = auditor_->fault();
      return false;
    }
    note_pin();
    return true;
  }

  Result<void> read_tiles() {
    note_pin();
    const std::uint64_t size = report_.published.size;
    const std::uint64_t bundles = (size / kTileWidth) + (size % kTileWidth != 0 ? 1 : 0);
    if (bundles == 0) return {};
    std::vector<DecodedBundle> decoded;
    for (std::uint64_t first = 0; first < bundles; first += kBundlesAtOnce) {
      const auto count =
          static_cast<std::size_t>(std::min<std::uint64_t>(kBundlesAtOnce, bundles - first));
      decoded.assign(count, {});
      parallel_(count, [&](std::size_t i) { decoded[i] = decode_one(folder_, first + i, size); });
      for (const DecodedBundle& bundle : decoded) {
        if (bundle.error) return std::unexpected(*bundle.error);
        for (std::size_t i = 0; i < bundle.entries.size(); ++i) {
          if (!take(bundle.entries[i], bundle.leaves[i])) return {};
        }
        report_.bytes += bundle.bytes;
        if (bundle.fault) {
          fault_ = bundle.fault;
          return {};
        }
      }
      if (question_.progress) question_.progress(auditor_->frontier().size(), size);
    }
    return {};
  }

  // Tiles above level 0, then the root and the signatures of the published head.
  Result<void> check_published() {
    if (!published_) return {};
    const std::uint64_t size = published_->head.size;
    for (std::uint8_t level = 1; level < 8; ++level) {
      const auto nodes = upper_.level(level);
      for (std::uint64_t index = 0; tile_width(level, index, size) != 0; ++index) {
        const unsigned width = tile_width(level, index, size);
        const TileId id{.kind = TileKind::kHashes, .level = level, .index = index, .width = width};
        const auto tile = read_tile(folder_, id);
        if (!tile && tile.error().code() != Code::kNotFound) return std::unexpected(tile.error());
        const std::uint64_t step = std::uint64_t{1} << (8U * level);  // leaves under one hash
        const std::uint64_t first = index * kTileWidth;
        if (!tile) {
          broken("P2", first * step, tile_path(id) + " is missing");
          return {};
        }
        if (auto wrong = wrong_length(*tile); !wrong.empty()) {
          broken("P2", first * step, std::move(wrong));
          return {};
        }
        for (unsigned i = 0; i < width; ++i) {
          if (std::memcmp(tile->bytes.data() + (i * kHashBytes), nodes[first + i].data(),
                          kHashBytes) != 0) {
            broken("P2", (first + i) * step,
                   tile_path(id) + " does not hold the hash of entries " +
                       std::to_string((first + i) * step) + " to " +
                       std::to_string(((first + i + 1) * step) - 1));
            return {};
          }
        }
      }
    }
    check_head(*published_, "checkpoint");
    return {};
  }

  // A head over exactly what the auditor has seen.
  void check_head(const SignedCheckpoint& head, const std::string& where) {
    const std::uint64_t size = auditor_->frontier().size();
    const std::uint64_t last = size == 0 ? 0 : size - 1;
    if (head.head.origin != origin_) return broken("P2", last, where + " is of another log");
    if (head.head.size != size) return broken("P2", last, where + " names another size");
    if (head.head.root != auditor_->frontier().root()) {
      return broken(
          "P2", last,
          where + " signs another root than the " + std::to_string(size) + " entries lead to");
    }
    if (!auditor_->key()) return broken("P2", 0, "the log has no start entry");
    if (const auto signed_by = verify_note(head.note, *auditor_->key()); !signed_by) {
      return broken("P2", last, where + ": " + signed_by.error().message());
    }
    if (const auto old = auditor_->overlap_key()) {
      if (const auto signed_by = verify_note(head.note, *old); !signed_by) {
        return broken("P2", last,
                      where + " lacks the older key's signature: " + signed_by.error().message());
      }
      handed_over_.insert(auditor_->key_changes().size());
    }
  }

  Result<void> read_journal() {
    if (!folder_.has_journal()) return {};
    std::string torn;  // a torn tail is only one if no later segment holds a batch
    for (const std::string& name : TRY(folder_.segments())) {
      const Bytes bytes = TRY(folder_.read_segment(name));
      const std::uint64_t size = auditor_->frontier().size();
      auto scan = scan_segment(bytes);
      if (!scan) {
        // A segment that was being made when the power went has no header yet and no batch.
        if (std::ranges::all_of(bytes, [](std::byte b) { return b == std::byte{0}; })) continue;
        broken("P2", size, "journal segment " + name + ": " + scan.error().message());
        return {};
      }
      if (!torn.empty() && !scan->batches.empty()) {
        broken("P2", size, torn + ", but a later segment holds batches");
        return {};
      }
      if (scan->header.origin != origin_ || segment_name(scan->header.first_index) != name) {
        broken("P2", size, "journal segment " + name + " is of another log or place");
        return {};
      }
      if (scan->header.first_index == size && scan->header.root != auditor_->frontier().root()) {
        broken("P2", size, "journal segment " + name + " begins at another root");
        return {};
      }
      for (const auto& place : scan->batches) {
        TRY(take_batch(place.batch, name + " at byte " + std::to_string(place.offset)));
        if (fault_) return {};
      }
      if (scan->end == SegmentEnd::kDamage) {
        broken("P2", auditor_->frontier().size(),
               "journal segment " + name + " is damaged: " + scan->what);
        return {};
      }
      if (scan->end == SegmentEnd::kTornTail) torn = "journal segment " + name + ": " + scan->what;
    }
    if (!torn.empty()) {
      add("P2", Standing::kNotExcluded,
          torn + "; it was never acknowledged, unless a newer receipt or pin says otherwise");
    }
    return {};
  }

  Result<void> take_batch(const Batch& batch, const std::string& where) {
    const std::uint64_t size = auditor_->frontier().size();
    const std::uint64_t end = batch.first_index + batch.entries.size();
    if (end <= size) return {};  // published already: the tiles have spoken
    if (batch.first_index != size) {
      broken("P2", size,
             "the journal goes on with entry " + std::to_string(batch.first_index) +
                 " where entry " + std::to_string(size) + " is due");
      return {};
    }
    for (const std::string_view text : batch.entries) {
      auto entry = decode(text);
      if (!entry) {
        broken("P2", auditor_->frontier().size(), entry.error().message());
        return {};
      }
      if (!take(*entry, hash_leaf(as_bytes(text)))) return {};
      report_.bytes += text.size();
    }
    const auto head = parse_signed_checkpoint(batch.head);
    if (!head) {
      broken("P2", end - 1, "batch in " + where + ": " + head.error().message());
      return {};
    }
    check_head(*head, "the head of the batch in " + where);
    if (!fault_) {
      report_.head = head->head;
      ++report_.batches;
    }
    return {};
  }

  // Fingerprints of exchange ids that were seen twice: is it the id, or chance?
  Result<void> check_suspects() {
    const auto& suspects = auditor_->suspects();
    if (suspects.empty()) return {};
    std::map<Id128, std::vector<std::uint64_t>> seen;
    for (const auto& suspect : suspects)
      seen.emplace(suspect.exchange, std::vector<std::uint64_t>());
    std::uint64_t index = 0;
    const auto look = [&](const Entry& entry) {
      if (const auto* intent = std::get_if<Intent>(&entry)) {
        if (const auto found = seen.find(intent->exchange); found != seen.end()) {
          found->second.push_back(index);
        }
      }
      ++index;
    };
    const std::uint64_t size = report_.published.size;
    for (std::uint64_t bundle = 0; tile_width(0, bundle, size) != 0; ++bundle) {
      for (const Entry& entry : decode_one(folder_, bundle, size).entries) look(entry);
    }
    if (folder_.has_journal()) {
      for (const std::string& name : TRY(folder_.segments())) {
        const Bytes bytes = TRY(folder_.read_segment(name));
        const auto scan = scan_segment(bytes);
        if (!scan) continue;
        for (const auto& place : scan->batches) {
          if (place.batch.first_index != index) continue;
          for (const std::string_view text : place.batch.entries) {
            if (const auto entry = decode(text)) look(*entry);
          }
        }
      }
    }
    std::optional<Fault> first;
    for (const auto& [id, places] : seen) {
      if (places.size() < 2 || (first && first->index <= places[1])) continue;
      first = Fault{.promise = "P1",
                    .index = places[1],
                    .what = "the intent has the exchange id of " + at_entry(places[0])};
    }
    fault_ = first;
    return {};
  }

  Result<void> conclude() {
    report_.fault = fault_;
    if (fault_) {
      add(fault_->promise, Standing::kFails, fault_->what, at_entry(fault_->index));
      return {};
    }
    const std::string where = "size " + std::to_string(report_.head.size);
    add("P2", Standing::kHolds,
        "every entry, tile and signed head agrees, from the first entry to the last", where);
    add("P1", Standing::kHolds,
        "each intent has one end (" + std::to_string(report_.summary.outcomes) + " outcomes, " +
            std::to_string(report_.summary.aborts) + " aborts, " +
            std::to_string(report_.summary.open) + " still open)",
        where);
    const auto& s = report_.summary;
    if (s.measured != 0) {
      add("P7", Standing::kHolds,
          std::to_string(s.measured) + " exchanges: weights and engine measured", where);
    }
    if (s.declared != 0) {
      add("P7", Standing::kNotExcluded,
          std::to_string(s.declared) + " exchanges: weights or engine declared, not measured",
          where);
    }
    if (s.time_steps_back != 0) {
      add("P2", Standing::kNotExcluded,
          "the wall clock runs back " + std::to_string(s.time_steps_back) +
              " times without an entry that says so");
    }
    TRY(check_identity());
    check_anchors();
    return {};
  }

  Result<void> check_identity() {
    const VerifierKey& own = *auditor_->key();
    std::optional<VerifierKey> trusted = question_.log_key;
    if (!trusted && question_.pin) {
      if (auto key = parse_verifier_key(question_.pin->log_key)) trusted = *key;
    }
    if (!trusted) {
      add("P2", Standing::kNotExcluded,
          "the log's key came from the log itself: bring it from elsewhere (--log-key, "
          "--pin) to know whose log this is",
          format_verifier_key(own));
      return {};
    }
    const auto& keys = auditor_->keys();
    const auto given = std::ranges::find(keys, *trusted);
    if (given == keys.end()) {
      fault_ = Fault{.promise = "P2", .index = 0, .what = "the log is not of the key given"};
      report_.fault = fault_;
      add("P2", Standing::kFails, fault_->what, format_verifier_key(own));
      return {};
    }
    // Each later key must have been named under a head that the key before it signed too.
    for (auto change = static_cast<std::size_t>(given - keys.begin()) + 1; change < keys.size();
         ++change) {
      if (!TRY(check_handover(change))) return {};
    }
    add("P2", Standing::kHolds, "the log is of the key given", origin_);
    return {};
  }

  // False when it is not shown, or refuted; a finding says so.
  Result<bool> check_handover(std::size_t change) {
    const std::uint64_t index = auditor_->key_changes()[change - 1];
    const std::string path = "handover/" + std::to_string(index);
    const std::string where =
        at_entry(index) + ", " + format_verifier_key(auditor_->keys()[change]);
    std::string why = path + " is missing";
    bool shown = handed_over_.contains(change);
    if (!shown) {
      const auto bytes = folder_.read(path);
      if (!bytes && bytes.error().code() != Code::kNotFound) {
        return std::unexpected(bytes.error());
      }
      const auto head = bytes ? parse_signed_checkpoint(as_text(*bytes))
                              : Result<SignedCheckpoint>(std::unexpected(bytes.error()));
      const bool is_signed = head && verify_note(head->note, auditor_->keys()[change - 1]) &&
                             verify_note(head->note, auditor_->keys()[change]) &&
                             head->head.origin == origin_ && head->head.size > index;
      if (bytes) why = path + " is no head that both keys signed";
      if (is_signed && head->head.size <= report_.published.size) {
        FolderTiles tiles(folder_);
        TileSource source(tiles, report_.published.size);
        if (TRY(root_at(source, head->head.size)) != head->head.root) {
          fault_ = Fault{.promise = "P2",
                         .index = index,
                         .what = "the log was forked: both keys signed another root at size " +
                                 std::to_string(head->head.size)};
          report_.fault = fault_;
          add("P2", Standing::kFails, fault_->what, where);
          return false;
        }
        shown = true;
      } else if (is_signed) {
        why = path + " is of a larger log than this one";
      }
    }
    add("P2", shown ? Standing::kHolds : Standing::kNotExcluded,
        shown ? "the key before handed over to the next one"
              : "that the key before handed over to the next one is the log's own word: " + why +
                    "; bring the newer key from elsewhere",
        where);
    return shown;
  }

  void check_anchors() {
    bool anchored = false;
    for (const VerifierKey& witness : question_.witnesses) {
      if (!published_) {
        add("P2", Standing::kNotExcluded, "nothing is published that a witness could cosign");
        continue;
      }
      const auto seconds = verify_cosignature(published_->note, witness);
      if (seconds) {
        anchored = true;
        add("P2", Standing::kHolds, "the witness " + witness.name + " cosigned the published head",
            "size " + std::to_string(published_->head.size));
      } else {
        add("P2",
            seconds.error().code() == Code::kNotFound ? Standing::kNotExcluded : Standing::kFails,
            seconds.error().message());
      }
    }
    if (question_.pin) anchored |= check_pin(*question_.pin);
    if (!anchored) {
      add("S4", Standing::kNotExcluded,
          "rollback not excluded after size " + std::to_string(report_.head.size) +
              ": no pin and no witness vouches for more");
    }
  }

  bool check_pin(const Pin& pin) {
    const std::string sizes =
        "log " + std::to_string(report_.head.size) + ", pin " + std::to_string(pin.size);
    if (pin.origin != origin_) {
      add("P2", Standing::kFails, "the pin is of another log", pin.origin);
      return false;
    }
    if (pin.size > report_.head.size) {
      add("P2", Standing::kFails,
          folder_.has_journal()
              ? "the log was rolled back: it is shorter than the pin"
              : "rollback or not yet published: the log is shorter than the pin, and no journal "
                "was given",
          sizes);
      return false;
    }
    if (!root_at_pin_ || *root_at_pin_ != pin.root) {
      add("P2", Standing::kFails, "the log was forked: it has another root at the pin's size",
          sizes);
      return false;
    }
    add("P2", Standing::kHolds, "the log extends the pinned head", sizes);
    return true;
  }

  LogFolder& folder_;
  const LogQuestion& question_;
  const Parallel& parallel_;
  LogReport report_;
  std::optional<SignedCheckpoint> published_;
  std::string origin_;
  std::optional<Auditor> auditor_;
  UpperNodes upper_;
  std::optional<Fault> fault_;
  std::optional<Digest> root_at_pin_;
  std::set<std::size_t> handed_over_;  // key changes, from 1, over which both keys signed a head
};

}  // namespace

void run_in_turn(std::size_t count, const std::function<void(std::size_t)>& work) {
  for (std::size_t i = 0; i < count; ++i) work(i);
}

Result<LogReport> verify_log(LogFolder& folder, const LogQuestion& question,
                             const Parallel& parallel) {
  return LogVerification(folder, question, parallel).run();
}

Result<HeadsReport> compare_heads(const Checkpoint& older, const Checkpoint& newer,
                                  TileReader* tiles) {
  if (older.origin != newer.origin) {
    return fail(Code::kFailedPrecondition, "the heads are of two logs");
  }
  const std::string sizes = std::to_string(older.size) + " and " + std::to_string(newer.size);
  if (older.size == newer.size) {
    if (older.root == newer.root)
      return HeadsReport{HeadsVerdict::kSame, "one head, size " + std::to_string(older.size)};
    return HeadsReport{HeadsVerdict::kFork,
                       "fork: one size, " + std::to_string(older.size) + ", and two roots"};
  }
  if (tiles == nullptr) {
    return HeadsReport{HeadsVerdict::kUndecided,
                       "sizes " + sizes + ": only the log itself (--log) can tell"};
  }
  const Checkpoint& small = older.size < newer.size ? older : newer;
  const Checkpoint& large = older.size < newer.size ? newer : older;
  TileSource source(*tiles, large.size);
  const Digest large_root = TRY(root_at(source, large.size));
  if (large_root != large.root) {
    return fail(Code::kFailedPrecondition,
                "the tiles do not lead to the head of size " + std::to_string(large.size));
  }
  const Proof proof = TRY(prove_consistency(source, small.size, large.size));
  const bool one_history =
      small.size == 0
          ? small.root == empty_root()
          : verify_consistency(small.size, large.size, small.root, large.root, proof).has_value();
  if (!one_history) {
    return HeadsReport{HeadsVerdict::kFork, "fork: sizes " + sizes + " are of two histories"};
  }
  if (newer.size < older.size) {
    return HeadsReport{HeadsVerdict::kRollback,
                       "rollback: the newer head has size " + std::to_string(newer.size) +
                           ", the older one " + std::to_string(older.size)};
  }
  return HeadsReport{HeadsVerdict::kConsistent,
                     "the newer head extends the older one: sizes " + sizes};
}

}  // namespace candor::ledger
