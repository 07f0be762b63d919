// What the detectors find in a request, and the request without it (C4, C6, L3). Pure; runs on any
// thread.
#pragma once

#include <string>
#include <vector>

#include "dialect/exchange_texts.h"
#include "dlp/redaction.h"
#include "dlp/scanner.h"
#include "policy/policy.h"

namespace candor::gateway {

// A finding in one text, or across the border of texts that follow one another (L3): then it has a
// span in each of them.
struct RequestFinding {
  struct Place {
    std::size_t text = 0;  // index into the list of texts
    std::size_t begin = 0, end = 0;
  };
  std::uint32_t detector = 0;
  int confidence = 0;
  std::vector<Place> places;  // in order; at least one
};

// How far from a border of two texts a finding across it may reach, in bytes.
inline constexpr std::size_t kBorderBytes = 1024;

[[nodiscard]] std::vector<RequestFinding> inspect(const std::vector<dialect::ExchangeText>& texts,
                                                  const dlp::Scanner& scanner,
                                                  dlp::Scanner::Scratch& scratch);

[[nodiscard]] policy::FoundFact fact_of(const dlp::Detector& detector, int confidence,
                                        std::string field, std::string_view direction);

// What stands for a finding: "[IBAN]", or, of kPseudonymise, a stand-in of the conversation.
[[nodiscard]] std::string stand_in_of(const dlp::Detector& detector, policy::Effect action,
                                      std::string_view value, dlp::Pseudonyms& pseudonyms);

// Rewrites the texts: what actions[i] says of findings[i] (kRedact, kPseudonymise, or kAllow for
// nothing). Empty: done. Else the path of a text that cannot be rewritten without changing what it
// means to the engine (a name, a schema), or is no JSON any more; then nothing may be forwarded.
[[nodiscard]] std::string rewrite(const std::vector<dialect::ExchangeText>& texts,
                                  const std::vector<RequestFinding>& findings,
                                  const std::vector<policy::Effect>& actions,
                                  const dlp::Scanner& scanner, dlp::Pseudonyms& pseudonyms);

}  // namespace candor::gateway
