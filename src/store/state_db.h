// What the log cannot hold, in SQLite: state.db (API keys, subjects' names: not rebuildable, every
// change synced, secure delete) and index.db (exchange -> entries and places of its content:
// rebuilt from the published log and the key table when lost).
//
// Thread-safe; calls may block on the disk, so keep them off I/O threads.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/file_system.h"
#include "base/result.h"
#include "base/sensitive.h"
#include "base/thread.h"
#include "store/data_folder.h"

namespace candor::store {

// What the administrator says of a key (C7); people's names perhaps: never in an entry.
struct KeyFacts {
  std::string owner;    // whose it is; "" or as budgets name users
  std::string team;     // "" or who shares a budget with it
  std::string purpose;  // what policy may ask for
  bool operator==(const KeyFacts&) const = default;
};

struct ApiKey {
  std::string id;      // 16 hex digits; the subject's name is "key:<id>"
  std::string name;    // given by the administrator; a person's name perhaps: never in an entry
  std::string prefix;  // "cnd_" and 4 characters, to recognise it by
  std::int64_t created_us = 0;
  std::optional<std::int64_t> expires_us;
  std::vector<std::string> models;  // allowed; empty: all
  bool revoked = false;
  KeyFacts facts;
};

// What an operator has stopped until it is resumed (C13). The reason stands here in clear, since
// people who are refused are told it, until then.
struct Halt {
  std::string scope;   // "all" | "model" | "user" | kRevoked...
  std::string object;  // "", a model's label, a subject's name, or a digest in hex
  std::string reason;
  std::int64_t since_us = 0;
  bool operator==(const Halt&) const = default;
};

// A list of revocations in force (docs/formats/revocations.md). What it holds stands among the
// halts, in the scope kRevoked + key.
struct RevocationIssuer {
  std::string key;  // 64 hex digits: SHA-256 of its SubjectPublicKeyInfo
  std::uint64_t sequence = 0;
  Digest document{};     // SHA-256 of what was signed
  std::string bundle{};  // that signs it
  bool operator==(const RevocationIssuer&) const = default;
};
// The scope of halts by weights: this for those of the operator, and with an issuer's key behind it
// for those of a list. Their objects are digests in hex.
inline constexpr std::string_view kRevoked = "weights";

// That a rule does not count for a caller until then (break-glass, C13, L9). Names and the reason
// stand here in clear until a day after it ended.
struct RuleException {
  Id128 id{};
  std::string rule;         // its id
  std::string caller;       // whom it serves, a subject's name
  std::string opened_by;    // likewise
  std::string approved_by;  // or ""
  std::string reason;
  std::int64_t opened_us = 0, until_us = 0;
  bool operator==(const RuleException&) const = default;
};

// What an account ("caller:<pseudonym>", "model:<label>") used in a window that began then (C8).
struct UseRow {
  std::string account;
  std::uint8_t window = 0;  // gateway::BudgetWindow
  std::int64_t start_s = 0;
  std::int64_t requests = 0, tokens_in = 0, tokens_out = 0, compute_us = 0;
};
// Counts of a log's entries below a position. Callers' teams are kept beside them, since they
// outlive the callers' names.
struct UseCounts {
  std::uint64_t position = 0;
  std::int64_t newest_us = 0;  // the newest time that was counted
  std::vector<UseRow> rows;
  std::vector<std::pair<std::string, std::string>> teams;  // pseudonym, team
};

enum class End : std::uint8_t { kOpen = 0, kOutcome = 1, kAbort = 2 };

// Where a sealed record stands in sealed/packs.
struct SealedPlace {
  std::uint64_t pack = 0;  // its name's number
  std::uint64_t offset = 0;
  bool operator==(const SealedPlace&) const = default;
};

struct ExchangeRow {
  Id128 id{};
  Id128 subject{};
  std::uint64_t intent = 0;
  std::uint64_t end = 0;  // meaningful unless kOpen
  End end_kind = End::kOpen;
  std::uint64_t released_bytes = 0;       // last progress
  std::optional<std::uint64_t> key_slot;  // in the key table
  std::optional<SealedPlace> request, answer;
  bool erased = false;
};

class StateDb {
 public:
  [[nodiscard]] static Result<std::unique_ptr<StateDb>> open(const DataPaths& paths);
  // For tests without a folder.
  [[nodiscard]] static Result<std::unique_ptr<StateDb>> in_memory();
  ~StateDb();

  // --- API keys (A9). The key itself is "cnd_" and 43 base64url characters; only its SHA-256
  // stays.
  struct NewApiKey {
    ApiKey key;
    Sensitive<std::string> secret;  // shown once
  };
  [[nodiscard]] Result<NewApiKey> create_api_key(std::string_view name,
                                                 std::optional<std::int64_t> expires_us,
                                                 std::vector<std::string> models, KeyFacts facts,
                                                 std::int64_t now_us, Random& random);
  [[nodiscard]] Result<std::vector<ApiKey>> list_api_keys();
  [[nodiscard]] Result<void> revoke_api_key(std::string_view id);
  // The key of this secret, revoked or expired ones too (the caller says which). kNotFound: none.
  // Answered from memory.
  [[nodiscard]] Result<ApiKey> find_api_key(std::string_view secret);

  // --- subjects
  struct SubjectRow {
    Id128 id{};
    std::uint64_t key_slot = 0;
  };
  [[nodiscard]] Result<std::optional<SubjectRow>> find_subject(std::string_view name);
  [[nodiscard]] Result<void> add_subject(std::string_view name, const SubjectRow& row);
  [[nodiscard]] Result<std::optional<std::string>> subject_name(const Id128& id);
  // All that are not erased.
  [[nodiscard]] Result<std::vector<std::string>> list_subject_names();
  // Removes the name; secure delete, and the write-ahead log is truncated.
  [[nodiscard]] Result<void> erase_subject(const Id128& id);

  // --- halts; one for each scope and object
  [[nodiscard]] Result<std::vector<Halt>> list_halts();
  [[nodiscard]] Result<void> put_halt(const Halt& halt);
  // This one and no newer one of its scope and object.
  [[nodiscard]] Result<void> remove_halt(const Halt& halt);

  // --- lists of revocations, one for each issuer
  [[nodiscard]] Result<std::vector<RevocationIssuer>> list_revocation_issuers();
  // The list and, in place of those of the issuer's scope, its halts: all or nothing. Of a list
  // that is not newer than the one kept, nothing.
  [[nodiscard]] Result<void> put_revocations(const RevocationIssuer& issuer,
                                             std::span<const Halt> halts);

  // --- exceptions from rules, the oldest first
  [[nodiscard]] Result<std::vector<RuleException>> list_exceptions();
  [[nodiscard]] Result<void> put_exception(const RuleException& one);  // or replaces it
  [[nodiscard]] Result<void> remove_exception(const Id128& id);

  // --- what callers and models used
  // Of this log; where another log's counts are kept, they become what this one's begin with.
  [[nodiscard]] Result<UseCounts> load_use(std::string_view origin);
  // What a log's counts begin with: nothing, or those of the log before it.
  [[nodiscard]] Result<UseCounts> load_use_before();
  // Replaces rows of the same account and window, in one transaction; those that began before
  // oldest_s are removed.
  [[nodiscard]] Result<void> save_use(const UseCounts& changed, std::int64_t oldest_s);

  [[nodiscard]] Result<void> keep_team(std::string_view pseudonym, std::string_view team);

  // --- the exchange index
  struct IndexUpdate {
    std::vector<ExchangeRow> exchanges;  // inserted, or merged into what is there
    std::uint64_t indexed_size = 0;      // entries below this are in the index
  };
  // One transaction, with rests between rows as the pacer says.
  [[nodiscard]] Result<void> update_index(const IndexUpdate& update, Pacer& pacer);
  [[nodiscard]] Result<std::uint64_t> indexed_size();
  [[nodiscard]] Result<void> clear_index();
  [[nodiscard]] Result<std::optional<ExchangeRow>> find_exchange(const Id128& id);
  [[nodiscard]] Result<std::vector<ExchangeRow>> open_exchanges();
  [[nodiscard]] Result<std::vector<ExchangeRow>> exchanges_of(const Id128& subject);
  // Forgets whose it was; the row stays to say that it is erased.
  [[nodiscard]] Result<void> mark_erased(std::span<const Id128> exchanges);

 private:
  struct State;
  explicit StateDb(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace candor::store
