#include "verbs/sealed_findings.h"

#include <tuple>

#include "base/file_system.h"
#include "dlp/scanner.h"
#include "gateway/inspection.h"
#include "ledger/commitment.h"
#include "ledger/content_check.h"
#include "store/auditor_key.h"
#include "verbs/policy_log.h"

namespace candor::cli {
namespace {

using Found = ledger::PolicyDecision::Found;

// Texts that somebody wrote, by their paths (docs/formats/transcript.md).
bool is_text(std::string_view path) {
  return !path.ends_with("/role") && !path.ends_with("/answers") && !path.ends_with("/finish") &&
         path != "model" && path != "parameters" && path != "nonce" && path != "input_tokens" &&
         !path.starts_with("embeddings/");
}

std::vector<Found> find(const ledger::SealedTranscript& sealed, ledger::OpenedTranscript& opened,
                        const dlp::Scanner& scanner, dlp::Scanner::Scratch& scratch) {
  std::vector<dialect::ExchangeText> texts;
  for (std::size_t i = 0; i < sealed.fields.size(); ++i) {
    const std::string& path = sealed.fields[i].path;
    if (!opened.texts[i] || !is_text(path)) continue;
    texts.push_back({.path = path,
                     .value = &opened.texts[i]->reveal(),
                     .kind = dialect::ExchangeText::Kind::kProse,
                     .goes_on = path.ends_with("/text") || path.ends_with("/reasoning")});
  }
  std::map<std::tuple<std::uint32_t, int, std::string>, std::uint32_t> counted;
  for (const gateway::RequestFinding& finding : gateway::inspect(texts, scanner, scratch)) {
    ++counted[{finding.detector, finding.confidence, texts[finding.places.front().text].path}];
  }
  std::vector<Found> out;
  for (const auto& [key, count] : counted) {
    const auto& [detector, confidence, path] = key;
    const dlp::Detector& described = scanner.detectors()[detector];
    out.push_back({.action = "",
                   .class_name = described.class_name,
                   .detector = described.id,
                   .confidence = confidence,
                   .count = count,
                   .field = path});
  }
  return out;
}

Digest root_of(const ledger::SealedTranscript& sealed) {
  std::vector<ledger::FieldCommitment> fields;
  fields.reserve(sealed.fields.size());
  for (const ledger::SealedField& field : sealed.fields) {
    fields.push_back({.path = field.path, .value = field.commitment});
  }
  return ledger::commitment_root(fields);
}

}  // namespace

Result<SealedFindings> SealedFindings::read(const Context& context, const Path& sealed,
                                            const std::filesystem::path& auditor_key) {
  const std::string secret = TRY(read_text_file(auditor_key, 4096));
  const crypto::BoxKeyPair pair = TRY(store::parse_auditor_secret(secret));
  std::vector<dlp::Pack> packs = TRY(packs_in_force(context));
  const dlp::Scanner scanner = TRY(dlp::Scanner::build(std::move(packs)));
  const auto scratch = scanner.make_scratch();
  SealedFindings out;
  out.unopened_ = TRY(store::visit_with_auditor_key(
      real_file_system(), sealed, pair, [&](const store::OpenedContent& content) -> Result<void> {
        store::OpenedContent opened = content;
        Exchange& exchange = out.exchanges_[opened.record.id];
        for (std::size_t i = 0; i < opened.record.transcripts.size(); ++i) {
          const ledger::SealedTranscript& transcript = opened.record.transcripts[i];
          const bool request = transcript.name == to_string(TranscriptKind::kReceived);
          const bool answer = transcript.name == to_string(TranscriptKind::kProduced);
          if (!request && !answer) continue;
          exchange.roots.emplace_back(transcript.name, root_of(transcript));
          (request ? exchange.found.request : exchange.found.answer) =
              find(transcript, opened.transcripts[i], scanner, *scratch);
        }
        return {};
      }));
  return out;
}

Result<const gateway::FoundAgain*> SealedFindings::of(const ledger::Entry& entry) const {
  const Id128* id = nullptr;
  if (const auto* intent = std::get_if<ledger::Intent>(&entry)) id = &intent->exchange;
  if (const auto* decision = std::get_if<ledger::Decision>(&entry)) id = &decision->exchange;
  if (const auto* outcome = std::get_if<ledger::Outcome>(&entry)) id = &outcome->exchange;
  if (const auto* abort = std::get_if<ledger::Abort>(&entry)) id = &abort->exchange;
  if (id == nullptr) return nullptr;
  const auto found = exchanges_.find(*id);
  if (found == exchanges_.end()) return nullptr;
  for (const auto& [name, root] : found->second.roots) {
    const auto logged = ledger::logged_commitment(entry, *id, name);
    if (logged && *logged != root) {
      return fail(Code::kDataLoss, "exchange " + to_hex(*id) + ": " + name +
                                       ": what is sealed is not what the log commits to");
    }
  }
  return &found->second.found;
}

}  // namespace candor::cli
