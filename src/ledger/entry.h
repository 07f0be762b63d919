// Ledger entries: versioned types with one canonical form each (RFC 8785; docs/formats/entries.md;
// A12, S7). encode() is total for values within the bounds below and otherwise kInvalidArgument;
// decode() accepts only the canonical form: unknown types, versions and keys, duplicate keys, lone
// surrogates and any other spelling are kInvalidArgument.
//
// An entry never holds a person's name, an address, a path or free text: people are pseudonyms,
// texts are commitments. Names of models are labels from the configuration ([A-Za-z0-9._:/@+-],
// at most 128 bytes). Counts that may pass 2^53-1 and fractions are decimal strings in JSON.
// Pure; thread-safe.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/result.h"

namespace candor::ledger {

inline constexpr std::size_t kMaxEntryBytes = 65'535;  // tlog-tiles bundles use 16-bit lengths

// When: wall time, the run's boot nonce and monotonic time since that run's start.
struct Stamp {
  std::int64_t time_us = 0;  // UTC, since the Unix epoch
  Id128 boot{};
  std::int64_t mono_us = 0;
};

enum class Basis : std::uint8_t { kMeasured, kDeclared };  // S18

// What answered: P7. Digests are SHA-256; template absent when the model has none.
struct Provenance {
  std::string model;  // label
  Digest weights{};
  std::vector<Digest> adapters;
  std::optional<Digest> chat_template;
  Digest engine{};
  Basis weights_basis = Basis::kDeclared;
  Basis template_basis = Basis::kDeclared;
  Basis engine_basis = Basis::kDeclared;
  Basis usage_basis = Basis::kDeclared;
};

// Retention: the closed log that this one follows, by its last head (S7).
struct ClosedLog {
  std::string origin;
  std::uint64_t size = 0;
  Digest root{};
};

// One run of the monitor. The first entry of every log and of every run.
struct Start {
  Stamp at;
  Id128 log_id{};            // random, the same in every run of this log
  std::string machine_boot;  // the kernel's boot id
  std::string mode;          // "service" | "own_user"
  std::string version;       // Candor's
  std::string log_key;       // C2SP vkey in force
  std::uint64_t previous_size = 0;
  Digest previous_root{};
  std::optional<ClosedLog> continues;
};

struct Stop {
  Stamp at;
  std::string reason;
};  // "signal" | "admin"

// The head over this entry, and every head until overlap_until (tree size), carries both keys.
struct KeyChange {
  Stamp at;
  std::string new_key;
  std::string old_key;
  std::uint64_t overlap_until = 0;
};

// A clock that stepped back by this much.
struct ClockStep {
  Stamp at;
  std::int64_t back_us = 0;
};

struct Confinement {  // measured, read back from the child (A5)
  bool no_new_privs = false;
  bool seccomp = false;
  std::uint32_t landlock_abi = 0;  // 0: none
  bool network_namespace = false, pid_namespace = false, mount_namespace = false;
  bool memory_limit = false;
  bool confined = false;  // at least no_new_privs, seccomp and Landlock's file rules
};

struct Load {
  Stamp at;
  Id128 load{};  // named by intents and unload
  Provenance provenance;
  std::uint64_t weights_bytes = 0;
  std::string engine_build;  // label, e.g. llama.cpp-v0.5.0
  Digest cpu{};              // of CPU model and features
  Digest parameters{};       // of the engine's arguments
  std::uint32_t context = 0, slots = 0, threads = 0;
  Confinement confinement;
  std::string kernel_probe;           // "passed" | "failed" | "skipped"
  std::optional<Digest> model_probe;  // digest of the first greedy tokens
  std::string model_probe_result;     // "first" | "same" | "changed" | "skipped"
  std::optional<std::string> cache;   // upstreams: "not_assured" | "asked" (S9)
};

struct Unload {
  Stamp at;
  Id128 load{};
  std::string reason;
};  // idle|evicted|stop|crash|hang|lease_broken|memory

// What a policy decided (P9), from what was found; no text of the exchange stands in it.
struct PolicyDecision {
  Digest policy{};                 // of the rules, docs/formats/policy.md
  std::string effect;              // the strictest in force: "deny" | "redact" | ... | "allow"
  std::vector<std::string> rules;  // ids of those that fired, the strictest first
  struct Found {                   // findings that agree in everything but their place
    std::string action;            // "redact" | "pseudonymise" | ""
    std::string class_name, detector;
    int confidence = 0;
    std::uint32_t count = 0;
    std::string field;  // "messages/0/content"
  };
  std::vector<Found> findings;
  std::vector<Id128> exceptions;  // that kept rules from counting (docs/governance.md)
  // What conditions saw besides, as far as it names nobody.
  std::string model;                               // that was asked for, or ""
  bool local = false;                              // it runs here, measured
  std::string team, purpose;                       // or ""
  std::vector<std::string> groups, jurisdictions;  // those that are labels
  std::string network;                             // "loopback" | "unix" | "private" | "public"
  std::uint64_t messages = 0, characters = 0;
  std::uint32_t tools = 0;
  bool justified = false, approved = false;
};

struct Intent {
  Stamp at;
  Id128 exchange{};
  std::string caller;           // pseudonym, 32 hex digits
  std::string caller_known_by;  // "unix_socket" | "loopback" | "api_key" | ...
  std::string api;              // "openai.chat" | "openai.completions" | "anthropic.messages" | ...
  bool stream = false;
  Id128 load{};
  Provenance provenance;
  struct Parameters {  // in force, whoever chose them (A7)
    std::uint64_t seed = 0;
    bool seed_by_caller = false;
    std::optional<std::uint32_t> max_tokens;
    std::optional<std::string> temperature, top_p;  // decimal strings
    std::optional<std::uint32_t> top_k;
    std::uint32_t stops = 0, choices = 1;
    bool logprobs = false;
  } parameters;
  std::string repeatable;  // "promised" | "best_effort"
  std::uint32_t dropped_fields = 0;
  std::string content;                   // "sealed" | "none"
  std::optional<PolicyDecision> policy;  // none: no policy is in force
  Digest received{}, forwarded{};        // transcript commitments, filled by the exchange record
  std::uint64_t received_bytes = 0;
};

// A decision that stands by itself: a request that was refused by it, which has no intent, or what
// was decided about an answer, before its outcome.
struct Decision {
  Stamp at;
  Id128 exchange{};
  std::optional<std::uint64_t> intent_index;  // about an answer
  std::string phase;                          // "request" | "answer"
  std::string caller, caller_known_by;        // as in an intent
  std::string api;
  std::string model;  // label, or "" if it names none of ours
  bool stream = false;
  PolicyDecision policy;
};

struct Progress {
  Stamp at;
  Id128 exchange{};
  std::uint64_t intent_index = 0;
  std::uint64_t released_bytes = 0;
};

struct Outcome {
  Stamp at;
  Id128 exchange{};
  std::uint64_t intent_index = 0;
  Digest intent_leaf{};
  std::string result;  // "complete" | "cancelled" | "stopped" | "policy" | "engine_error" |
                       // "deadline"
  std::string finish;  // "stop" | "length" | ...
  std::uint16_t status = 200;
  std::uint64_t prompt_tokens = 0, completion_tokens = 0, cached_tokens = 0;
  std::int64_t queued_us = 0, first_token_us = 0, total_us = 0;
  Digest produced{}, released{};
  std::uint64_t released_bytes = 0;
};

struct Abort {
  Stamp at;
  Id128 exchange{};
  std::uint64_t intent_index = 0;
  Digest intent_leaf{};
  std::string reason;  // "crash" | "engine_lost" | "lease_broken" | "shutdown" | "ledger"
  std::uint64_t released_bytes = 0;  // the last recorded length
};

// Aggregated when the caller is unknown: one entry per cause, source and window (S17).
struct Refusal {
  Stamp at;
  std::string cause;  // closed set, docs/formats/entries.md
  std::uint16_t status = 0;
  std::string caller;  // pseudonym or ""
  std::string api;
  std::uint64_t count = 1;
  std::int64_t window_us = 0;
};

struct Configuration {
  Stamp at;
  Digest digest{};
  std::vector<std::string> changed;
  Id128 note{};
};

// The rules and detectors in force from here on; the first of a run, and each that replaces it.
struct PolicyChange {
  Stamp at;
  Digest digest{};                 // of the rules
  std::optional<Digest> previous;  // those before in this run
  Digest detectors{};              // of the packs' texts
  std::uint32_t rules = 0;
};

struct Erasure {
  Stamp at;
  Id128 act{};                   // also the note id under which the reason is sealed
  std::string scope;             // "exchange" | "caller" | "field"
  std::vector<Id128> exchanges;  // at most 1,000 an entry; more take more entries
  std::optional<std::vector<std::string>> fields = std::nullopt;  // paths, of scope "field"
  std::string caller;                                             // pseudonym, or ""
  std::string actor;                                              // pseudonym
  std::optional<std::string> approver;
  Digest reason{};
};

// Any other administrative act (S15).
struct Admin {
  Stamp at;
  Id128 act{};
  std::string verb;   // "key.create" | "key.revoke" | "model.load" | "model.unload" | ...
  std::string actor;  // pseudonym
  std::optional<std::string> approver;
  std::optional<std::string> finding;  // model.load: the gate's finding that refused the file
  std::string object;                  // an id or label of ours, never a name of a person
  Digest reason{};
  std::string result;  // "done" or a code
};

using Entry =
    std::variant<Start, Stop, KeyChange, ClockStep, Load, Unload, Intent, Progress, Outcome, Abort,
                 Refusal, Configuration, Erasure, Admin, Decision, PolicyChange>;

// A fraction as entries write it: plain decimal, no exponent, no trailing zeros, at most 9 digits
// before and 17 after the point ("0.7", "1"). kInvalidArgument for what does not fit or is
// negative.
[[nodiscard]] Result<std::string> decimal_text(double value);

// The name of an entry's type in its text: "intent", "outcome", ...
[[nodiscard]] std::string_view type_name(const Entry& entry);

// encode into a buffer that is reused; out is replaced.
[[nodiscard]] Result<void> encode_to(std::string& out, const Entry& entry);
[[nodiscard]] Result<std::string> encode(const Entry& entry);
[[nodiscard]] Result<Entry> decode(std::string_view text);

}  // namespace candor::ledger
