// Erasing single fields of an exchange (S2, S3; docs/formats/field-keys.md): its root gives way to
// the derived keys of the other fields. They stand in a file under a new key, which takes the
// root's place in the key slot; nothing that remains leads to the erased text.
//
// Order: the file, synced; the pending erasure with the slot as it will be; the entry; the slot, in
// place; the journal's copies. A crash anywhere leaves the exchange whole, or the rest to the next
// start, which needs no secret for it.
#include <algorithm>
#include <iterator>
#include <set>

#include "base/text.h"
#include "crypto/hash.h"
#include "ledger/field_keys.h"
#include "store/internal/field_files.h"
#include "store/internal/key_wraps.h"
#include "store/internal/open_store.h"

namespace candor::store {
namespace {

constexpr std::size_t kMaxErasedFields = 64;

bool is_destroyed(const Sensitive<Digest>& key) { return key.reveal() == Digest{}; }

}  // namespace

Path field_file(const DataPaths& paths, const Id128& id, ByteView first_wrap) {
  const Digest digest = crypto::sha256(first_wrap);
  return paths.field_keys() / (to_hex(id) + "." + to_hex(ByteView(digest).first(8)));
}

Result<std::vector<ledger::FieldKeys>> read_field_keys(FileSystem& files, const DataPaths& paths,
                                                       const ledger::KeySlot& slot,
                                                       const Sensitive<Digest>& key) {
  const Bytes file = TRY(
      read_file(files, field_file(paths, slot.id, slot.first_wrap), ledger::kMaxSealedRecordBytes));
  return ledger::decode_field_keys(file, slot.id, key);
}

Result<void> remove_field_files(FileSystem& files, const DataPaths& paths, const Id128& id,
                                const Path& but) {
  for (const std::string& name : TRY(files.list(paths.field_keys()))) {
    const Path file = paths.field_keys() / name;
    if (name.starts_with(to_hex(id)) && file != but) TRY(files.remove(file));
  }
  return files.sync_folder(paths.field_keys());
}

Result<Sensitive<Digest>> OpenStore::secret_of(const ledger::KeySlot& slot,
                                               const ErasureRequest& request) {
  if (request.secret) return *request.secret;
  const auto epoch = TRY(keys_->epoch());
  if (slot.epoch == epoch->number) return unwrap_root(epoch->key, slot.id, slot.first_wrap);
  return fail(Code::kFailedPrecondition,
              "its keys are of epoch " + std::to_string(slot.epoch) +
                  ", which only an auditor can open any more: give --auditor-key");
}

Result<PendingErasure::Rewrite> OpenStore::plan_field_erasure(const ExchangeRow& row,
                                                              const ErasureRequest& request) {
  if (!row.key_slot) return fail(Code::kFailedPrecondition, "the exchange has no keys any more");
  ledger::KeySlot slot = TRY(table_->read(*row.key_slot));
  if (slot.id != row.id || slot.state != ledger::SlotState::kLive) {
    return fail(Code::kFailedPrecondition, "the exchange is erased already");
  }
  std::vector<ledger::SealedRecord> records;
  for (const SealedHalf half : {SealedHalf::kRequest, SealedHalf::kAnswer}) {
    if (auto record = TRY(sealed_half(row, half))) records.push_back(*std::move(record));
  }
  std::set<std::string> touched;
  for (const std::string& path : request.fields) {
    bool found = false;
    for (const ledger::SealedRecord& record : records) {
      const auto names = ledger::transcripts_touched(record, {path});
      found |= !names.empty();
      touched.insert(names.begin(), names.end());
    }
    if (!found) return fail(Code::kNotFound, "the exchange has no field " + path);
  }
  if (!slot.first_wrap.empty()) {
    const Sensitive<Digest> secret = TRY(secret_of(slot, request));
    std::vector<ledger::FieldKeys> before;
    const bool again = slot.algorithm == ledger::WrapAlgorithm::kFieldKeys;
    if (again) before = TRY(read_field_keys(folder_.files(), folder_.paths(), slot, secret));
    std::vector<ledger::FieldKeys> left;
    for (const ledger::SealedRecord& record : records) {
      // A secret that somebody brought is this exchange's if it opens it.
      if (!again && !ledger::open_sealed_record(record, secret)) {
        return fail(Code::kPermissionDenied, "the key brought does not open the exchange");
      }
      auto keys = again ? ledger::keys_without(record, before, request.fields)
                        : ledger::keys_without(record, secret, request.fields);
      std::ranges::move(keys, std::back_inserter(left));
    }
    Sensitive<Digest> key;
    random_.fill(key.reveal());
    const auto epoch = TRY(keys_->epoch());
    slot.first_wrap = wrap_root(epoch->key, slot.id, key, random_);
    slot.epoch = epoch->number;
    TRY(write_file_atomically(folder_.files(),
                              field_file(folder_.paths(), slot.id, slot.first_wrap),
                              ledger::encode_field_keys(slot.id, key, left, random_)));
  }
  KeyPair openings = TRY(unwrap_pair(keys_->local_key(), slot.id, slot.second_wrap));
  if (touched.contains(std::string(to_string(TranscriptKind::kReceived)))) openings.first = {};
  if (touched.contains(std::string(to_string(TranscriptKind::kReleased)))) openings.second = {};
  slot.second_wrap = wrap_pair(keys_->local_key(), slot.id, openings, random_);
  slot.algorithm = ledger::WrapAlgorithm::kFieldKeys;
  return PendingErasure::Rewrite{.slot = *row.key_slot,
                                 .bytes = TRY(ledger::encode_key_slot(slot))};
}

Result<std::uint64_t> OpenStore::rewrite_slot(const PendingErasure& erasure) {
  const ledger::KeySlot slot = TRY(ledger::decode_key_slot(erasure.rewrite->bytes));
  const auto overwrite = [&]() -> Result<void> {
    TRY(table_->rewrite(erasure.rewrite->slot, erasure.rewrite->bytes));
    TRY(table_->sync());
    (void)TRY(ledger_->journal().erase({slot.id}));
    return {};
  };
  const auto hold = ledger_->hold_publication();
  if (const auto done = overwrite(); !done) {
    ledger_->poison(done.error());
    return std::unexpected(done.error());
  }
  TRY(remove_field_files(folder_.files(), folder_.paths(), slot.id,
                         field_file(folder_.paths(), slot.id, slot.first_wrap)));
  return std::uint64_t{1};
}

Result<void> check_erased_fields(const ErasureRequest& request) {
  if (request.fields.empty()) return {};
  if (!request.exchange) return fail(Code::kInvalidArgument, "fields are those of one exchange");
  if (request.fields.size() > kMaxErasedFields) {
    return fail(Code::kInvalidArgument, "at most 64 fields at once");
  }
  return {};
}

std::optional<Sensitive<Digest>> client_opening(const ledger::KeySlot& slot,
                                                const Sensitive<Digest>& key) {
  if (slot.algorithm == ledger::WrapAlgorithm::kFieldKeys && is_destroyed(key)) return std::nullopt;
  return key;
}

}  // namespace candor::store
