#include "lineage/claim.h"

#include <algorithm>

namespace candor::lineage {
namespace {

std::vector<std::string> words(std::string_view text) {
  std::vector<std::string> out(1);
  for (const char c : text) {
    const bool upper = c >= 'A' && c <= 'Z';
    if (upper || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9')) {
      out.back().push_back(upper ? static_cast<char>(c - 'A' + 'a') : c);
    } else if (!out.back().empty()) {
      out.emplace_back();
    }
  }
  if (out.back().empty()) out.pop_back();
  return out;
}

bool named(const Claim& claim, const Index::Match& match) {
  return std::ranges::any_of(claim.names, [&match](const std::string& name) {
    return means(name, match.reference->name);
  });
}

}  // namespace

std::string_view to_string(ClaimVerdict verdict) noexcept {
  switch (verdict) {
    case ClaimVerdict::kNothingClaimed: return "nothing claimed";
    case ClaimVerdict::kSupported: return "supported";
    case ClaimVerdict::kContradicted: return "contradicted";
    case ClaimVerdict::kNotShown: return "not shown";
  }
  return "not shown";
}

bool means(std::string_view name, std::string_view reference) {
  const auto given = words(name), wanted = words(reference);
  return !wanted.empty() && !std::ranges::search(given, wanted).empty();
}

ClaimCheck check_claim(const Claim& claim, std::span<const Index::Match> matches) {
  const auto descends = std::ranges::find_if(matches, [](const Index::Match& match) {
    return match.relation.blocks == Verdict::kDescends;
  });
  if (claim.names.empty()) {
    if (descends == matches.end()) return {ClaimVerdict::kNothingClaimed, "nothing is claimed"};
    return {ClaimVerdict::kNothingClaimed,
            "nothing is claimed; the weights descend from " + descends->reference->name};
  }
  for (const Index::Match& match : matches) {
    if (!named(claim, match)) continue;
    const Verdict verdict = match.relation.blocks;
    if (verdict == Verdict::kDescends) {
      return {ClaimVerdict::kSupported,
              "the weights descend from " + match.reference->name + ", as the claim says"};
    }
    if (verdict == Verdict::kUnrelated || verdict == Verdict::kNegated) {
      return {ClaimVerdict::kContradicted,
              "the claim names " + match.reference->name + ", but the weights show no trace of it" +
                  (descends == matches.end() ? std::string()
                                             : "; they descend from " + descends->reference->name)};
    }
  }
  if (descends == matches.end()) {
    return {ClaimVerdict::kNotShown, "the weights are of none of the known models"};
  }
  if (claim.complete) {
    return {ClaimVerdict::kContradicted, "the claim says where the chain begins, and " +
                                             descends->reference->name +
                                             " is not in it; but the weights descend from it"};
  }
  return {ClaimVerdict::kNotShown,
          "the claim does not say where the chain begins; the weights "
          "descend from " +
              descends->reference->name};
}

}  // namespace candor::lineage
