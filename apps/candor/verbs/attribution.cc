#include "verbs/attribution.h"

#include <algorithm>
#include <array>
#include <utility>

#include <fmt/format.h>

#include "base/text.h"
#include "passport/hinge.h"
#include "passport/signature.h"
#include "verbs/signer_text.h"

namespace candor::cli {
namespace {

using Lines = std::vector<AttributionLine>;

// Where the passport was made elsewhere, "measured here" is its signer's word.
void add_stated(Lines& lines, std::string what, const passport::StatedText& stated) {
  if (stated) {
    lines.push_back({std::move(what), stated->value, Known::kClaimed});
  } else {
    lines.push_back({std::move(what), "nobody says", Known::kMissing});
  }
}

AttributionLine signature_line(const PassportFileContent& content, const StepKeys& keys) {
  if (!content.bundle) {
    return {"signature", "nobody signed this passport", Known::kMissing};
  }
  for (const crypto::VerifyingKey& key : keys) {
    if (const auto signer = passport::verify_with_key(*content.bundle, key)) {
      return {"signature", signer_text(*signer), Known::kSigned};
    } else if (signer.error().code() == Code::kDataLoss &&
               content.bundle->key_hint == passport::key_hint(key)) {
      return {"signature", signer.error().message(), Known::kContradicted};
    }
  }
  return {"signature", "signed, but not with a key that was given here (--step-key)",
          Known::kMissing};
}

Lines passport_lines(const PassportFileContent& content, const Digest& weights,
                     const StepKeys& keys) {
  const passport::Passport& one = content.passport;
  Lines out;
  out.push_back({"passport",
                 fmt::format("{}{}, sha256 {}", one.name,
                             one.version.empty() ? "" : " " + one.version, content.digest()),
                 Known::kClaimed});
  const bool same = std::ranges::any_of(
      one.files, [&weights](const passport::PassportFile& file) { return file.sha256 == weights; });
  out.push_back(same ? AttributionLine{"is of this model",
                                       "it lists the digest of the weights that answered",
                                       Known::kMeasured}
                     : AttributionLine{"is of this model",
                                       "no: it lists other files than the weights that answered",
                                       Known::kContradicted});
  out.push_back(signature_line(content, keys));
  add_stated(out, "organisation", one.origin.organisation);
  add_stated(out, "country", one.origin.country);
  return out;
}

std::string step_text(const passport::Derivation& step) {
  std::string out = fmt::format("{} by {} ({})", passport::to_string(step.step), step.actor.name,
                                passport::to_string(step.actor.role));
  for (const passport::Input& input : step.inputs) {
    out += fmt::format(", from {} {} (sha256 {}...)", passport::to_string(input.role),
                       input.artefact.name, to_hex(input.artefact.sha256).substr(0, 16));
  }
  if (!step.finished.empty()) out += ", finished " + step.finished;
  out += step.compute_flop.empty() ? ", compute not recorded"
                                   : ", compute " + step.compute_flop + " FLOP";
  return out;
}

bool signed_with_one_of(const passport::DescentStep& step, const StepKeys& keys) {
  if (step.bundle.empty()) return false;
  const auto bundle = check_step_bundle(step);
  return bundle && std::ranges::any_of(keys, [&bundle](const crypto::VerifyingKey& key) {
           return passport::verify_with_key(*bundle, key).has_value();
         });
}

Lines descent_lines(const passport::Passport& one, const StepKeys& keys) {
  Lines out;
  for (std::size_t i = 0; i < one.descent.size(); ++i) {
    const passport::DescentStep& step = one.descent[i];
    const auto signer = step_signature(step, keys);
    Known known = Known::kClaimed;
    const std::string signature = signer ? *signer : signer.error().message();
    if (!signer) known = Known::kContradicted;
    if (signer && signed_with_one_of(step, keys)) known = Known::kSigned;
    out.push_back(
        {fmt::format("step {}", i + 1), step_text(step.statement) + "; " + signature, known});
  }
  for (const std::string& gap : passport::chain_gaps(one)) {
    out.push_back({"gap", gap, Known::kMissing});
  }
  const auto base = std::ranges::find_if(one.descent, [](const passport::DescentStep& step) {
    return step.statement.actor.role == passport::Role::kOriginalDeveloper;
  });
  out.push_back(
      base == one.descent.end()
          ? AttributionLine{"base developer", "nobody says", Known::kMissing}
          : AttributionLine{"base developer", base->statement.actor.name, Known::kClaimed});
  return out;
}

Lines evidence_lines(const WeightEvidence& evidence) {
  Lines out;
  for (const std::string& match : evidence.matches) {
    out.push_back({"weights against known models", match, Known::kMeasured});
  }
  if (!evidence.claim) return out;
  const lineage::ClaimCheck& check = *evidence.claim;
  Known known = Known::kMissing;
  if (check.verdict == lineage::ClaimVerdict::kSupported) known = Known::kMeasured;
  if (check.verdict == lineage::ClaimVerdict::kContradicted) known = Known::kContradicted;
  out.push_back({"claim against weights", check.reason, known});
  return out;
}

Lines licence_lines(const passport::Passport& one) {
  Lines out;
  add_stated(out, "licence of the model", one.about.licence);
  for (const passport::DescentStep& step : one.descent) {
    for (const passport::Dataset& set : step.statement.datasets) {
      if (set.licence.empty()) {
        out.push_back({"licence of data set " + set.name, "nobody says", Known::kMissing});
      } else {
        out.push_back({"licence of data set " + set.name, set.licence, Known::kClaimed});
      }
    }
    if (step.statement.step == passport::Step::kPretrained ||
        step.statement.step == passport::Step::kQuantised) {
      continue;
    }
    for (const passport::Input& input : step.statement.inputs) {
      out.push_back({"licence of " + input.artefact.name,
                     "a passport says the licence of its own model alone; read this one's too",
                     Known::kMissing});
    }
  }
  return out;
}

Lines assessment_lines(const passport::Passport* one) {
  Lines out;
  if (one != nullptr) {
    for (const passport::Evaluation& test : one->evaluations) {
      out.push_back({"evaluation",
                     fmt::format("{}: {} {}{}", test.name, test.metric, test.value,
                                 test.date.empty() ? "" : ", " + test.date),
                     Known::kClaimed});
    }
  }
  out.push_back(
      {"assessment here", "no assessment of this model is on record here", Known::kMissing});
  return out;
}

Lines hinge_lines(const passport::Passport* one) {
  Lines out;
  if (one != nullptr) {
    for (const passport::Hinge& hinge : passport::eu_hinges(one->descent)) {
      out.push_back({"compute of " + hinge.actor, hinge.reasoning, Known::kComputed});
      std::string result;
      switch (hinge.result) {
        case passport::HingeResult::kAbove:
          result = "by compute, provider of the modified model (if that is a general-purpose one)";
          break;
        case passport::HingeResult::kBelow: result = "by compute, not its provider"; break;
        case passport::HingeResult::kUnknown:
          result = "cannot be said from what is recorded; ask for the compute of every step";
          break;
      }
      if (hinge.original.empty() && hinge.systemic != hinge.result) {
        result += "; not so if the original has systemic risk";
      }
      out.push_back(
          {hinge.actor + " is", result,
           hinge.result == passport::HingeResult::kUnknown ? Known::kMissing : Known::kComputed});
    }
  }
  if (out.empty()) {
    out.push_back(
        {"compute", "no modification is recorded, so nothing can be computed", Known::kMissing});
  }
  constexpr std::array<std::pair<std::string_view, std::string_view>, 4> kQuestions{
      {{"Art. 25(1)(a)",
        "Is your name or trademark on a high-risk system that is already on the market or in "
        "service?"},
       {"Art. 25(1)(b)",
        "Have you modified such a high-risk system substantially, so that it still is one?"},
       {"Art. 25(1)(c)",
        "Have you changed what a system is intended for, a general-purpose one included, so that "
        "it becomes high-risk?"},
       {"general purpose",
        "Is the original a general-purpose model, and one with systemic risk? The calculation "
        "above does not decide that."}}};
  for (const auto& [what, question] : kQuestions) {
    out.push_back({std::string(what), std::string(question), Known::kQuestion});
  }
  return out;
}

std::string one_line(std::string_view text) {
  std::string out = strip_controls(text);
  std::ranges::replace(out, '\n', ' ');
  return out;
}

std::string markdown(std::string_view text) {
  std::string out;
  for (const char c : one_line(text)) {
    if (std::string_view("\\`*_{}[]<>()#|!&").contains(c)) out.push_back('\\');
    out.push_back(c);
  }
  return out;
}

constexpr std::string_view kAdvice =
    "This is a record and a calculation, not legal advice: what is claimed is only claimed, and a "
    "lawyer answers what is asked.";

}  // namespace

std::string_view to_string(Known known) noexcept {
  switch (known) {
    case Known::kRecorded: return "recorded";
    case Known::kMeasured: return "measured";
    case Known::kSigned: return "signed";
    case Known::kClaimed: return "claimed";
    case Known::kComputed: return "computed";
    case Known::kQuestion: return "question";
    case Known::kMissing: return "missing";
    case Known::kContradicted: return "contradicted";
  }
  return "missing";
}

lineage::Claim claim_of(const passport::Passport& passport) {
  lineage::Claim out;
  for (const passport::DescentStep& step : passport.descent) {
    out.complete = out.complete || step.statement.step == passport::Step::kPretrained;
    for (const passport::Input& input : step.statement.inputs) {
      if (input.role == passport::InputRole::kBase || input.role == passport::InputRole::kParent) {
        out.names.push_back(input.artefact.name);
      }
    }
    for (const passport::Artefact& output : step.statement.outputs) {
      out.names.push_back(output.name);
    }
  }
  return out;
}

void add_passport_sections(const PassportFileContent* content, const std::string& why,
                           const Digest& weights, const StepKeys& keys,
                           const WeightEvidence& evidence, Attribution& out) {
  const passport::Passport* one = content == nullptr ? nullptr : &content->passport;
  AttributionSection about{"passport", "Passport", {}};
  AttributionSection descent{"descent", "Where the model comes from", {}};
  AttributionSection licences{"licences", "Licence terms that apply", {}};
  if (content == nullptr) {
    about.lines.push_back({"passport", why, Known::kMissing});
    descent.lines.push_back({"chain", "no passport, so nobody says", Known::kMissing});
    licences.lines.push_back({"licence of the model", "nobody says", Known::kMissing});
  } else {
    about.lines = passport_lines(*content, weights, keys);
    descent.lines = descent_lines(*one, keys);
    licences.lines = licence_lines(*one);
  }
  for (AttributionLine& line : evidence_lines(evidence)) descent.lines.push_back(std::move(line));
  out.push_back(std::move(about));
  out.push_back(std::move(descent));
  out.push_back(std::move(licences));
  out.push_back({"assessments", "Assessments", assessment_lines(one)});
  out.push_back({"eu_ai_act", "EU AI Act: who is the provider", hinge_lines(one)});
}

void add_open_points(Attribution& out) {
  AttributionSection open{"open", "Missing or contradicted", {}};
  for (const AttributionSection& section : out) {
    for (const AttributionLine& line : section.lines) {
      if (line.known == Known::kContradicted) open.lines.push_back(line);
    }
  }
  for (const AttributionSection& section : out) {
    for (const AttributionLine& line : section.lines) {
      if (line.known == Known::kMissing) open.lines.push_back(line);
    }
  }
  out.push_back(std::move(open));
}

std::string attribution_text(const Attribution& attribution, const Output& out) {
  std::string text;
  for (const AttributionSection& section : attribution) {
    text += section.title + "\n";
    if (section.lines.empty()) text += "  nothing\n";
    for (const AttributionLine& line : section.lines) {
      text += fmt::format("  {:<13} {}: {}\n", to_string(line.known),
                          out.shown(one_line(line.what)), out.shown(one_line(line.value)));
    }
  }
  return text + std::string(kAdvice) + "\n";
}

std::string attribution_markdown(const Attribution& attribution) {
  std::string text = "# Who stands behind this answer\n";
  for (const AttributionSection& section : attribution) {
    text += fmt::format("\n## {}\n\n", section.title);
    if (section.lines.empty()) {
      text += "Nothing.\n";
      continue;
    }
    text += "| | what | known |\n| --- | --- | --- |\n";
    for (const AttributionLine& line : section.lines) {
      text += fmt::format("| {} | {} | {} |\n", markdown(line.what), markdown(line.value),
                          to_string(line.known));
    }
  }
  return text + fmt::format("\n{}\n", kAdvice);
}

json::Object attribution_json(const Attribution& attribution) {
  json::Object out;
  for (const AttributionSection& section : attribution) {
    json::Array lines;
    for (const AttributionLine& line : section.lines) {
      lines.push_back(json::Object{
          {"what", line.what}, {"value", line.value}, {"known", to_string(line.known)}});
    }
    out[section.name] = std::move(lines);
  }
  out["notice"] = kAdvice;
  return out;
}

}  // namespace candor::cli
