#include "passport/cyclonedx.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

#include <fmt/format.h>

#include "crypto/hash.h"

namespace candor::passport {
namespace {

// SPDX identifiers that model files commonly name, in whatever case; others are given as names.
constexpr std::array<std::string_view, 9> kLicences{
    "Apache-2.0",   "MIT",          "BSD-2-Clause",    "BSD-3-Clause", "CC-BY-4.0",
    "CC-BY-SA-4.0", "CC-BY-NC-4.0", "CC-BY-NC-SA-4.0", "CC0-1.0"};

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return out;
}

json::Array hashes_of(const Digest& sha256) {
  json::Array out;
  out.push_back(json::Object{{"alg", "SHA-256"}, {"content", to_hex(sha256)}});
  return out;
}

json::Array licences_of(const std::string& licence) {
  json::Object one{{"acknowledgement", "declared"}};
  const auto known = std::ranges::find(kLicences, lower(licence), lower);
  if (known != kLicences.end()) {
    one["id"] = *known;
  } else {
    one["name"] = licence;
  }
  json::Array out;
  out.push_back(json::Object{{"license", std::move(one)}});
  return out;
}

// A UUID of version 8 (RFC 9562) from the passport's digest.
std::string serial_number(std::string_view document) {
  Digest digest = crypto::sha256(as_bytes(document));
  digest[6] = (digest[6] & std::byte{0x0F}) | std::byte{0x80};
  digest[8] = (digest[8] & std::byte{0x3F}) | std::byte{0x80};
  const std::string hex = to_hex(digest);
  return fmt::format("urn:uuid:{}-{}-{}-{}-{}", hex.substr(0, 8), hex.substr(8, 4),
                     hex.substr(12, 4), hex.substr(16, 4), hex.substr(20, 12));
}

class Properties {
 public:
  void add(std::string_view name, std::string_view value) {
    if (value.empty()) return;
    list_.push_back(json::Object{{"name", fmt::format("candor:{}", name)}, {"value", value}});
  }
  void add(std::string_view name, const StatedText& stated) {
    if (!stated) return;
    add(name, stated->value);
    add(fmt::format("{}:evidence", name), to_string(stated->evidence));
  }
  void add(std::string_view name, const std::optional<Digest>& digest) {
    if (digest) add(name, to_hex(*digest));
  }
  [[nodiscard]] json::Array take() { return std::move(list_); }

 private:
  json::Array list_;
};

json::Array properties_of(const Passport& passport, std::string_view document) {
  Properties out;
  out.add("passport:sha256", to_hex(crypto::sha256(as_bytes(document))));
  out.add("parameters", passport.about.parameters);
  out.add("quantisation", passport.about.quantisation);
  out.add("architecture:evidence",
          passport.about.architecture ? to_string(passport.about.architecture->evidence) : "");
  if (passport.about.context) out.add("context", fmt::format("{}", passport.about.context->value));
  if (passport.about.languages) {
    for (const std::string& one : passport.about.languages->value) out.add("language", one);
  }
  out.add("tokenizer:sha256", passport.tokenizer);
  out.add("template:sha256", passport.chat_template);
  out.add("origin:country", passport.origin.country);
  out.add("origin:jurisdiction", passport.origin.jurisdiction);
  for (std::size_t i = 0; i < passport.descent.size(); ++i) {
    const Derivation& step = passport.descent[i].statement;
    const std::string prefix = fmt::format("descent:{}:", i + 1);
    out.add(prefix + "step", to_string(step.step));
    out.add(prefix + "evidence", to_string(step.evidence));
    out.add(prefix + "actor", step.actor.name);
    out.add(prefix + "actor-role", to_string(step.actor.role));
    out.add(prefix + "compute-flop", step.compute_flop);
  }
  for (const std::string& gap : chain_gaps(passport)) out.add("descent:gap", gap);
  return out.take();
}

json::Object pedigree_of(const Passport& passport) {
  json::Array ancestors;
  std::vector<Digest> seen;
  std::string notes;
  for (auto at = passport.descent.rbegin(); at != passport.descent.rend(); ++at) {
    const Derivation& step = at->statement;
    notes = fmt::format("{} by {} ({}, {}). {}", to_string(step.step), step.actor.name,
                        to_string(step.actor.role), to_string(step.evidence), notes);
    for (const Input& input : step.inputs) {
      const bool model = input.role == InputRole::kBase || input.role == InputRole::kParent ||
                         input.role == InputRole::kAdapter;
      if (!model || std::ranges::find(seen, input.artefact.sha256) != seen.end()) continue;
      seen.push_back(input.artefact.sha256);
      ancestors.push_back(json::Object{{"type", "machine-learning-model"},
                                       {"bom-ref", fmt::format("ancestor-{}", seen.size())},
                                       {"name", input.artefact.name},
                                       {"hashes", hashes_of(input.artefact.sha256)}});
    }
  }
  json::Object out;
  if (!ancestors.empty()) out["ancestors"] = std::move(ancestors);
  while (notes.ends_with(' ')) notes.pop_back();
  if (!notes.empty()) out["notes"] = std::move(notes);
  return out;
}

json::Array datasets_of(const Passport& passport) {
  json::Array out;
  for (const DescentStep& step : passport.descent) {
    for (const Dataset& one : step.statement.datasets) {
      json::Object dataset{{"type", "dataset"}, {"name", one.name}};
      json::Object contents;
      if (!one.uri.empty()) contents["url"] = one.uri;
      json::Array properties;
      if (one.sha256) {
        properties.push_back(
            json::Object{{"name", "candor:sha256"}, {"value", to_hex(*one.sha256)}});
      }
      if (!one.licence.empty()) {
        properties.push_back(json::Object{{"name", "candor:licence"}, {"value", one.licence}});
      }
      if (!properties.empty()) contents["properties"] = std::move(properties);
      if (!contents.empty()) dataset["contents"] = std::move(contents);
      out.push_back(std::move(dataset));
    }
  }
  return out;
}

std::string_view activity_of(Step step) {
  if (step == Step::kPretrained) return "training";
  if (step == Step::kFineTuned) return "fine-tuning";
  return "other";
}

json::Object considerations_of(const Passport& passport) {
  json::Object out;
  json::Array uses, limits, energy;
  for (const std::string& one : passport.use.intended) uses.emplace_back(one);
  for (const std::string& one : passport.use.limits) limits.emplace_back(one);
  for (const std::string& one : passport.use.out_of_scope) {
    limits.emplace_back("Out of scope: " + one);
  }
  for (const DescentStep& step : passport.descent) {
    const std::string& text = step.statement.energy_kwh;
    double kwh = 0;
    if (text.empty() ||
        std::from_chars(text.data(), text.data() + text.size(), kwh).ec != std::errc()) {
      continue;
    }
    energy.push_back(
        json::Object{{"activity", activity_of(step.statement.step)},
                     {"energyProviders", json::Array{}},  // needed; the passport names none
                     {"activityEnergyCost", json::Object{{"value", kwh}, {"unit", "kWh"}}}});
  }
  if (!uses.empty()) out["useCases"] = std::move(uses);
  if (!limits.empty()) out["technicalLimitations"] = std::move(limits);
  if (!energy.empty()) {
    out["environmentalConsiderations"] = json::Object{{"energyConsumptions", std::move(energy)}};
  }
  return out;
}

json::Object card_of(const Passport& passport) {
  json::Object parameters, out;
  if (passport.about.architecture) {
    parameters["modelArchitecture"] = passport.about.architecture->value;
  }
  if (json::Array datasets = datasets_of(passport); !datasets.empty()) {
    parameters["datasets"] = std::move(datasets);
  }
  json::Array metrics;
  for (const Evaluation& one : passport.evaluations) {
    json::Object metric{{"type", fmt::format("{} {}", one.name, one.metric)}, {"value", one.value}};
    if (!one.slice.empty()) metric["slice"] = one.slice;
    metrics.push_back(std::move(metric));
  }
  if (!parameters.empty()) out["modelParameters"] = std::move(parameters);
  if (!metrics.empty()) {
    out["quantitativeAnalysis"] = json::Object{{"performanceMetrics", std::move(metrics)}};
  }
  if (json::Object considerations = considerations_of(passport); !considerations.empty()) {
    out["considerations"] = std::move(considerations);
  }
  return out;
}

json::Array files_of(const Passport& passport) {
  json::Array out;
  for (std::size_t i = 0; i < passport.files.size(); ++i) {
    const PassportFile& file = passport.files[i];
    json::Array properties;
    properties.push_back(json::Object{{"name", "candor:role"}, {"value", to_string(file.role)}});
    properties.push_back(
        json::Object{{"name", "candor:size"}, {"value", fmt::format("{}", file.bytes)}});
    out.push_back(json::Object{{"type", "file"},
                               {"bom-ref", fmt::format("file-{}", i + 1)},
                               {"name", file.name},
                               {"hashes", hashes_of(file.sha256)},
                               {"properties", std::move(properties)}});
  }
  return out;
}

}  // namespace

json::Object to_cyclonedx(const Passport& passport, std::string_view document) {
  json::Object model{{"type", "machine-learning-model"},
                     {"bom-ref", "model"},
                     {"name", passport.name},
                     {"components", files_of(passport)},
                     {"properties", properties_of(passport, document)}};
  if (!passport.version.empty()) model["version"] = passport.version;
  if (passport.files.size() == 1) model["hashes"] = hashes_of(passport.files.front().sha256);
  if (passport.about.licence) model["licenses"] = licences_of(passport.about.licence->value);
  if (passport.origin.organisation) {
    model["manufacturer"] = json::Object{{"name", passport.origin.organisation->value}};
  }
  if (json::Object pedigree = pedigree_of(passport); !pedigree.empty()) {
    model["pedigree"] = std::move(pedigree);
  }
  if (json::Object card = card_of(passport); !card.empty()) model["modelCard"] = std::move(card);

  json::Array tools;
  const std::size_t space = passport.made_by.rfind(' ');
  json::Object tool{{"type", "application"}, {"name", passport.made_by.substr(0, space)}};
  if (space != std::string::npos) tool["version"] = passport.made_by.substr(space + 1);
  tools.push_back(std::move(tool));
  json::Object metadata{{"timestamp", passport.made_at},
                        {"tools", json::Object{{"components", std::move(tools)}}},
                        {"component", std::move(model)}};
  return {{"$schema", "http://cyclonedx.org/schema/bom-1.7.schema.json"},
          {"bomFormat", "CycloneDX"},
          {"specVersion", "1.7"},
          {"serialNumber", serial_number(document)},
          {"version", 1},
          {"metadata", std::move(metadata)}};
}

}  // namespace candor::passport
