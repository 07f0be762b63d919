// What stands behind one answer, as lines of one kind each: what is known and how, what nobody
// said, what is contradicted. From a passport here; from the log in attribute.cc.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lineage/claim.h"
#include "verbs/passport_file.h"

namespace candor::cli {

enum class Known : std::uint8_t {
  kRecorded,      // an entry of the log says so
  kMeasured,      // taken from the bytes, here
  kSigned,        // said by whoever holds the key that was given
  kClaimed,       // somebody said so
  kComputed,      // from what stands above it
  kQuestion,      // for people to answer
  kMissing,       // nobody said
  kContradicted,  // two of these do not agree
};
[[nodiscard]] std::string_view to_string(Known known) noexcept;

struct AttributionLine {
  std::string what, value;  // foreign text
  Known known = Known::kRecorded;
};
struct AttributionSection {
  std::string name, title;  // name: in JSON
  std::vector<AttributionLine> lines;
};
using Attribution = std::vector<AttributionSection>;

// The weights' own word, if it could be had.
struct WeightEvidence {
  std::vector<std::string> matches;  // "SmolLM2-135M-Instruct: descends (cosine 1.000)"
  std::optional<lineage::ClaimCheck> claim;
};

// All names that a passport gives models in its chain, oldest first.
[[nodiscard]] lineage::Claim claim_of(const passport::Passport& passport);

// The sections that a passport makes: passport, descent, licences, assessments, the EU AI Act.
// weights: of the model that answered. content null: there is no passport, and `why` says so.
void add_passport_sections(const PassportFileContent* content, const std::string& why,
                           const Digest& weights, const StepKeys& keys,
                           const WeightEvidence& evidence, Attribution& out);

// The last section: what of the others is missing or contradicted.
void add_open_points(Attribution& out);

[[nodiscard]] std::string attribution_text(const Attribution& attribution, const Output& out);
[[nodiscard]] std::string attribution_markdown(const Attribution& attribution);
[[nodiscard]] json::Object attribution_json(const Attribution& attribution);

}  // namespace candor::cli
