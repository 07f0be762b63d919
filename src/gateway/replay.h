// Other rules over recorded exchanges (C11): what they would have decided, from what the log holds
// of each decision (docs/formats/entries.md) and, where the caller has read sealed texts again
// (L8), from what is found in them now. What no entry holds is unknown; a rule that needs it is
// told as undecided rather than guessed.
//
//   Replay replay(policy, detectors, names);
//   for (each entry of the log, in order) replay.take(index, entry);
//   show(replay.finish());
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/bytes.h"
#include "dlp/detector.h"
#include "ledger/entry.h"
#include "policy/policy.h"

namespace candor::gateway {

// What an entry tells of the exchange that a decision was about.
struct RecordedDecision {
  std::string phase;                    // request, answer
  std::string caller, caller_known_by;  // pseudonym; as in an intent
  std::string api;
  bool stream = false;
  std::int64_t time_us = 0;
  std::optional<ledger::Intent::Parameters> parameters;  // of an intent
  std::optional<ledger::Provenance> provenance;          // likewise
  ledger::PolicyDecision policy;
};
[[nodiscard]] RecordedDecision recorded(const ledger::Intent& intent);  // its policy must be there
[[nodiscard]] RecordedDecision recorded(const ledger::Decision& decision);

// What the detectors of today find in the sealed texts of an exchange: where these are read again,
// facts are made of it instead of what was found then.
struct FoundAgain {
  std::vector<ledger::PolicyDecision::Found> request, answer;
};

using DetectorsById = std::map<std::string, dlp::Detector, std::less<>>;
using NamesByPseudonym = std::map<std::string, std::string, std::less<>>;

// The facts that decided, as far as they are known; names tells who a pseudonym is. Severity and
// countries of a finding are those of the detector of that id here.
[[nodiscard]] policy::Facts recall(const RecordedDecision& recorded, const DetectorsById& detectors,
                                   const NamesByPseudonym& names);

// Exchanges that would have been treated differently in the same way.
struct ReplayedGroup {
  std::string caller;              // name, or pseudonym
  std::string before, after;       // effects, as entries write them
  std::vector<std::string> rules;  // that decide now; where nothing does, that decided before
  // What happened to findings before and now: "financial: redact -> none", sorted.
  std::vector<std::string> findings;
  std::uint64_t exchanges = 0;
  std::uint64_t first_index = 0;  // of the first one's intent or decision
};

struct Replayed {
  std::uint64_t exchanges = 0;  // judged
  std::uint64_t unjudged = 0;   // no policy was in force, so nothing of them is recorded
  std::uint64_t different = 0;  // of those judged
  std::uint64_t undecided = 0;  // of those judged: some rule's answer is not known
  std::uint64_t truncated = 0;  // of those judged: more was found than their entries list
  std::uint64_t reread = 0;     // of those judged: by their texts, not by what was found then
  std::map<std::string, std::uint64_t> undecided_rules;    // in how many exchanges
  std::map<std::string, std::uint64_t> unknown_detectors;  // ids that no pack here has
  std::vector<ReplayedGroup> groups;                       // the most frequent first
};

class Replay {
 public:
  // All outlive it. since_us: exchanges that began before are passed over.
  Replay(const policy::Policy& policy, const DetectorsById& detectors,
         const NamesByPseudonym& names, std::int64_t since_us = 0);

  // again: of the exchange that the entry is about; null where its texts are not read.
  void take(std::uint64_t index, const ledger::Entry& entry, const FoundAgain* again = nullptr);
  // Exchanges still open are judged by what is there. Nothing is taken afterwards.
  [[nodiscard]] Replayed finish();

 private:
  // What was and what would be done with one exchange.
  struct Verdicts {
    std::uint64_t index = 0;
    RecordedDecision recorded;  // of its request
    policy::Facts facts;
    policy::Effect before = policy::Effect::kAllow, after = policy::Effect::kAllow;
    std::vector<std::string> before_rules, after_rules;
    std::map<std::string, std::uint64_t> actions_before, actions_after;  // "financial: redact"
    std::vector<std::string> undecided;
    bool answered = false;  // the answer was judged
  };
  void judge(Verdicts& verdicts, const RecordedDecision& recorded, const FoundAgain* again);
  void close(Verdicts verdicts, const FoundAgain* again);
  void end(const Id128& exchange, const FoundAgain* again = nullptr);

  const policy::Policy& policy_;
  const DetectorsById& detectors_;
  const NamesByPseudonym& names_;
  std::int64_t since_us_;
  std::map<Id128, Verdicts> open_;
  std::map<std::string, ReplayedGroup> groups_;
  Replayed out_;
};

}  // namespace candor::gateway
