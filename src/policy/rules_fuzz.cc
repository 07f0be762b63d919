// No file of rules or cases crashes; what compiles decides the same with and without its index, has
// a digest that does not depend on being read again, and what check() calls unusable does not
// compile.
#include <cstdint>

#include "base/check.h"
#include "base/text.h"
#include "policy/cases.h"
#include "policy/check.h"
#include "policy/explain.h"

namespace {

using namespace candor;
using namespace candor::policy;

bool same(const Decision& a, const Decision& b) {
  if (a.effect != b.effect || a.fired.size() != b.fired.size() ||
      a.failed.size() != b.failed.size() || a.on_findings != b.on_findings) {
    return false;
  }
  for (std::size_t i = 0; i < a.fired.size(); ++i) {
    if (a.fired[i].rule != b.fired[i].rule || a.fired[i].findings != b.fired[i].findings) {
      return false;
    }
  }
  return true;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  std::vector<Finding> findings;
  const CaseFile cases = read_case_file(text, "x.cases.toml", findings);
  findings.clear();
  const RuleFile file = read_rule_file(text, "x.toml", findings);
  for (const Finding& finding : findings) {
    CANDOR_CHECK(strip_controls(to_text(finding)) == to_text(finding));
  }
  if (!findings.empty() || file.rules.size() > 50) return 0;
  bool usable = true;
  for (const Finding& finding : check({&file, 1}, nullptr)) {
    if (finding.severity == Finding::Severity::kError) usable = false;
    CANDOR_CHECK(!to_text(finding).empty());
  }
  const auto policy = Policy::compile({file}, nullptr);
  CANDOR_CHECK(policy.has_value() == usable);
  if (!policy) return 0;
  CANDOR_CHECK(policy->digest() == Policy::compile({file}, nullptr)->digest());

  Facts facts;
  facts.caller.team = "hr";
  facts.caller.groups = {"a", "b"};
  facts.jurisdiction = {"EU"};
  facts.phase = "answer";
  facts.request.messages = static_cast<std::int64_t>(size % 7);
  for (std::size_t i = 0; i < size % 4; ++i) {
    FoundFact found;
    found.class_name = i % 2 == 0 ? "financial" : "secret";
    found.confidence = static_cast<std::int64_t>(i) * 40;
    facts.findings.push_back(found);
  }
  Policy::Scratch scratch;
  const Decision decision = policy->decide(facts, scratch);
  const Decision plain = policy->decide_plainly(facts);
  // Cost is the one thing that the index may save.
  const auto costly = [](const Decision& d) {
    for (const Failed& failed : d.failed) {
      if (failed.fault == cel::Fault::kCost) return true;
    }
    return false;
  };
  if (!costly(plain) && !costly(decision)) CANDOR_CHECK(same(decision, plain));
  for (const Language language : {Language::kEnglish, Language::kGerman}) {
    CANDOR_CHECK(!to_text(explain(decision, facts, language), language).empty());
  }
  return 0;
}
