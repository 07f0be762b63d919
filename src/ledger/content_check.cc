#include "ledger/content_check.h"

#include <string>
#include <vector>

#include "ledger/commitment.h"

namespace candor::ledger {

std::optional<Digest> logged_commitment(const Entry& entry, const Id128& id,
                                        std::string_view transcript) {
  if (const auto* intent = std::get_if<Intent>(&entry); intent && intent->exchange == id) {
    if (transcript == to_string(TranscriptKind::kReceived)) return intent->received;
    if (transcript == to_string(TranscriptKind::kForwarded)) return intent->forwarded;
  }
  if (const auto* outcome = std::get_if<Outcome>(&entry); outcome && outcome->exchange == id) {
    if (transcript == to_string(TranscriptKind::kProduced)) return outcome->produced;
    if (transcript == to_string(TranscriptKind::kReleased)) return outcome->released;
  }
  if (transcript != "note") return std::nullopt;
  if (const auto* act = std::get_if<Admin>(&entry); act && act->act == id) return act->reason;
  if (const auto* act = std::get_if<Erasure>(&entry); act && act->act == id) return act->reason;
  if (const auto* now = std::get_if<Configuration>(&entry); now && now->note == id) {
    return now->digest;
  }
  return std::nullopt;
}

Result<void> check_logged(const SealedRecord& record, std::span<const Entry> entries) {
  for (const SealedTranscript& transcript : record.transcripts) {
    std::vector<FieldCommitment> fields;
    fields.reserve(transcript.fields.size());
    for (const SealedField& field : transcript.fields) {
      fields.push_back({.path = field.path, .value = field.commitment});
    }
    const Digest root = commitment_root(fields);
    bool known = false;
    for (const Entry& entry : entries) {
      const auto logged = logged_commitment(entry, record.id, transcript.name);
      if (!logged) continue;
      known = true;
      if (*logged != root) {
        return fail(Code::kDataLoss,
                    transcript.name + ": what is sealed is not what the log commits to");
      }
    }
    if (!known) {
      return fail(Code::kDataLoss, transcript.name + ": no entry of the log commits to it");
    }
  }
  return {};
}

}  // namespace candor::ledger
