#include "store/internal/signer_core.h"

#include <algorithm>

#include "base/text.h"
#include "crypto/hash.h"
#include "ledger/merkle.h"

namespace candor::store {
namespace {

constexpr std::string_view kMagic = "CANDSIG1";
constexpr std::string_view kKeyPrefix = "candor-log-key-v1";
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

struct LogKey {
  std::string origin;
  crypto::SigningKey key;
};

// Three lines: the format's name, the log's origin, base64 of the seed.
Result<LogKey> parse_log_key(std::string_view text) {
  const auto bad = [] {
    return fail(Code::kDataLoss,
                "the log's key file is damaged; restore it from a backup: a log "
                "cannot go on under another key");
  };
  const std::size_t first = text.find('\n');
  const std::size_t second = first == std::string_view::npos ? first : text.find('\n', first + 1);
  if (second == std::string_view::npos || text.back() != '\n') return bad();
  if (text.substr(0, first) != kKeyPrefix) return bad();
  std::string origin(text.substr(first + 1, second - first - 1));
  const auto seed = digest_from_base64(text.substr(second + 1, text.size() - second - 2));
  if (!seed || origin.empty()) return bad();
  return LogKey{.origin = std::move(origin),
                .key = crypto::SigningKey::from_seed(Sensitive<Digest>(*seed))};
}

Result<LogKey> load_or_make_key(FileSystem& files, const Path& folder, Random& random) {
  const Path path = folder / "log.key";
  if (TRY(files.exists(path))) {
    const Sensitive<Bytes> text(TRY(read_file(files, path, 4096)));
    return parse_log_key(as_text(text.reveal()));
  }
  if (TRY(files.exists(folder / "state"))) {
    return fail(Code::kDataLoss,
                "the signer's folder holds a state but no log.key; restore the key from a backup");
  }
  auto key = crypto::SigningKey::generate(random);
  std::string origin = ledger::log_origin(key.public_key());
  const Sensitive<Digest> seed = key.seed();
  const Sensitive<std::string> text(std::string(kKeyPrefix) + "\n" + origin + "\n" +
                                    to_base64(seed.reveal()) + "\n");
  TRY(write_file_atomically(files, path, as_bytes(text.reveal())));
  return LogKey{.origin = std::move(origin), .key = std::move(key)};
}

}  // namespace

SignerCore::SignerCore(FileSystem& files, Path folder, crypto::SigningKey key,
                       ledger::VerifierKey verifier)
    : files_(files),
      folder_(std::move(folder)),
      key_(std::move(key)),
      verifier_(std::move(verifier)) {}

Result<std::unique_ptr<SignerCore>> SignerCore::open(FileSystem& files, const Path& folder,
                                                     Random& random) {
  TRY(files.make_folders(folder));
  // The folder's own name; a confined signer cannot open the parent, and main has done it before.
  if (const auto synced = files.sync_folder(folder.parent_path());
      !synced && synced.error().code() != Code::kPermissionDenied) {
    return std::unexpected(synced.error());
  }
  LogKey key = TRY(load_or_make_key(files, folder, random));
  auto verifier = ledger::log_verifier_key(key.origin, key.key.public_key());
  std::unique_ptr<SignerCore> core(
      new SignerCore(files, folder, std::move(key.key), std::move(verifier)));
  TRY(core->read_state());
  return core;
}

Result<void> SignerCore::read_state() {
  const Path path = folder_ / "state";
  const bool there = TRY(files_.exists(path));
  file_ = TRY(files_.open(path, OpenMode::kCreate));
  const std::uint64_t size = TRY(file_->size());
  if (size < 2 * kSlotBytes) {
    // Never synced in full, so nothing was ever recorded in it.
    const Bytes zeros(2 * kSlotBytes);
    TRY(file_->write_at(0, zeros));
    TRY(file_->sync());
    TRY(files_.sync_folder(folder_));
    return {};
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

Result<void> SignerCore::take_last_head(std::string_view last_head) {
  const std::lock_guard lock(mutex_);
  TRY(check_usable());
  if (opened_) return fail(Code::kFailedPrecondition, "the signer was told its last head before");
  Head head{.size = 0, .root = ledger::empty_root()};
  if (!last_head.empty()) {
    const auto signed_head = ledger::open_checkpoint(last_head, verifier_);
    if (!signed_head) {
      return fail(Code::kDataLoss, "the log's last head does not carry this signer's signature: " +
                                       signed_head.error().message());
    }
    head = {.size = signed_head->head.size, .root = signed_head->head.root};
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
  const crypto::SigningKey* keys[] = {&key_};
  last_ = {.size = request.new_size, .root = request.new_root};
  last_note_ = ledger::sign_checkpoint({.origin = verifier_.name,
                                        .size = request.new_size,
                                        .root = request.new_root,
                                        .extensions = {}},
                                       keys);
  unflushed_.push_back(last_);
  return last_note_;
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
