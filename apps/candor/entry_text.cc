#include "entry_text.h"

#include "base/bytes.h"
#include "base/clock.h"
#include "ledger/entry.h"

namespace candor::cli {
namespace {

using namespace ledger;

std::string short_id(const Id128& id) { return to_hex(id).substr(0, 12); }
std::string basis(Basis value) { return value == Basis::kMeasured ? "measured" : "declared"; }

struct Words {
  std::string type, text;
  Stamp at;
  enum class Tone : std::uint8_t { kPlain, kGood, kCaution, kBad } tone = Tone::kPlain;
};
using Tone = Words::Tone;

std::string by_rules(const PolicyDecision& decision) {
  std::string text;
  for (const std::string& rule : decision.rules) text += (text.empty() ? " by " : ", ") + rule;
  std::uint64_t found = 0;
  for (const PolicyDecision::Found& one : decision.findings) found += one.count;
  if (found > 0) text += "; " + std::to_string(found) + " finding(s)";
  return text;
}

struct Describe {
  Words operator()(const Start& e) const {
    return {"start",
            "candor " + e.version + ", mode " + e.mode + ", after " +
                std::to_string(e.previous_size) + " entries",
            e.at};
  }
  Words operator()(const Stop& e) const { return {"stop", e.reason, e.at}; }
  Words operator()(const KeyChange& e) const { return {"key", "new log key " + e.new_key, e.at}; }
  Words operator()(const ClockStep& e) const {
    return {"clock", "stepped back by " + std::to_string(e.back_us) + " us", e.at, Tone::kCaution};
  }
  Words operator()(const Load& e) const {
    return {"load",
            e.provenance.model + ", weights " + to_hex(e.provenance.weights).substr(0, 16) + " (" +
                basis(e.provenance.weights_basis) + "), " + e.engine_build +
                (e.confinement.confined ? ", confined" : ", NOT confined") +
                (e.cache == "not_assured" ? ", cache isolation not assured" : ""),
            e.at, e.confinement.confined ? Tone::kPlain : Tone::kCaution};
  }
  Words operator()(const Unload& e) const {
    return {"unload", "load " + short_id(e.load) + ", " + e.reason, e.at};
  }
  Words operator()(const Intent& e) const {
    return {"intent",
            to_hex(e.exchange) + " " + e.api + " on " + e.provenance.model + ", caller " +
                e.caller.substr(0, 8) + " by " + e.caller_known_by + ", content " + e.content +
                (e.policy ? ", " + e.policy->effect : ""),
            e.at};
  }
  Words operator()(const ledger::Progress& e) const {
    return {"progress", to_hex(e.exchange) + " " + std::to_string(e.released_bytes) + " bytes",
            e.at};
  }
  Words operator()(const Outcome& e) const {
    return {"outcome",
            to_hex(e.exchange) + " " + e.result + (e.finish.empty() ? "" : ", " + e.finish) + ", " +
                std::to_string(e.prompt_tokens) + " + " + std::to_string(e.completion_tokens) +
                " tokens, " + std::to_string(e.total_us / 1000) + " ms",
            e.at, e.result == "complete" ? Tone::kGood : Tone::kCaution};
  }
  Words operator()(const Abort& e) const {
    return {"abort",
            to_hex(e.exchange) + " " + e.reason + " after " + std::to_string(e.released_bytes) +
                " bytes",
            e.at, Tone::kBad};
  }
  Words operator()(const Refusal& e) const {
    return {"refusal",
            e.cause + " (" + std::to_string(e.status) + ")" +
                (e.count > 1 ? " x " + std::to_string(e.count) : ""),
            e.at, Tone::kCaution};
  }
  Words operator()(const Configuration& e) const {
    std::string text = "digest " + to_hex(e.digest).substr(0, 16);
    for (const std::string& key : e.changed) text += ", " + key;
    return {"config", text, e.at};
  }
  Words operator()(const Erasure& e) const {
    return {"erase",
            e.scope + ", " + std::to_string(e.exchanges.size()) + " exchange(s), by " +
                e.actor.substr(0, 8),
            e.at, Tone::kCaution};
  }
  Words operator()(const Admin& e) const {
    return {"admin",
            e.verb + (e.object.empty() ? "" : " " + e.object) + ", by " + e.actor.substr(0, 8) +
                ", " + e.result,
            e.at};
  }
  Words operator()(const Decision& e) const {
    return {"decision",
            to_hex(e.exchange) + " " + e.phase + ": " + e.policy.effect + by_rules(e.policy), e.at,
            Tone::kCaution};
  }
  Words operator()(const PolicyChange& e) const {
    return {"policy", std::to_string(e.rules) + " rules, digest " + to_hex(e.digest).substr(0, 16),
            e.at};
  }
};

}  // namespace

std::string entry_line(const Output& out, std::uint64_t index, std::string_view entry) {
  std::string number = std::to_string(index);
  if (number.size() < 7) number.insert(0, 7 - number.size(), ' ');
  const auto decoded = decode(entry);
  if (!decoded)
    return number + "  " + out.style().bad("not an entry: " + decoded.error().message());
  const Words words = std::visit(Describe{}, *decoded);
  std::string type = words.type;
  type.resize(9, ' ');
  switch (words.tone) {
    case Tone::kPlain: type = out.style().bold(type); break;
    case Tone::kGood: type = out.style().good(type); break;
    case Tone::kCaution: type = out.style().caution(type); break;
    case Tone::kBad: type = out.style().bad(type); break;
  }
  return out.style().faint(number + "  " + format_local(words.at.time_us)) + "  " + type +
         out.shown(words.text);
}

void show_entry(const Output& out, std::uint64_t index, std::string_view entry) {
  out.line(entry_line(out, index, entry));
  const auto value = json::parse(entry);
  if (value) {
    out.document(*value);
  } else {
    out.line(out.shown(entry));
  }
}

}  // namespace candor::cli
