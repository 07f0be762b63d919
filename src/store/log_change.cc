// A log's key changes, and a log ends (S7; docs/formats/log-key.md). Both happen at a start, wished
// for by a small file in keys/, so that no run stands under two keys or in two logs.
//
// A crash anywhere leaves either the wish, and the next start begins again where it was, or the
// change whole: the signer makes the next key durable before the batch that names it, and a log's
// last head is kept in keys/continues before its signer forgets it.
#include <algorithm>

#include "base/log.h"
#include "base/text.h"
#include "json/json.h"
#include "ledger/checkpoint.h"
#include "ledger/journal_format.h"
#include "store/internal/open_store.h"

namespace candor::store {
namespace {

constexpr std::size_t kMaxWishBytes = 4096;

Result<void> remove_if_there(FileSystem& files, const Path& path) {
  if (const auto done = files.remove(path); !done && done.error().code() != Code::kNotFound) {
    return done;
  }
  return files.sync_folder(path.parent_path());
}

// The overlap that a wish asks for.
Result<std::uint64_t> read_wish(FileSystem& files, const Path& path) {
  const Bytes text = TRY(read_file(files, path, kMaxWishBytes));
  const json::Value value = TRY(json::parse(as_text(text)));
  const json::Object* object = TRY(json::as_object(value, "a wish to change the log's key"));
  const std::string_view overlap = TRY(json::get_string(*object, "overlap"));
  return parse_decimal(overlap);
}

// Moves what lies in a folder into another one. What was moved before a crash is not there any
// more; names that are no part of the log stay.
Result<void> move_all(FileSystem& files, const Path& from, const Path& to,
                      const std::function<bool(const std::string&)>& wanted) {
  TRY(files.make_folders(to));
  for (const std::string& name : TRY(files.list(from))) {
    if (wanted(name)) TRY(files.rename(from / name, to / name));
  }
  TRY(files.sync_folder(to));
  return files.sync_folder(from);
}

}  // namespace

Result<void> OpenStore::change_log_key(std::uint64_t overlap) {
  if (overlap < kMinKeyOverlap || overlap > kMaxKeyOverlap) {
    return fail(Code::kInvalidArgument, "the overlap is " + std::to_string(kMinKeyOverlap) +
                                            " to " + std::to_string(kMaxKeyOverlap) + " entries");
  }
  if (key_overlap_until_ > ledger_->head()->size) {
    return fail(Code::kFailedPrecondition,
                "the log's key was changed, and both keys sign until size " +
                    std::to_string(key_overlap_until_) +
                    "; change it again after a start beyond that");
  }
  const json::Object wish{{"overlap", std::to_string(overlap)}, {"v", 1}};
  return write_file_atomically(folder_.files(), folder_.paths().key_change_wish(),
                               as_bytes(json::to_text(wish)));
}

Result<void> OpenStore::close_log() {
  const json::Object wish{{"v", 1}};
  return write_file_atomically(folder_.files(), folder_.paths().closing_wish(),
                               as_bytes(json::to_text(wish)));
}

Result<void> OpenStore::withdraw_log_wishes() {
  TRY(remove_if_there(folder_.files(), folder_.paths().key_change_wish()));
  return remove_if_there(folder_.files(), folder_.paths().closing_wish());
}

Result<Recovered> OpenStore::recover(Signer& signer) {
  FileSystem& files = folder_.files();
  const DataPaths& paths = folder_.paths();
  const auto read = [&] { return recover_log(files, paths, signer, *table_, *sealed_, *state_); };
  if (!TRY(files.exists(paths.closing_wish()))) return read();
  if (!TRY(files.exists(paths.continued_log()))) {
    Recovered found = TRY(read());
    // Open exchanges get their aborts, and what lies in the journal is published, before a log
    // ends.
    if (found.size == 0 || !found.position.pending.empty() || !found.open.empty()) {
      log_warning("store.log_not_closed", {{"open", found.open.size()}});
      return found;
    }
    TRY(write_file_atomically(files, paths.continued_log(), as_bytes(found.position.head->note)));
  }
  TRY(end_log(signer));
  return read();
}

// keys/continues holds the last head of a log that is whole and published.
Result<void> OpenStore::end_log(Signer& signer) {
  FileSystem& files = folder_.files();
  const DataPaths& paths = folder_.paths();
  const Bytes note = TRY(read_file(files, paths.continued_log(), ledger::kMaxNoteBytes));
  const auto head = TRY(ledger::parse_signed_checkpoint(as_text(note))).head;
  if (TRY(files.exists(paths.checkpoint()))) {
    const Bytes there = TRY(read_file(files, paths.checkpoint(), ledger::kMaxNoteBytes));
    const auto published = TRY(ledger::parse_signed_checkpoint(as_text(there))).head;
    if (published != head) {
      return fail(Code::kDataLoss,
                  "keys/continues is not the last head of the log in ledger/; "
                  "nothing was changed. Compare both with your receipts and pins");
    }
  }
  TRY(signer.replace_log(as_text(note)));
  const Path target = paths.closed() / head.origin.substr(head.origin.find('/') + 1);
  TRY(move_all(files, paths.journal(), target / "journal", [](const std::string& name) {
    return ledger::parse_segment_name(name).has_value();
  }));
  TRY(move_all(files, paths.ledger(), target / "ledger", [](const std::string&) { return true; }));
  TRY(files.sync_folder(target));
  TRY(files.sync_folder(paths.closed()));
  TRY(remove_if_there(files, paths.closing_wish()));
  report_.closed_log = head.origin;
  return {};
}

Result<std::optional<ledger::ClosedLog>> OpenStore::continued_log() {
  const Path path = folder_.paths().continued_log();
  if (!TRY(folder_.files().exists(path))) return std::optional<ledger::ClosedLog>();
  const Bytes note = TRY(read_file(folder_.files(), path, ledger::kMaxNoteBytes));
  const auto head = TRY(ledger::parse_signed_checkpoint(as_text(note))).head;
  return std::optional(
      ledger::ClosedLog{.origin = head.origin, .size = head.size, .root = head.root});
}

Result<void> OpenStore::plan_key_change(Signer& signer, const Recovered& found) {
  FileSystem& files = folder_.files();
  const DataPaths& paths = folder_.paths();
  const std::optional<KeyChangeAt> made = signer.keys().change;
  if (made && made->index < found.size) {  // in force: the log's last head stands over its entry
    if (!TRY(files.exists(paths.handovers() / std::to_string(made->index)))) {
      handover_of_ = made->index;  // its writing was cut off
    } else if (made->overlap_until < found.size) {
      return signer.drop_old_key();
    }
    key_overlap_until_ = made->overlap_until;
    return {};
  }
  const bool wished = TRY(files.exists(paths.key_change_wish()));
  if (!made && (!wished || found.size == 0)) return {};
  // Directly after the start entry and its aborts.
  const std::uint64_t index = found.size + 1 + found.open.size();
  const std::uint64_t overlap =
      wished ? TRY(read_wish(files, paths.key_change_wish())) : made->overlap_until - made->index;
  const KeyChangeAt change{
      .index = index, .overlap_until = index + std::clamp(overlap, kMinKeyOverlap, kMaxKeyOverlap)};
  TRY(signer.change_key(change));
  const std::vector<ledger::VerifierKey>& keys = signer.keys().keys;
  key_change_ = ledger::KeyChange{.at = {},
                                  .new_key = ledger::format_verifier_key(keys.back()),
                                  .old_key = ledger::format_verifier_key(keys.front()),
                                  .overlap_until = change.overlap_until};
  key_overlap_until_ = change.overlap_until;
  handover_of_ = index;
  report_.key_changed = true;
  return {};
}

// The start's batch is flushed: its head stands over all that this start was to change.
Result<void> OpenStore::finish_changes(const SignedHead& head) {
  FileSystem& files = folder_.files();
  const DataPaths& paths = folder_.paths();
  if (handover_of_) {
    TRY(remove_if_there(files, paths.key_change_wish()));
    TRY(files.make_folders(paths.handovers()));
    TRY(files.sync_folder(paths.ledger()));
    TRY(write_file_atomically(files, paths.handovers() / std::to_string(*handover_of_),
                              as_bytes(head.note)));
  }
  return remove_if_there(files, paths.continued_log());
}

}  // namespace candor::store
