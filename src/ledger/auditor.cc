#include "ledger/auditor.h"

#include <algorithm>

#include "ledger/checkpoint.h"

namespace candor::ledger {
namespace {

constexpr std::uint64_t kNobody = 0;

std::uint64_t fingerprint(const Id128& id) {
  // Ids are random; folding both halves leaves 64 random bits. 0 marks an empty place.
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < 8; ++i) {
    value = (value << 8U) | std::to_integer<std::uint64_t>(id[i] ^ id[i + 8]);
  }
  return value == kNobody ? 1 : value;
}

bool same_model(const Provenance& a, const Provenance& b) {
  return a.weights == b.weights && a.adapters == b.adapters && a.chat_template == b.chat_template &&
         a.engine == b.engine && a.weights_basis == b.weights_basis &&
         a.template_basis == b.template_basis && a.engine_basis == b.engine_basis;
}

const Stamp& stamp_of(const Entry& entry) {
  return std::visit([](const auto& e) -> const Stamp& { return e.at; }, entry);
}

std::string entry_text(std::uint64_t index) { return "entry " + std::to_string(index); }

}  // namespace

// Open addressing over fingerprints, at most three quarters full: 8 to 16 bytes an id.
class Auditor::IdTable {
 public:
  // False when the fingerprint was there before.
  bool insert(const Id128& id) {
    if (4 * (used_ + 1) > 3 * slots_.size()) grow();
    const bool added = place(slots_, fingerprint(id));
    if (added) ++used_;
    return added;
  }

 private:
  static bool place(std::vector<std::uint64_t>& slots, std::uint64_t print) {
    const std::uint64_t mask = slots.size() - 1;
    // The multiplier spreads ids that are not random after all.
    std::uint64_t at = (print * 0x9E3779B97F4A7C15ULL) >> 16U & mask;
    while (slots[at] != kNobody) {
      if (slots[at] == print) return false;
      at = (at + 1) & mask;
    }
    slots[at] = print;
    return true;
  }
  void grow() {
    std::vector<std::uint64_t> larger(slots_.size() * 2);
    for (const std::uint64_t print : slots_) {
      if (print != kNobody) place(larger, print);
    }
    slots_ = std::move(larger);
  }

  std::vector<std::uint64_t> slots_ = std::vector<std::uint64_t>(1024);
  std::size_t used_ = 0;
};

Auditor::Auditor(std::string origin)
    : origin_(std::move(origin)), ids_(std::make_unique<IdTable>()) {}
Auditor::~Auditor() = default;

std::optional<VerifierKey> Auditor::overlap_key() const {
  if (old_key_ && frontier_.size() <= overlap_until_) return old_key_;
  return std::nullopt;
}

Result<void> Auditor::breaks(std::string promise, std::string what) {
  if (!fault_) {
    fault_ =
        Fault{.promise = std::move(promise), .index = frontier_.size(), .what = std::move(what)};
  }
  return fail(Code::kDataLoss, entry_text(fault_->index) + ": " + fault_->what);
}

Result<void> Auditor::add_undecodable(const Error& why) { return breaks("P2", why.message()); }

Result<void> Auditor::add(const Entry& entry, const Digest& leaf) {
  if (fault_) return breaks({}, {});
  leaf_ = leaf;
  if (!std::holds_alternative<Start>(entry)) {
    if (run_ == 0) return breaks("P2", "the log's first entry is no start entry");
    TRY(check_stamp(stamp_of(entry)));
    if (open_before_ != 0 && !std::holds_alternative<Abort>(entry)) {
      return breaks("P1", std::to_string(open_before_) +
                              " exchanges of an earlier run are still open after a start entry");
    }
    if (stopped_) return breaks("P2", "an entry after the run's stop entry");
  }
  TRY(std::visit(
      [&]<typename T>(const T& e) -> Result<void> {
        if constexpr (std::is_same_v<T, Refusal>) {
          ++summary_.refusals;
          return {};
        } else if constexpr (std::is_same_v<T, Erasure>) {
          ++summary_.erasures;
          return {};
        } else if constexpr (std::is_same_v<T, ClockStep>) {
          newest_us_ = e.at.time_us;  // time goes on from here
          ++summary_.other;
          return {};
        } else if constexpr (std::is_same_v<T, Configuration> || std::is_same_v<T, Admin> ||
                             std::is_same_v<T, PolicyChange>) {
          ++summary_.other;
          return {};
        } else {
          return check(e);
        }
      },
      entry));
  const std::int64_t now = stamp_of(entry).time_us;
  constexpr std::int64_t kSlackUs = 10'000'000;  // entries of one moment arrive in any order
  if (now + kSlackUs < newest_us_) {
    ++summary_.time_steps_back;
    newest_us_ = now;
  }
  newest_us_ = std::max(newest_us_, now);
  frontier_.append(leaf, sink_);
  return {};
}

Result<void> Auditor::finish() {
  if (fault_) return breaks({}, {});
  if (run_ == 0) return breaks("P2", "the log has no start entry");
  if (open_before_ != 0) {
    return breaks("P1", std::to_string(open_before_) +
                            " exchanges of an earlier run are still open at the log's end");
  }
  summary_.open = open_.size();
  return {};
}

Result<void> Auditor::check_stamp(const Stamp& at) {
  if (at.boot != boot_) return breaks("P2", "the entry carries another run's boot nonce");
  return {};
}

Result<void> Auditor::check(const Start& start) {
  if (run_ != 0 && open_before_ != 0) {
    return breaks("P1", std::to_string(open_before_) +
                            " exchanges of an earlier run are still open after a start entry");
  }
  if (start.previous_size != frontier_.size()) {
    return breaks("P2", "the start entry says that " + std::to_string(start.previous_size) +
                            " entries stand before it");
  }
  if (start.previous_root != frontier_.root()) {
    return breaks("P2", "the start entry names another root of what stands before it");
  }
  const auto key = parse_verifier_key(start.log_key);
  if (!key || key->kind != KeyKind::kEd25519 || key->name != origin_) {
    return breaks("P2", "the start entry names a key that is not this log's");
  }
  if (run_ == 0) {
    if (log_origin(key->key) != origin_) {
      return breaks("P2", "the log's origin does not belong to its first key");
    }
    key_ = *key;
    keys_.push_back(*key);
    log_id_ = start.log_id;
    summary_.continues = start.continues;
  } else {
    if (*key != *key_) return breaks("P2", "the start entry names a key that is not in force");
    if (start.log_id != log_id_) return breaks("P2", "the start entry names another log id");
    if (start.continues) return breaks("P2", "a log continues another one only from its beginning");
    if (start.at.boot == boot_) return breaks("P2", "two runs have one boot nonce");
  }
  boot_ = start.at.boot;
  stopped_ = false;
  ++run_;
  open_before_ = open_.size();
  loads_.clear();
  ++summary_.runs;
  summary_.mode = start.mode;
  return {};
}

Result<void> Auditor::check(const Stop&) {
  stopped_ = true;
  ++summary_.other;
  return {};
}

Result<void> Auditor::check(const KeyChange& change) {
  const auto new_key = parse_verifier_key(change.new_key);
  const auto old_key = parse_verifier_key(change.old_key);
  if (!old_key || *old_key != *key_) {
    return breaks("P2", "the key change does not name the key in force");
  }
  if (!new_key || new_key->kind != KeyKind::kEd25519 || new_key->name != origin_ ||
      *new_key == *key_) {
    return breaks("P2", "the key change names no new key of this log");
  }
  if (change.overlap_until <= frontier_.size()) {
    return breaks("P2", "the key change's overlap does not cover its own head");
  }
  old_key_ = key_;
  key_ = *new_key;
  keys_.push_back(*new_key);
  changes_.push_back(frontier_.size());
  overlap_until_ = change.overlap_until;
  ++summary_.other;
  return {};
}

Result<void> Auditor::check(const Load& load) {
  if (!loads_.emplace(load.load, load.provenance).second) {
    return breaks("P7", "two loads have one id");
  }
  ++summary_.loads;
  return {};
}

Result<void> Auditor::check(const Unload& unload) {
  if (!loads_.contains(unload.load)) return breaks("P7", "the unload names no load of this run");
  ++summary_.other;
  return {};
}

Result<void> Auditor::check(const Intent& intent) {
  const auto load = loads_.find(intent.load);
  if (load == loads_.end()) return breaks("P7", "the intent names no load of this run");
  if (!same_model(load->second, intent.provenance)) {
    return breaks("P7", "the intent names another model or engine than its load");
  }
  const std::uint64_t index = frontier_.size();
  if (!ids_->insert(intent.exchange)) {
    suspects_.push_back({.exchange = intent.exchange, .index = index});
  }
  open_.emplace(index, Open{.exchange = intent.exchange,
                            .leaf = leaf_,
                            .run = run_,
                            .mono_us = intent.at.mono_us,
                            .released_bytes = 0});
  const Provenance& p = intent.provenance;
  const bool measured = p.weights_basis == Basis::kMeasured && p.engine_basis == Basis::kMeasured;
  ++(measured ? summary_.measured : summary_.declared);
  ++summary_.intents;
  return {};
}

Result<void> Auditor::check(const Decision& decision) {
  if (decision.intent_index.has_value() != (decision.phase == "answer")) {
    return breaks("P9", "a decision about an answer names an intent, one about a request none");
  }
  if (decision.intent_index) {
    const auto open = open_.find(*decision.intent_index);
    if (open == open_.end() || open->second.exchange != decision.exchange) {
      return breaks("P9", "the decision about an answer names no open intent");
    }
  }
  ++summary_.decisions;
  return {};
}

Result<void> Auditor::check(const Progress& progress) {
  const auto open = open_.find(progress.intent_index);
  if (open == open_.end() || open->second.exchange != progress.exchange ||
      open->second.run != run_) {
    return breaks("P1", "the progress mark names no open intent of this run");
  }
  if (progress.released_bytes < open->second.released_bytes) {
    return breaks("P1", "the progress mark says less than the one before");
  }
  open->second.released_bytes = progress.released_bytes;
  ++summary_.other;
  return {};
}

Result<void> Auditor::check(const Outcome& outcome) {
  const auto open = open_.find(outcome.intent_index);
  if (open != open_.end() && outcome.released_bytes < open->second.released_bytes) {
    return breaks("P1", "the outcome says less than a progress mark before it");
  }
  TRY(close_intent(outcome.intent_index, outcome.exchange, outcome.intent_leaf, outcome.at));
  ++summary_.outcomes;
  return {};
}

Result<void> Auditor::check(const Abort& abort) {
  const auto open = open_.find(abort.intent_index);
  if (open != open_.end() && abort.released_bytes < open->second.released_bytes) {
    return breaks("P1", "the abort says less than a progress mark before it");
  }
  TRY(close_intent(abort.intent_index, abort.exchange, abort.intent_leaf, abort.at));
  ++summary_.aborts;
  return {};
}

Result<void> Auditor::close_intent(std::uint64_t intent_index, const Id128& exchange,
                                   const Digest& leaf, const Stamp& at) {
  const auto open = open_.find(intent_index);
  if (open == open_.end()) {
    return breaks(
        "P1", "it ends the exchange of " + entry_text(intent_index) + ", which is no open intent");
  }
  const Open& intent = open->second;
  if (intent.exchange != exchange) {
    return breaks("P1", "it names " + entry_text(intent_index) + " but another exchange");
  }
  if (intent.leaf != leaf) {
    return breaks("P1", "it names another hash of its intent, " + entry_text(intent_index));
  }
  if (intent.run == run_ && at.mono_us < intent.mono_us) {
    return breaks("P1", "it ends before its intent began");
  }
  if (intent.run != run_) --open_before_;
  open_.erase(open);
  return {};
}

}  // namespace candor::ledger
