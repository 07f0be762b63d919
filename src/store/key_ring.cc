#include "store/key_ring.h"

#include <algorithm>

#include "base/text.h"
#include "crypto/hash.h"
#include "crypto/seal.h"
#include "json/json.h"
#include "ledger/sealed_format.h"
#include "store/auditor_key.h"
#include "store/data_folder.h"
#include "store/internal/key_wraps.h"
#include "store/key_table.h"
#include "store/state_db.h"

namespace candor::store {
namespace {

constexpr std::string_view kLocalPrefix = "candor-local-key-v1 ";
constexpr std::string_view kSubjectDomain("candor/v1/subject\0", 18);
constexpr std::size_t kMaxSmallFile = 1U << 20U;

Result<Sensitive<Digest>> load_or_make_local_key(FileSystem& files, const DataPaths& paths,
                                                 Random& random) {
  const Path path = paths.local_key();
  if (TRY(files.exists(path))) {
    const Sensitive<Bytes> text(TRY(read_file(files, path, 4096)));
    std::string_view line = as_text(text.reveal());
    if (line.starts_with(kLocalPrefix) && line.ends_with('\n')) {
      line.remove_prefix(kLocalPrefix.size());
      line.remove_suffix(1);
      if (const auto key = digest_from_base64(line)) return Sensitive<Digest>(*key);
    }
    return fail(Code::kDataLoss,
                "keys/local.key is damaged; restore it from a backup, or move it "
                "away: receipts of earlier exchanges can then not be rebuilt and "
                "people get new pseudonyms");
  }
  Sensitive<Digest> key;
  random.fill(key.reveal());
  const Sensitive<std::string> text(std::string(kLocalPrefix) + to_base64(key.reveal()) + "\n");
  TRY(write_file_atomically(files, path, as_bytes(text.reveal())));
  return key;
}

Result<std::vector<Auditor>> load_auditors(FileSystem& files, const DataPaths& paths) {
  std::vector<Auditor> auditors;
  const auto bytes = read_file(files, paths.auditors(), kMaxSmallFile);
  if (!bytes) {
    if (bytes.error().code() == Code::kNotFound) return auditors;
    return std::unexpected(bytes.error());
  }
  const json::Value value = TRY(json::parse(as_text(*bytes)));
  const json::Object* object = TRY(json::as_object(value, "keys/auditors.json"));
  const json::Array* list = TRY(json::get_array(*object, "auditors"));
  for (const json::Value& item : *list) {
    const json::Object* auditor = TRY(json::as_object(item, "an auditor"));
    Auditor read;
    const std::string_view key = TRY(json::get_string(*auditor, "key"));
    read.key = TRY(digest_from_base64(key));
    read.label = TRY(json::get_string(*auditor, "label"));
    auditors.push_back(std::move(read));
  }
  return auditors;
}

Result<void> save_auditors(FileSystem& files, const DataPaths& paths,
                           const std::vector<Auditor>& auditors) {
  json::Array list;
  for (const Auditor& auditor : auditors) {
    list.push_back(json::Object{{"key", to_base64(auditor.key)}, {"label", auditor.label}});
  }
  const std::string text =
      TRY(json::canonical(json::Object{{"auditors", std::move(list)}, {"v", 1}}));
  return write_file_atomically(files, paths.auditors(), as_bytes(text));
}

std::string pseudonym_of(const Sensitive<Digest>& key, std::string_view name) {
  const Digest mac = crypto::hmac_sha256(key.reveal(), {as_bytes(kSubjectDomain), as_bytes(name)});
  return to_hex(ByteView(mac).first(16));
}

}  // namespace

std::string_view to_string(ContentMode mode) noexcept {
  return mode == ContentMode::kSealed ? "sealed" : "none";
}

KeyRing::KeyRing(FileSystem& files, DataPaths paths, const Options& options, KeyTable& table,
                 StateDb& state, Random& random, Clock& clock)
    : files_(files),
      paths_(std::move(paths)),
      options_(options),
      table_(table),
      state_(state),
      random_(random),
      clock_(clock) {}
KeyRing::~KeyRing() = default;

Result<std::unique_ptr<KeyRing>> KeyRing::open(FileSystem& files, const DataPaths& paths,
                                               const Options& options, KeyTable& table,
                                               StateDb& state, Random& random, Clock& clock) {
  std::unique_ptr<KeyRing> ring(new KeyRing(files, paths, options, table, state, random, clock));
  ring->local_ = TRY(load_or_make_local_key(files, paths, random));
  ring->auditors_ = TRY(load_auditors(files, paths));
  const std::lock_guard lock(ring->mutex_);
  TRY(ring->start_epoch());
  return ring;
}

Result<void> KeyRing::start_epoch() {
  std::uint64_t number = 0;
  for (const std::string& name : TRY(files_.list(paths_.epochs()))) {
    const auto known = parse_decimal(std::string_view(name).substr(0, name.find('.')));
    if (known) number = std::max(number, *known + 1);
  }
  if (number > UINT32_MAX) return fail(Code::kResourceExhausted, "no epoch number is left");
  auto epoch = std::make_shared<Epoch>();
  epoch->number = static_cast<std::uint32_t>(number);
  random_.fill(epoch->key.reveal());
  const std::int64_t now = clock_.wall_us();
  if (!auditors_.empty()) {
    json::Array sealed;
    for (const Auditor& auditor : auditors_) {
      sealed.push_back(
          json::Object{{"algorithm", "crypto_box_seal"},
                       {"auditor", to_base64(auditor.key)},
                       {"key", to_base64(crypto::seal_to(auditor.key, epoch->key.reveal()))}});
    }
    const std::string text = TRY(json::canonical(json::Object{
        {"created_us", now}, {"epoch", epoch->number}, {"sealed", std::move(sealed)}, {"v", 1}}));
    TRY(write_file_atomically(files_, paths_.epochs() / (std::to_string(number) + ".json"),
                              as_bytes(text)));
  }
  epoch_ = std::move(epoch);
  epoch_until_us_ = clock_.mono_us() + options_.epoch_us;
  return {};
}

Result<std::shared_ptr<const KeyRing::Epoch>> KeyRing::epoch() {
  const std::lock_guard lock(mutex_);
  if (clock_.mono_us() >= epoch_until_us_) TRY(start_epoch());
  return epoch_;
}

ContentMode KeyRing::content_mode() const {
  const std::lock_guard lock(mutex_);
  return auditors_.empty() ? ContentMode::kNone : options_.content;
}

Result<void> KeyRing::add_auditor(const AuditorKey& key, std::string_view label) {
  const std::lock_guard lock(mutex_);
  const bool known =
      std::ranges::any_of(auditors_, [&](const Auditor& auditor) { return auditor.key == key; });
  if (known) return fail(Code::kFailedPrecondition, "this auditor's key is registered already");
  std::vector<Auditor> auditors = auditors_;
  auditors.push_back({.key = key, .label = std::string(label)});
  TRY(save_auditors(files_, paths_, auditors));
  auditors_ = std::move(auditors);
  return start_epoch();
}

Result<void> register_auditor(FileSystem& files, const Path& root,
                              const std::array<std::byte, 32>& key, std::string_view label) {
  const DataFolder folder = TRY(DataFolder::open(files, root));
  std::vector<Auditor> auditors = TRY(load_auditors(files, folder.paths()));
  if (std::ranges::any_of(auditors, [&](const Auditor& auditor) { return auditor.key == key; })) {
    return fail(Code::kFailedPrecondition, "this auditor's key is registered already");
  }
  auditors.push_back({.key = key, .label = std::string(label)});
  return save_auditors(files, folder.paths(), auditors);
}

std::vector<Auditor> KeyRing::auditors() const {
  const std::lock_guard lock(mutex_);
  return auditors_;
}

Result<Subject> KeyRing::load_subject(std::string_view name) {
  const auto row = TRY(state_.find_subject(name));
  if (!row) return fail(Code::kNotFound, "nobody of this name has asked anything");
  const ledger::KeySlot slot = TRY(table_.read(row->key_slot));
  if (slot.kind != ledger::SlotKind::kSubject || slot.id != row->id ||
      slot.state != ledger::SlotState::kLive) {
    return fail(Code::kNotFound, "the pseudonym's key is erased");
  }
  const KeyPair keys = TRY(unwrap_pair(local_, slot.id, slot.second_wrap));
  return Subject{.id = slot.id, .pseudonym = pseudonym_of(keys.first, name)};
}

Result<Subject> KeyRing::find_subject(std::string_view name) {
  const std::lock_guard lock(mutex_);
  if (const auto known = subjects_.find(std::string(name)); known != subjects_.end()) {
    return known->second;
  }
  return load_subject(name);
}

Result<Subject> KeyRing::subject(std::string_view name) {
  const std::lock_guard lock(mutex_);
  if (const auto known = subjects_.find(std::string(name)); known != subjects_.end()) {
    return known->second;
  }
  auto found = load_subject(name);
  if (found) {
    subjects_.emplace(name, *found);
    return found;
  }
  if (found.error().code() != Code::kNotFound && found.error().code() != Code::kDataLoss) {
    return found;
  }
  KeyPair keys;
  random_.fill(keys.first.reveal());
  random_.fill(keys.second.reveal());
  ledger::KeySlot slot;
  slot.kind = ledger::SlotKind::kSubject;
  slot.id = make_id(random_);
  slot.second_wrap = wrap_pair(local_, slot.id, keys, random_);
  const Bytes encoded = TRY(ledger::encode_key_slot(slot));
  const std::uint64_t number = TRY(table_.append(encoded));
  TRY(table_.sync());
  TRY(state_.add_subject(name, {.id = slot.id, .key_slot = number}));
  Subject made{.id = slot.id, .pseudonym = pseudonym_of(keys.first, name)};
  subjects_.emplace(name, made);
  return made;
}

void KeyRing::forget_subject(const Id128& id) {
  const std::lock_guard lock(mutex_);
  std::erase_if(subjects_, [&](const auto& item) { return item.second.id == id; });
}

Result<SealedNote> seal_note(KeyRing& keys, const Id128& act, const Id128& subject,
                             const Transcript& fields) {
  const auto epoch = TRY(keys.epoch());
  ledger::Root root;
  keys.random().fill(root.reveal());
  const ledger::TranscriptCommitment commitment =
      ledger::commit(ledger::opening_key(root, "note"), act, "note", fields);
  SealedNote note{.commitment = commitment.root, .aux = {}};
  // Nobody could open it without an auditor: then only the commitment stays.
  if (keys.content_mode() == ContentMode::kNone && keys.auditors().empty()) return note;
  ledger::KeySlot slot;
  slot.kind = ledger::SlotKind::kNote;
  slot.id = act;
  slot.subject = subject;
  slot.epoch = epoch->number;
  slot.first_wrap = wrap_root(epoch->key, act, root, keys.random());
  const ledger::SealInput input{.name = "note", .transcript = &fields, .commitment = &commitment};
  note.aux.push_back({.kind = static_cast<std::uint8_t>(ledger::AuxKind::kKeySlot),
                      .payload = TRY(ledger::encode_key_slot(slot))});
  note.aux.push_back(
      {.kind = static_cast<std::uint8_t>(ledger::AuxKind::kSealedRecord),
       .payload = TRY(ledger::seal_exchange(root, act, {&input, 1}, keys.random()))});
  return note;
}

Result<SealedNote> seal_reason(KeyRing& keys, const Id128& act, const Id128& subject,
                               std::string_view reason) {
  Transcript fields;
  fields.push_back({.path = "reason", .text = Sensitive<std::string>(std::string(reason))});
  return seal_note(keys, act, subject, fields);
}

}  // namespace candor::store
