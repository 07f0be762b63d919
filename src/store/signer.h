// The holder of the log's signing key (S5). It signs tree heads and nothing else, each a proven
// extension of the last one it signed. Three forms of one object: SignerCore (pure rules and
// state; tests), the same behind one socket in the process candor-signer (production), and
// in-process for tools and tests.
//
// Rules: a request names the head it extends; it must be the last head signed in this run. Signing
// the last head again is answered with the same head. Anything at or below a signed size is
// refused, as is a root that the consistency proof does not lead to. The durable state holds only
// heads that the monitor confirmed as flushed, so that after a crash a signed but unflushed head
// (never released) may be replaced. It is synced at least once a second, never on the hot path.
//
// Keys (docs/formats/log-key.md): one, or two while the log's key changes; every head is then
// signed by both. Which of them is in force, the log says; the signer only holds them.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/file_system.h"
#include "base/result.h"
#include "crypto/sign.h"
#include "ledger/checkpoint.h"
#include "ledger/note.h"

namespace candor::store {

struct SignRequest {
  std::uint64_t old_size = 0;  // of the head that this extends
  std::uint64_t new_size = 0;
  Digest new_root{};
  std::span<const Digest> proof;   // consistency, RFC 9162
  std::uint64_t flushed_size = 0;  // the newest head that is known to be flushed
};

// Where the newer of two keys comes into force: the index of the key_change entry, and the last
// size whose head both sign.
struct KeyChangeAt {
  std::uint64_t index = 0;
  std::uint64_t overlap_until = 0;
  bool operator==(const KeyChangeAt&) const = default;
};
struct LogKeys {
  std::vector<ledger::VerifierKey> keys;  // one, or the older and the newer
  std::optional<KeyChangeAt> change;      // with two
};

class Signer {
 public:
  virtual ~Signer() = default;
  // Known once open() has returned.
  [[nodiscard]] virtual const LogKeys& keys() const = 0;
  // The newest: in force, or coming into force by the start that is being made.
  [[nodiscard]] const ledger::VerifierKey& key() const { return keys().keys.back(); }
  // Once, before the first sign(): the journal's last head (empty for a new log). It is taken where
  // it is newer than the durable state and carries this signer's own signature.
  // kDataLoss: the durable state is newer (the folder was rolled back; both sizes are named), or
  // the head is not this log's.
  [[nodiscard]] virtual Result<void> open(std::string_view last_head) = 0;
  // The signed checkpoint. kPermissionDenied: a rule above refuses it. kUnavailable: the signer is
  // gone; the log is poisoned and the monitor must end. begin() and finish() are the two halves, so
  // that the caller can do other work meanwhile; one request at a time.
  [[nodiscard]] virtual Result<void> begin(const SignRequest& request) = 0;
  [[nodiscard]] virtual Result<std::string> finish() = 0;
  [[nodiscard]] Result<std::string> sign(const SignRequest& request) {
    TRY(begin(request));
    return finish();
  }
  // Makes the key that the entry of this index brings into force; from now on both sign. Durable
  // when it returns. Asked again for an entry that never became durable, it keeps the key made
  // then. kFailedPrecondition: another change is in force and its overlap is not over.
  [[nodiscard]] virtual Result<void> change_key(const KeyChangeAt& change) = 0;
  // Destroys the older key. kFailedPrecondition: the overlap is not over.
  [[nodiscard]] virtual Result<void> drop_old_key() = 0;
  // The log ends with this head: destroys its keys and begins anew, with a key for another log, as
  // if just made; open() follows. Nothing happens when the head is of another log (done before).
  // kDataLoss: the head is not the last one signed.
  [[nodiscard]] virtual Result<void> replace_log(std::string_view last_head) = 0;
  // Tells that this head is flushed, and returns when the signer's state holds it (shutdown).
  [[nodiscard]] virtual Result<void> confirm(std::uint64_t flushed_size) = 0;
  // False when the signer's process has ended. Any thread.
  [[nodiscard]] virtual bool alive() const { return true; }
};

// In this process: for tests, benchmarks without the process, and tools. folder holds log.key
// (made on first use) and state.
[[nodiscard]] Result<std::unique_ptr<Signer>> open_local_signer(FileSystem& files,
                                                                const Path& folder, Random& random,
                                                                Clock& clock);

// Starts build/bin/candor-signer with one inherited socket. Call while this process has one thread,
// and before restrict_monitor(). The child ends when the socket closes.
struct SignerProcessOptions {
  Path binary;
  Path folder;  // DataPaths::signer()
};
[[nodiscard]] Result<std::unique_ptr<Signer>> start_signer_process(
    const SignerProcessOptions& options);
// A signer that somebody else started (systemd, under a user of its own), on this Unix socket; the
// peer must be expected_uid.
[[nodiscard]] Result<std::unique_ptr<Signer>> connect_signer(const Path& socket,
                                                             std::uint32_t expected_uid);
// Takes the descriptor of a connected SOCK_SEQPACKET socket.
[[nodiscard]] Result<std::unique_ptr<Signer>> signer_over_socket(int descriptor);

// The signer's side, until the peer closes; what apps/candor-signer calls.
[[nodiscard]] Result<void> serve_signer(int descriptor, FileSystem& files, const Path& folder,
                                        Random& random, Clock& clock);

// The signer as a service: makes the socket (owner and group may connect), then serves one monitor
// of that user at a time, each connection as a run of its own, until it fails. kFailedPrecondition:
// another signer holds the folder.
[[nodiscard]] Result<int> listen_for_monitor(const Path& socket);
[[nodiscard]] Result<void> serve_monitors(int listener, std::uint32_t client, FileSystem& files,
                                          const Path& folder, Random& random, Clock& clock);

}  // namespace candor::store
