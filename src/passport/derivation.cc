#include "passport/derivation.h"

#include <algorithm>
#include <array>
#include <utility>

#include <fmt/format.h>

#include "passport/internal/fields.h"
#include "passport/internal/values.h"
#include "passport/oms_manifest.h"

namespace candor::passport {
namespace {

template <typename T, std::size_t N>
using Names = std::array<std::pair<T, std::string_view>, N>;

constexpr Names<Evidence, 2> kEvidence{
    {{Evidence::kClaimed, "claimed"}, {Evidence::kMeasuredHere, "measured-here"}}};
constexpr Names<Step, 8> kSteps{{{Step::kPretrained, "pretrained"},
                                 {Step::kFineTuned, "fine-tuned"},
                                 {Step::kAdapterApplied, "adapter-applied"},
                                 {Step::kMerged, "merged"},
                                 {Step::kQuantised, "quantised"},
                                 {Step::kConverted, "converted"},
                                 {Step::kTemplateEdited, "template-edited"},
                                 {Step::kPruned, "pruned"}}};
constexpr Names<Role, 4> kRoles{{{Role::kOriginalDeveloper, "original-developer"},
                                 {Role::kModifier, "modifier"},
                                 {Role::kDistributor, "distributor"},
                                 {Role::kDeployer, "deployer"}}};
constexpr Names<InputRole, 5> kInputRoles{{{InputRole::kBase, "base"},
                                           {InputRole::kAdapter, "adapter"},
                                           {InputRole::kParent, "parent"},
                                           {InputRole::kCalibration, "calibration"},
                                           {InputRole::kOther, "other"}}};

template <typename T, std::size_t N>
std::string_view name_of(const Names<T, N>& names, T value) noexcept {
  const auto found = std::ranges::find(names, value, &std::pair<T, std::string_view>::first);
  return found == names.end() ? std::string_view() : found->second;
}

template <typename T, std::size_t N>
Result<T> value_of(const Names<T, N>& names, std::string_view text, std::string_view what) {
  const auto found = std::ranges::find(names, text, &std::pair<T, std::string_view>::second);
  if (found != names.end()) return found->first;
  std::string all;
  for (const auto& [value, name] : names) all.append(all.empty() ? "" : ", ").append(name);
  return fail(Code::kInvalidArgument,
              fmt::format("'{}' is no {}; there are {}", shown(text), what, all));
}

json::Object actor_json(const Actor& actor) {
  json::Object out{{"name", actor.name}, {"role", to_string(actor.role)}};
  put_text(out, "country", actor.country);
  put_text(out, "contact", actor.contact);
  return out;
}

Result<Actor> parse_actor(const json::Object& object) {
  TRY(json::only_keys(object, {"name", "role", "country", "contact"}));
  Actor out;
  out.name = TRY(checked_text(object, "name"));
  const std::string role = TRY(text_member(object, "role"));
  out.role = TRY(role_of(role));
  out.country = TRY(text_or_none(object, "country"));
  out.contact = TRY(text_or_none(object, "contact"));
  return out;
}

json::Object predicate_json(const Derivation& derivation) {
  json::Array inputs, tools, datasets;
  for (const Input& one : derivation.inputs) {
    json::Object input = artefact_json(one.artefact);
    input["role"] = to_string(one.role);
    inputs.push_back(std::move(input));
  }
  for (const Tool& one : derivation.tools) {
    json::Object tool{{"name", one.name}};
    put_text(tool, "version", one.version);
    put_digest(tool, "sha256", one.sha256);
    tools.push_back(std::move(tool));
  }
  for (const Dataset& one : derivation.datasets) {
    json::Object dataset{{"name", one.name}};
    put_digest(dataset, "sha256", one.sha256);
    put_text(dataset, "uri", one.uri);
    put_text(dataset, "licence", one.licence);
    datasets.push_back(std::move(dataset));
  }
  json::Object out{
      {"step", to_string(derivation.step)}, {"evidence", to_string(derivation.evidence)},
      {"inputs", std::move(inputs)},        {"actor", actor_json(derivation.actor)},
      {"tools", std::move(tools)},          {"datasets", std::move(datasets)}};
  put_text(out, "compute_flop", derivation.compute_flop);
  put_text(out, "energy_kwh", derivation.energy_kwh);
  put_text(out, "started", derivation.started);
  put_text(out, "finished", derivation.finished);
  put_text(out, "notes", derivation.notes);
  return out;
}

Result<void> parse_predicate(const json::Object& object, Derivation& out) {
  TRY(json::only_keys(object, {"step", "evidence", "inputs", "actor", "tools", "datasets",
                               "compute_flop", "energy_kwh", "started", "finished", "notes"}));
  const std::string step = TRY(text_member(object, "step"));
  out.step = TRY(step_of(step));
  const std::string evidence = TRY(text_member(object, "evidence"));
  out.evidence = TRY(evidence_of(evidence));
  TRY(each(object, "inputs", kMaxList, [&out](const json::Object& one) -> Result<void> {
    TRY(json::only_keys(one, {"name", "digest", "role"}));
    const std::string role = TRY(text_member(one, "role"));
    const InputRole known = TRY(input_role_of(role));
    out.inputs.push_back({.artefact = TRY(parse_artefact(one)), .role = known});
    return {};
  }));
  const json::Object& actor = *TRY(object_member(object, "actor"));
  out.actor = TRY(parse_actor(actor));
  TRY(each(object, "tools", kMaxList, [&out](const json::Object& one) -> Result<void> {
    TRY(json::only_keys(one, {"name", "version", "sha256"}));
    Tool tool{.name = TRY(checked_text(one, "name"))};
    tool.version = TRY(text_or_none(one, "version"));
    tool.sha256 = TRY(hex_or_none(one, "sha256"));
    out.tools.push_back(std::move(tool));
    return {};
  }));
  TRY(each(object, "datasets", kMaxList, [&out](const json::Object& one) -> Result<void> {
    TRY(json::only_keys(one, {"name", "sha256", "uri", "licence"}));
    Dataset dataset{.name = TRY(checked_text(one, "name"))};
    dataset.sha256 = TRY(hex_or_none(one, "sha256"));
    dataset.uri = TRY(text_or_none(one, "uri"));
    dataset.licence = TRY(text_or_none(one, "licence"));
    out.datasets.push_back(std::move(dataset));
    return {};
  }));
  out.compute_flop = TRY(text_or_none(object, "compute_flop"));
  out.energy_kwh = TRY(text_or_none(object, "energy_kwh"));
  out.started = TRY(text_or_none(object, "started"));
  out.finished = TRY(text_or_none(object, "finished"));
  out.notes = TRY(text_or_none(object, "notes"));
  return {};
}

}  // namespace

std::string_view to_string(Evidence value) noexcept { return name_of(kEvidence, value); }
std::string_view to_string(Step value) noexcept { return name_of(kSteps, value); }
std::string_view to_string(Role value) noexcept { return name_of(kRoles, value); }
std::string_view to_string(InputRole value) noexcept { return name_of(kInputRoles, value); }
Result<Evidence> evidence_of(std::string_view text) {
  return value_of(kEvidence, text, "evidence");
}
Result<Step> step_of(std::string_view text) { return value_of(kSteps, text, "step"); }
Result<Role> role_of(std::string_view text) { return value_of(kRoles, text, "role of an actor"); }
Result<InputRole> input_role_of(std::string_view text) {
  return value_of(kInputRoles, text, "role of an input");
}

bool is_decimal(std::string_view text) noexcept {
  constexpr std::size_t kMaxDecimal = 40;
  if (text.empty() || text.size() > kMaxDecimal || text.front() == '.' || text.back() == '.') {
    return false;
  }
  return std::ranges::count(text, '.') <= 1 &&
         std::ranges::all_of(text, [](char c) { return c == '.' || (c >= '0' && c <= '9'); });
}

json::Object to_json(const Derivation& derivation) {
  json::Array subject;
  for (const Artefact& one : derivation.outputs) subject.push_back(artefact_json(one));
  return {{"_type", kStatementType},
          {"subject", std::move(subject)},
          {"predicateType", kDerivationPredicate},
          {"predicate", predicate_json(derivation)}};
}

Result<Derivation> parse_derivation(const json::Object& statement) {
  TRY(json::only_keys(statement, {"_type", "subject", "predicateType", "predicate"}));
  const std::string type = TRY(text_member(statement, "_type"));
  const std::string predicate_type = TRY(text_member(statement, "predicateType"));
  if (type != kStatementType || predicate_type != kDerivationPredicate) {
    return fail(Code::kInvalidArgument,
                fmt::format("'{}' is no statement of descent: its predicate is {}",
                            shown(predicate_type), kDerivationPredicate));
  }
  Derivation out;
  TRY(each(statement, "subject", kMaxFiles, [&out](const json::Object& one) -> Result<void> {
    TRY(json::only_keys(one, {"name", "digest"}));
    out.outputs.push_back(TRY(parse_artefact(one)));
    return {};
  }));
  const json::Object& predicate = *TRY(object_member(statement, "predicate"));
  TRY(parse_predicate(predicate, out));
  TRY(check_derivation(out));
  return out;
}

Result<void> check_derivation(const Derivation& derivation) {
  if (derivation.outputs.empty()) {
    return fail(Code::kInvalidArgument, "a step needs an output (subject)");
  }
  if (derivation.inputs.empty() && derivation.step != Step::kPretrained) {
    return fail(Code::kInvalidArgument,
                fmt::format("a step '{}' needs an input", to_string(derivation.step)));
  }
  for (const Artefact& one : derivation.outputs) TRY(check_text(one.name, "an output's name"));
  for (const Input& one : derivation.inputs) TRY(check_text(one.artefact.name, "an input's name"));
  for (const Tool& one : derivation.tools) TRY(check_text(one.name, "a tool's name"));
  for (const Dataset& one : derivation.datasets) TRY(check_text(one.name, "a data set's name"));
  TRY(check_text(derivation.actor.name, "the actor's name"));
  TRY(check_country(derivation.actor.country));
  TRY(check_amount(derivation.compute_flop, "compute_flop"));
  TRY(check_amount(derivation.energy_kwh, "energy_kwh"));
  TRY(check_time(derivation.started, "started"));
  TRY(check_time(derivation.finished, "finished"));
  if (!derivation.started.empty() && !derivation.finished.empty() &&
      derivation.started > derivation.finished) {
    return fail(Code::kInvalidArgument, "a step is finished before it started");
  }
  return {};
}

}  // namespace candor::passport
