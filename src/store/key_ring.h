// Keys of content and people (docs/formats/key-table.md; S2, S3): the local key, the epoch key of
// this run (at most a day), auditors' public keys, subjects and their pseudonyms.
//
// Thread-safe. The epoch key lives in memory only; on disk it stands sealed to each auditor.
// Without an auditor nobody could ever open sealed content, so the mode in force is then kNone.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/file_system.h"
#include "base/result.h"
#include "base/sensitive.h"
#include "base/transcript.h"
#include "ledger/commitment.h"
#include "store/data_folder.h"
#include "store/ledger.h"

namespace candor::store {

class KeyTable;  // store/key_table.h
class StateDb;   // store/state_db.h

enum class ContentMode : std::uint8_t { kNone, kSealed };
[[nodiscard]] std::string_view to_string(ContentMode mode) noexcept;  // "none" | "sealed"

using AuditorKey = std::array<std::byte, 32>;  // X25519 public half

struct Subject {
  Id128 id{};
  std::string pseudonym;  // 32 hex digits; what entries hold
};

struct Auditor {
  AuditorKey key{};
  std::string label;  // ours, [A-Za-z0-9._-]
};

class KeyRing {
 public:
  struct Options {
    ContentMode content = ContentMode::kSealed;
    std::size_t inline_limit_bytes = 64U << 10U;  // sealed records above it get a file of their own
    std::int64_t epoch_us = 86'400'000'000;       // at most a day
  };
  // Makes local.key on first use, starts a new epoch. table and state must outlive the ring.
  [[nodiscard]] static Result<std::unique_ptr<KeyRing>> open(FileSystem& files,
                                                             const DataPaths& paths,
                                                             const Options& options,
                                                             KeyTable& table, StateDb& state,
                                                             Random& random, Clock& clock);
  ~KeyRing();

  // The subject of this name ("key:<id>", "uid:1000", "anonymous"): made, with a slot of its own in
  // the key table and a row in the state database, when first seen (two flushes, then cached).
  [[nodiscard]] Result<Subject> subject(std::string_view name);
  // As subject(), but kNotFound when it was never seen or is erased.
  [[nodiscard]] Result<Subject> find_subject(std::string_view name);
  // Forgets an erased subject; the erasure itself is store/erase.h's.
  void forget_subject(const Id128& id);

  // What intents say: kNone when configured so or when no auditor is registered.
  [[nodiscard]] ContentMode content_mode() const;
  // Registers a public key and starts a new epoch sealed to it too.
  [[nodiscard]] Result<void> add_auditor(const AuditorKey& key, std::string_view label);
  [[nodiscard]] std::vector<Auditor> auditors() const;

  // --- for the store's own use ---
  struct Epoch {
    std::uint32_t number = 0;
    Sensitive<Digest> key;
  };
  [[nodiscard]] Result<std::shared_ptr<const Epoch>> epoch();  // rotates when a day has passed
  [[nodiscard]] const Sensitive<Digest>& local_key() const noexcept { return local_; }
  [[nodiscard]] Random& random() const noexcept { return random_; }
  [[nodiscard]] Clock& clock() const noexcept { return clock_; }
  [[nodiscard]] FileSystem& files() const noexcept { return files_; }
  [[nodiscard]] const DataPaths& paths() const noexcept { return paths_; }
  [[nodiscard]] std::size_t inline_limit_bytes() const noexcept {
    return options_.inline_limit_bytes;
  }

 private:
  KeyRing(FileSystem& files, DataPaths paths, const Options& options, KeyTable& table,
          StateDb& state, Random& random, Clock& clock);
  [[nodiscard]] Result<void> start_epoch();  // mutex_ held
  [[nodiscard]] Result<Subject> load_subject(std::string_view name);

  FileSystem& files_;
  DataPaths paths_;
  Options options_;
  KeyTable& table_;
  StateDb& state_;
  Random& random_;
  Clock& clock_;
  Sensitive<Digest> local_;
  mutable std::mutex mutex_;
  std::vector<Auditor> auditors_;
  std::shared_ptr<const Epoch> epoch_;
  std::int64_t epoch_until_us_ = 0;
  std::unordered_map<std::string, Subject> subjects_;
};

// A text of an administrative act (reason, name, path) that an entry commits to: under an erasable
// root of its own, its id is the act's (docs/formats/commitments.md).
struct SealedNote {
  Digest commitment{};         // for the entry
  std::vector<AuxRecord> aux;  // for the entry's submission
};
[[nodiscard]] Result<SealedNote> seal_note(KeyRing& keys, const Id128& act, const Id128& subject,
                                           const Transcript& fields);
// One field named `reason`.
[[nodiscard]] Result<SealedNote> seal_reason(KeyRing& keys, const Id128& act, const Id128& subject,
                                             std::string_view reason);

}  // namespace candor::store
