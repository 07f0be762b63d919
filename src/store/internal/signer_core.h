// The signer's rules and durable state (S5), without any process or socket.
//
// State file: two slots of 4,096 bytes, written in turn; each holds magic "CANDSIG1", u64 sequence,
// u64 size, 32 bytes root and the first 8 bytes of SHA-256 of what stands before. A torn write
// leaves the other slot. Big-endian. The key file: docs/formats/log-key.md.
#pragma once

#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/file_system.h"
#include "base/result.h"
#include "crypto/sign.h"
#include "ledger/checkpoint.h"
#include "store/signer.h"

namespace candor::store {

class SignerCore {
 public:
  // Makes the key on first use. The folder must exist or be makeable.
  [[nodiscard]] static Result<std::unique_ptr<SignerCore>> open(FileSystem& files,
                                                                const Path& folder, Random& random);
  [[nodiscard]] const LogKeys& keys() const noexcept { return public_; }

  [[nodiscard]] Result<void> take_last_head(std::string_view last_head);
  [[nodiscard]] Result<std::string> sign(const SignRequest& request);
  // Says which head is flushed; cheap. kInvalidArgument: this run signed no such head.
  [[nodiscard]] Result<void> note_flushed(std::uint64_t size);
  [[nodiscard]] Result<void> change_key(const KeyChangeAt& change);
  [[nodiscard]] Result<void> drop_old_key();
  [[nodiscard]] Result<void> replace_log(std::string_view last_head);
  // Writes and syncs what was confirmed, if it is newer than the durable state. May run on another
  // thread than the rest.
  [[nodiscard]] Result<void> sync_state();

 private:
  struct Head {
    std::uint64_t size = 0;
    Digest root{};
  };
  SignerCore(FileSystem& files, Path folder, Random& random)
      : files_(files), folder_(std::move(folder)), random_(random) {}
  [[nodiscard]] Result<void> load_or_make_keys();
  [[nodiscard]] Result<void> make_keys();
  void use(std::string origin, std::vector<crypto::SigningKey> keys,
           std::optional<KeyChangeAt> change);
  [[nodiscard]] Result<void> write_keys(std::span<const crypto::SigningKey> keys,
                                        const std::optional<KeyChangeAt>& change) const;
  [[nodiscard]] Result<void> read_state();
  [[nodiscard]] Result<void> clear_state();
  [[nodiscard]] Result<void> check_usable() const;
  // The signed head of a note that one of the keys has signed.
  [[nodiscard]] Result<ledger::Checkpoint> own_head(std::string_view note) const;

  FileSystem& files_;
  Path folder_;
  Random& random_;
  std::string origin_;
  std::vector<crypto::SigningKey> keys_;  // as public_
  LogKeys public_;
  mutable std::mutex mutex_;  // guards what follows; never held while the disk is waited for
  bool opened_ = false;
  bool broken_ = false;  // the state could not be written: nothing more is signed
  Head last_;            // the last head signed, or taken
  std::string last_note_;
  std::deque<Head> unflushed_;  // signed in this run and not yet confirmed
  std::optional<Head> confirmed_;
  std::mutex disk_mutex_;  // one writer of the state file
  std::unique_ptr<File> file_;
  Head durable_;
  bool has_durable_ = false;
  std::uint64_t sequence_ = 0;
};

}  // namespace candor::store
