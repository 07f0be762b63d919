#include "store/auditor_key.h"

#include <algorithm>
#include <map>

#include "json/json.h"
#include "store/internal/field_files.h"
#include "store/internal/key_wraps.h"
#include "store/key_table.h"
#include "store/sealed_store.h"

namespace candor::store {
namespace {

constexpr std::string_view kSecretPrefix = "candor-auditor-secret-v1:";
constexpr std::string_view kPublicPrefix = "candor-auditor-v1:";
constexpr std::size_t kMaxEpochBytes = 1U << 20U;

Result<std::array<std::byte, 32>> parse_prefixed(std::string_view text, std::string_view prefix) {
  while (text.ends_with('\n') || text.ends_with(' ')) text.remove_suffix(1);
  if (!text.starts_with(prefix)) {
    return fail(Code::kInvalidArgument,
                "an auditor's key begins with '" + std::string(prefix) + "'");
  }
  return digest_from_base64(text.substr(prefix.size()));
}

Result<Sensitive<Digest>> open_epoch(FileSystem& files, const DataPaths& paths,
                                     const crypto::BoxKeyPair& auditor, std::uint32_t number) {
  const Bytes text =
      TRY(read_file(files, paths.epochs() / (std::to_string(number) + ".json"), kMaxEpochBytes));
  const json::Value value = TRY(json::parse(as_text(text)));
  const json::Object* object = TRY(json::as_object(value, "an epoch"));
  const json::Array* list = TRY(json::get_array(*object, "sealed"));
  for (const json::Value& item : *list) {
    const json::Object* sealed = TRY(json::as_object(item, "a sealed epoch key"));
    const std::string_view owner = TRY(json::get_string(*sealed, "auditor"));
    const Digest key = TRY(digest_from_base64(owner));
    if (key != auditor.public_key) continue;
    if (TRY(json::get_string(*sealed, "algorithm")) != "crypto_box_seal") {
      return fail(Code::kInvalidArgument, "an epoch key sealed under an unknown algorithm");
    }
    const std::string_view boxed = TRY(json::get_string(*sealed, "key"));
    const Bytes box = TRY(from_base64(boxed));
    const auto plain = TRY(crypto::open_sealed(auditor, box));
    Sensitive<Digest> epoch;
    if (plain.reveal().size() != epoch.reveal().size()) {
      return fail(Code::kDataLoss, "an epoch key of an odd length");
    }
    std::ranges::copy(plain.reveal(), epoch.reveal().begin());
    return epoch;
  }
  return fail(Code::kPermissionDenied,
              "epoch " + std::to_string(number) + " was not sealed to this auditor's key");
}

Result<DataPaths> paths_of(const Path& sealed_folder) {
  const Path folder = sealed_folder.has_filename() ? sealed_folder : sealed_folder.parent_path();
  const DataPaths paths(folder.parent_path());
  if (folder.filename() != paths.sealed().filename()) {
    return fail(Code::kInvalidArgument, "the folder of sealed content is called '" +
                                            paths.sealed().filename().native() +
                                            "'; give a copy that name");
  }
  return paths;
}

Result<ledger::KeySlot> find_slot(FileSystem& files, const DataPaths& paths, const Id128& id) {
  const auto table = TRY(KeyTable::open_for_reading(files, paths.key_table()));
  std::optional<ledger::KeySlot> slot;
  TRY(table->scan([&](std::uint64_t, const ledger::KeySlot& found) -> Result<void> {
    if (found.id == id) slot = found;
    return {};
  }));
  if (!slot) return fail(Code::kNotFound, "nothing sealed has this id");
  if (slot->state == ledger::SlotState::kErased) {
    return fail(Code::kFailedPrecondition, "it was erased: its keys are destroyed");
  }
  if (slot->first_wrap.empty()) {
    return fail(Code::kNotFound, "its content was not kept (content mode none)");
  }
  return *slot;
}

Result<Sensitive<Digest>> open_slot(FileSystem& files, const DataPaths& paths,
                                    const crypto::BoxKeyPair& auditor,
                                    const ledger::KeySlot& slot) {
  const auto epoch = TRY(open_epoch(files, paths, auditor, slot.epoch));
  return unwrap_root(epoch, slot.id, slot.first_wrap);
}

// The texts of a record; without those of single fields that are erased.
Result<std::vector<ledger::OpenedTranscript>> open_record(FileSystem& files, const DataPaths& paths,
                                                          const ledger::KeySlot& slot,
                                                          const Sensitive<Digest>& secret,
                                                          const ledger::SealedRecord& record) {
  if (slot.algorithm != ledger::WrapAlgorithm::kFieldKeys) {
    return ledger::open_sealed_record(record, secret);
  }
  const std::vector<ledger::FieldKeys> fields = TRY(read_field_keys(files, paths, slot, secret));
  return ledger::open_sealed_record(record, fields);
}

}  // namespace

Sensitive<std::string> format_auditor_secret(const crypto::BoxKeyPair& pair) {
  return Sensitive<std::string>(std::string(kSecretPrefix) + to_base64(pair.secret_key.reveal()) +
                                "\n");
}

std::string format_auditor_public(const crypto::BoxKeyPair& pair) {
  return std::string(kPublicPrefix) + to_base64(pair.public_key);
}

Result<crypto::BoxKeyPair> parse_auditor_secret(std::string_view text) {
  const Sensitive<std::array<std::byte, 32>> secret(TRY(parse_prefixed(text, kSecretPrefix)));
  return crypto::box_key_from_secret(secret);
}

Result<std::array<std::byte, 32>> parse_auditor_public(std::string_view text) {
  return parse_prefixed(text, kPublicPrefix);
}

Result<Sensitive<Digest>> auditor_secret(FileSystem& files, const Path& sealed_folder,
                                         const crypto::BoxKeyPair& auditor, const Id128& id) {
  const DataPaths paths = TRY(paths_of(sealed_folder));
  return open_slot(files, paths, auditor, TRY(find_slot(files, paths, id)));
}

Result<std::vector<OpenedContent>> open_with_auditor_key(FileSystem& files,
                                                         const Path& sealed_folder,
                                                         const crypto::BoxKeyPair& auditor,
                                                         const Id128& id) {
  const DataPaths paths = TRY(paths_of(sealed_folder));
  const ledger::KeySlot slot = TRY(find_slot(files, paths, id));
  const Sensitive<Digest> secret = TRY(open_slot(files, paths, auditor, slot));
  std::vector<OpenedContent> out;
  SealedStore sealed(files, paths, system_clock());
  TRY(sealed.scan([&](const SealedPlace&, const Id128& found, ByteView bytes) -> Result<void> {
    if (found != id) return {};
    OpenedContent content{.record = TRY(ledger::decode_sealed_record(bytes)), .transcripts = {}};
    const bool known = std::ranges::any_of(out, [&](const OpenedContent& other) {
      return other.record.transcripts.front().name == content.record.transcripts.front().name;
    });
    if (known) return {};  // written twice by a publication that was cut off
    content.transcripts = TRY(open_record(files, paths, slot, secret, content.record));
    out.push_back(std::move(content));
    return {};
  }));
  if (out.empty()) return fail(Code::kNotFound, "its content was removed by retention");
  return out;
}

Result<std::uint64_t> visit_with_auditor_key(
    FileSystem& files, const Path& sealed_folder, const crypto::BoxKeyPair& auditor,
    const std::function<Result<void>(const OpenedContent&)>& visit) {
  const DataPaths paths = TRY(paths_of(sealed_folder));
  std::map<Id128, ledger::KeySlot> slots;
  const auto table = TRY(KeyTable::open_for_reading(files, paths.key_table()));
  TRY(table->scan([&](std::uint64_t, const ledger::KeySlot& found) -> Result<void> {
    slots.insert_or_assign(found.id, found);
    return {};
  }));
  std::map<std::uint32_t, Result<Sensitive<Digest>>> epochs;
  std::uint64_t unopened = 0;
  SealedStore sealed(files, paths, system_clock());
  TRY(sealed.scan([&](const SealedPlace&, const Id128& id, ByteView bytes) -> Result<void> {
    const auto found = slots.find(id);
    if (found == slots.end() || found->second.state == ledger::SlotState::kErased ||
        found->second.first_wrap.empty()) {
      ++unopened;
      return {};
    }
    const ledger::KeySlot& slot = found->second;
    auto epoch = epochs.find(slot.epoch);
    if (epoch == epochs.end()) {
      epoch = epochs.emplace(slot.epoch, open_epoch(files, paths, auditor, slot.epoch)).first;
    }
    if (!epoch->second) {
      if (epoch->second.error().code() != Code::kPermissionDenied) {
        return std::unexpected(epoch->second.error());
      }
      ++unopened;
      return {};
    }
    const Sensitive<Digest> secret = TRY(unwrap_root(*epoch->second, slot.id, slot.first_wrap));
    OpenedContent content{.record = TRY(ledger::decode_sealed_record(bytes)), .transcripts = {}};
    content.transcripts = TRY(open_record(files, paths, slot, secret, content.record));
    return visit(content);
  }));
  return unopened;
}

}  // namespace candor::store
