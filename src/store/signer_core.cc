#include "store/internal/signer_core.h"

#include <algorithm>

#include "base/text.h"
#include "crypto/hash.h"
#include "ledger/merkle.h"

namespace candor::store {
namespace {

constexpr std::string_view kMagic = "CANDSIG1";
constexpr std::string_view kKeyFile = "log.key";
constexpr std::string_view kOneKey = "candor-log-key-v1";
constexpr std::string_view kTwoKeys = "candor-log-key-v2";
constexpr std::size_t kMaxKeyLines = 6;
constexpr std::uint64_t kSlotBytes = 4096;
constexpr std::size_t kCheckBytes = 8;
constexpr std::size_t kRecordBytes = 8 + 8 + 8 + 32 + kCheckBytes;
constexpr std::size_t kMaxUnflushed = 4096;

Bytes encode_state(std::uint64_t sequence, std::uint64_t size, const Digest& root) {
  Bytes out = to_bytes(as_bytes(kMagic));
  put_u64(out, sequence);
  put_u64(out, size);
  put_bytes(out, root);
  const Digest check = crypto::sha256(out);
  put_bytes(out, ByteView(check).first(kCheckBytes));
  return out;
}

struct StateRecord {
  std::uint64_t sequence = 0;
  std::uint64_t size = 0;
  Digest root{};
};

Result<StateRecord> decode_state(ByteView bytes) {
  ByteReader reader(bytes);
  const ByteView covered = bytes.first(kRecordBytes - kCheckBytes);
  const Digest check = crypto::sha256(covered);
  if (!std::ranges::equal(ByteView(check).first(kCheckBytes),
                          bytes.subspan(kRecordBytes - kCheckBytes, kCheckBytes)) ||
      as_text(TRY(reader.bytes(kMagic.size()))) != kMagic) {
    return fail(Code::kDataLoss, "not a signer's state");
  }
  StateRecord record;
  record.sequence = TRY(reader.u64());
  record.size = TRY(reader.u64());
  record.root = TRY(reader.digest());
  return record;
}

std::string size_text(std::uint64_t size) { return std::to_string(size); }

struct KeyFile {
  std::string origin;
  std::vector<crypto::SigningKey> keys;
  std::optional<KeyChangeAt> change;
};

Result<KeyFile> parse_key_file(std::string_view text) {
  const auto bad = [] {
    return fail(Code::kDataLoss,
                "the log's key file is damaged; restore it from a backup: a log "
                "cannot go on under another key");
  };
  std::vector<std::string_view> lines;
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    if (end == std::string_view::npos || lines.size() == kMaxKeyLines) return bad();
    lines.push_back(text.substr(0, end));
    text.remove_prefix(end + 1);
  }
  const bool one = lines.size() == 3 && lines[0] == kOneKey;
  const bool two = lines.size() == 6 && lines[0] == kTwoKeys;
  if ((!one && !two) || lines[1].empty()) return bad();
  KeyFile file{.origin = std::string(lines[1]), .keys = {}, .change = {}};
  for (std::size_t i = 2; i < (one ? 3U : 4U); ++i) {
    const auto seed = digest_from_base64(lines[i]);
    if (!seed) return bad();
    file.keys.push_back(crypto::SigningKey::from_seed(Sensitive<Digest>(*seed)));
  }
  if (two) {
    const auto index = parse_decimal(lines[4]);
    const auto until = parse_decimal(lines[5]);
    if (!index || !until) return bad();
    file.change = KeyChangeAt{.index = *index, .overlap_until = *until};
  }
  return file;
}

}  // namespace

Result<std::unique_ptr<SignerCore>> SignerCore::open(FileSystem& files, const Path& folder,
                                                     Random& random) {
  TRY(files.make_folders(folder));
  // The folder's own name; a confined signer cannot open the parent, and main has done it before.
  if (const auto synced = files.sync_folder(folder.parent_path());
      !synced && synced.error().code() != Code::kPermissionDenied) {
    return std::unexpected(synced.error());
  }
  std::unique_ptr<SignerCore> core(new SignerCore(files, folder, random));
  TRY(core->load_or_make_keys());
  TRY(core->read_state());
  return core;
}

void SignerCore::use(std::string origin, std::vector<crypto::SigningKey> keys,
                     std::optional<KeyChangeAt> change) {
  origin_ = std::move(origin);
  keys_ = std::move(keys);
  public_ = {.keys = {}, .change = change};
  for (const crypto::SigningKey& key : keys_) {
    public_.keys.push_back(ledger::log_verifier_key(origin_, key.public_key()));
  }
}

Result<void> SignerCore::write_keys(std::span<const crypto::SigningKey> keys,
                                    const std::optional<KeyChangeAt>& change) const {
  Sensitive<std::string> text(std::string(change ? kTwoKeys : kOneKey) + "\n" + origin_ + "\n");
  for (const crypto::SigningKey& key : keys) {
    const Sensitive<Digest> seed = key.seed();
    text.reveal() += to_base64(seed.reveal()) + "\n";
  }
  if (change) {
    text.reveal() += size_text(change->index) + "\n" + size_text(change->overlap_until) + "\n";
  }
  return write_file_atomically(files_, folder_ / kKeyFile, as_bytes(text.reveal()));
}

Result<void> SignerCore::make_keys() {
  std::vector<crypto::SigningKey> keys;
  keys.push_back(crypto::SigningKey::generate(random_));
  std::string origin = ledger::log_origin(keys.front().public_key());
  use(std::move(origin), std::move(keys), std::nullopt);
  return write_keys(keys_, std::nullopt);
}

Result<void> SignerCore::load_or_make_keys() {
  const Path path = folder_ / kKeyFile;
  if (TRY(files_.exists(path))) {
    const Sensitive<Bytes> text(TRY(read_file(files_, path, 4096)));
    KeyFile file = TRY(parse_key_file(as_text(text.reveal())));
    use(std::move(file.origin), std::move(file.keys), file.change);
    return {};
  }
  if (TRY(files_.exists(folder_ / "state"))) {
    return fail(Code::kDataLoss,
                "the signer's folder holds a state but no log.key; restore the key from a backup");
  }
  return make_keys();
}

Result<void> SignerCore::read_state() {
  const Path path = folder_ / "state";
  const bool there = TRY(files_.exists(path));
  file_ = TRY(files_.open(path, OpenMode::kCreate));
  const std::uint64_t size = TRY(file_->size());
  if (size < 2 * kSlotBytes) {
    // Never synced in full, so nothing was ever recorded in it.
    TRY(clear_state());
    return files_.sync_folder(folder_);
  }
  if (!there) return {};
  for (std::uint64_t slot = 0; slot < 2; ++slot) {
    Bytes bytes(kRecordBytes);
    TRY(file_->read_at(slot * kSlotBytes, bytes));
    const auto record = decode_state(bytes);
    if (!record || (has_durable_ && record->sequence <= sequence_)) continue;
    sequence_ = record->sequence;
    durable_ = {.size = record->size, .root = record->root};
    has_durable_ = true;
  }
  return {};
}

Result<void> SignerCore::check_usable() const {
  if (broken_) {
    return fail(Code::kDataLoss,
                "the signer's state could not be written; restart when its disk is well");
  }
  return {};
}

Result<ledger::Checkpoint> SignerCore::own_head(std::string_view note) const {
  Result<ledger::Checkpoint> head = fail(Code::kNotFound, "no key");
  for (const ledger::VerifierKey& key : public_.keys) {
    auto opened = ledger::open_checkpoint(note, key);
    if (opened) return std::move(opened->head);
    // A wrong signature says more than a missing one.
    if (head.error().code() != Code::kDataLoss) head = std::unexpected(opened.error());
  }
  return head;
}

Result<void> SignerCore::take_last_head(std::string_view last_head) {
  const std::lock_guard lock(mutex_);
  TRY(check_usable());
  if (opened_) return fail(Code::kFailedPrecondition, "the signer was told its last head before");
  Head head{.size = 0, .root = ledger::empty_root()};
  if (!last_head.empty()) {
    const auto signed_head = own_head(last_head);
    if (!signed_head) {
      return fail(Code::kDataLoss, "the log's last head does not carry this signer's signature: " +
                                       signed_head.error().message());
    }
    head = {.size = signed_head->size, .root = signed_head->root};
  }
  if (has_durable_ && durable_.size > head.size) {
    return fail(Code::kDataLoss,
                "the log's folder ends at size " + size_text(head.size) +
                    ", but its signer has signed size " + size_text(durable_.size) +
                    " and knows that it was flushed: the folder was rolled back or lost entries; "
                    "restore the newest copy of journal/ and ledger/");
  }
  if (has_durable_ && durable_.size == head.size && durable_.root != head.root) {
    return fail(Code::kDataLoss, "the log's folder holds another history of size " +
                                     size_text(head.size) + " than its signer has signed");
  }
  last_ = head;
  last_note_ = last_head;
  if (head.size != 0) confirmed_ = head;
  opened_ = true;
  return {};
}

Result<std::string> SignerCore::sign(const SignRequest& request) {
  const auto refuse = [](std::string why) { return fail(Code::kPermissionDenied, std::move(why)); };
  TRY(note_flushed(request.flushed_size));
  const std::lock_guard lock(mutex_);
  TRY(check_usable());
  if (!opened_) return refuse("the signer was not told the log's last head yet");
  if (request.new_size == last_.size && !last_note_.empty() && request.new_root == last_.root) {
    return last_note_;
  }
  if (request.new_size <= last_.size) {
    return refuse("a head of size " + size_text(request.new_size) + " was asked for, but size " +
                  size_text(last_.size) + " is signed");
  }
  if (request.old_size != last_.size) {
    return refuse("the head to extend is not the last one signed");
  }
  if (unflushed_.size() >= kMaxUnflushed) return refuse("too many heads that were not flushed");
  // Every tree extends the empty one, which no proof is needed or possible for.
  if (last_.size != 0) {
    const auto extends = ledger::verify_consistency(last_.size, request.new_size, last_.root,
                                                    request.new_root, request.proof);
    if (!extends) {
      return refuse("the new head is no proven extension of the last one: " +
                    extends.error().message());
    }
  }
  std::vector<const crypto::SigningKey*> keys;
  for (const crypto::SigningKey& key : keys_) keys.push_back(&key);
  last_ = {.size = request.new_size, .root = request.new_root};
  last_note_ = ledger::sign_checkpoint(
      {.origin = origin_, .size = request.new_size, .root = request.new_root, .extensions = {}},
      keys);
  unflushed_.push_back(last_);
  return last_note_;
}

Result<void> SignerCore::change_key(const KeyChangeAt& change) {
  const std::lock_guard lock(mutex_);
  TRY(check_usable());
  const auto refuse = [](std::string why) {
    return fail(Code::kFailedPrecondition, std::move(why));
  };
  if (!opened_) return refuse("the signer was not told the log's last head yet");
  if (change.index < last_.size || change.overlap_until <= change.index) {
    return refuse("a key changes by an entry that is not written yet, and overlaps it");
  }
  // A change whose entry never became durable is made again, with the key made then.
  if (public_.change && public_.change->index < last_.size) {
    return refuse("the key was changed at entry " + size_text(public_.change->index) +
                  ", and the older key is held until size " +
                  size_text(public_.change->overlap_until) + " is passed by a start");
  }
  std::vector<crypto::SigningKey> keys;
  for (const crypto::SigningKey& key : keys_) {
    keys.push_back(crypto::SigningKey::from_seed(key.seed()));
  }
  if (keys.size() == 1) keys.push_back(crypto::SigningKey::generate(random_));
  TRY(write_keys(keys, change));
  use(origin_, std::move(keys), change);
  return {};
}

Result<void> SignerCore::drop_old_key() {
  const std::lock_guard lock(mutex_);
  TRY(check_usable());
  if (!opened_ || !public_.change || last_.size <= public_.change->overlap_until) {
    return fail(Code::kFailedPrecondition, "the older key is held until its overlap is over");
  }
  std::vector<crypto::SigningKey> keys;
  keys.push_back(crypto::SigningKey::from_seed(keys_.back().seed()));
  TRY(write_keys(keys, std::nullopt));
  use(origin_, std::move(keys), std::nullopt);
  return {};
}

Result<void> SignerCore::replace_log(std::string_view last_head) {
  const std::lock_guard disk(disk_mutex_);
  const std::lock_guard lock(mutex_);
  TRY(check_usable());
  const auto parsed = ledger::parse_signed_checkpoint(last_head);
  if (!parsed) return std::unexpected(parsed.error());
  if (parsed->head.origin != origin_) return {};  // done before
  const auto head = own_head(last_head);
  const auto is_head = [&](const Head& known) {
    return head && known.size == head->size && known.root == head->root;
  };
  if (!head || (has_durable_ && !is_head(durable_)) || (opened_ && !is_head(last_))) {
    return fail(Code::kDataLoss, "the log cannot end there: it is not the last head signed");
  }
  // The state first: a key without a state is a new log, a state without its key is damage.
  auto done = clear_state();
  if (done) done = make_keys();
  if (!done) {
    broken_ = true;
    return done;
  }
  opened_ = false;
  last_ = {};
  last_note_.clear();
  unflushed_.clear();
  confirmed_.reset();
  durable_ = {};
  has_durable_ = false;
  return {};
}

Result<void> SignerCore::clear_state() {
  const Bytes zeros(2 * kSlotBytes);
  TRY(file_->write_at(0, zeros));
  return file_->sync();
}

Result<void> SignerCore::note_flushed(std::uint64_t size) {
  const std::lock_guard lock(mutex_);
  if (!opened_) {
    return fail(Code::kPermissionDenied, "the signer was not told the log's last head yet");
  }
  if (size == 0 || (confirmed_ && size <= confirmed_->size)) return {};
  while (!unflushed_.empty() && unflushed_.front().size < size) unflushed_.pop_front();
  if (unflushed_.empty() || unflushed_.front().size != size) {
    return fail(Code::kPermissionDenied, "a head is said to be flushed that was not signed");
  }
  confirmed_ = unflushed_.front();
  unflushed_.pop_front();
  return {};
}

Result<void> SignerCore::sync_state() {
  const std::lock_guard disk(disk_mutex_);
  Head head;
  {
    const std::lock_guard lock(mutex_);
    TRY(check_usable());
    if (!confirmed_ || (has_durable_ && confirmed_->size <= durable_.size)) return {};
    head = *confirmed_;
  }
  const Bytes record = encode_state(sequence_ + 1, head.size, head.root);
  const std::uint64_t slot = (sequence_ + 1) % 2;
  auto done = file_->write_at(slot * kSlotBytes, record);
  if (done) done = file_->sync();
  const std::lock_guard lock(mutex_);
  if (!done) {
    broken_ = true;
    return done;
  }
  ++sequence_;
  durable_ = head;
  has_durable_ = true;
  return {};
}

}  // namespace candor::store
