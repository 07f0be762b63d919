// candor attribute RECEIPT|ID: the chain behind one answer (D14). The log's part comes from the
// server, the model's from its passport and its weights on this disk.
#include <filesystem>

#include <fmt/format.h>

#include "base/clock.h"
#include "base/terminal.h"
#include "ledger/receipt.h"
#include "verbs/attribution.h"
#include "verbs/lineage_file.h"

namespace candor::cli {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMaxReceipt = 4U << 20U;

Result<std::string> exchange_of(const std::string& subject) {
  if (is_exchange_id(subject)) return subject;
  std::error_code error;
  if (!fs::is_regular_file(subject, error)) {
    return fail(Code::kInvalidArgument,
                "name an exchange (32 hexadecimal digits: the Candor-Exchange header of the "
                "answer) or a file with its receipt");
  }
  const std::string text = TRY(read_text_file(subject, kMaxReceipt));
  const ledger::Receipt receipt = TRY(ledger::parse_receipt(text));
  const ledger::Entry entry = TRY(ledger::decode(receipt.intent));
  const auto* intent = std::get_if<ledger::Intent>(&entry);
  if (intent == nullptr) return fail(Code::kInvalidArgument, "the receipt holds no intent");
  return to_hex(intent->exchange);
}

std::string joined(const json::Array& list) {
  std::string out;
  for (const json::Value& value : list) {
    if (value.is_string()) out.append(out.empty() ? "" : ", ").append(value.get_string());
  }
  return out;
}

std::string hex_of(const json::Object& object, std::string_view key) {
  const auto digest = digest_from_base64(text_of(object, key));
  return digest ? to_hex(*digest) : std::string();
}

void add(AttributionSection& section, std::string what, std::string value) {
  const bool missing = value.empty();
  section.lines.push_back({std::move(what), missing ? "nobody says" : std::move(value),
                           missing ? Known::kMissing : Known::kRecorded});
}

AttributionSection answer_section(const json::Object& found, const std::string& exchange,
                                  const json::Object& intent) {
  AttributionSection out{"answer", "The answer", {}};
  add(out, "exchange", exchange);
  add(out, "asked",
      fmt::format(
          "{} by {}, entry {}",
          format_utc(static_cast<std::int64_t>(number_of(object_of(intent, "at"), "time_us"))),
          text_of(intent, "api"), text_of(object_of(found, "intent"), "index")));
  const json::Object& outcome = object_of(found, "outcome");
  if (!outcome.empty()) {
    const json::Object& entry = object_of(outcome, "entry");
    add(out, "ended",
        fmt::format("{}, entry {}", text_of(entry, "result"), text_of(outcome, "index")));
  } else {
    add(out, "ended", object_of(found, "abort").empty() ? "" : "aborted");
  }
  return out;
}

AttributionSection caller_section(const Context& context, const json::Object& intent) {
  AttributionSection out{"caller", "Who asked", {}};
  const std::string pseudonym = text_of(intent, "caller");
  add(out, "caller",
      fmt::format("{} (known by {})", pseudonym, text_of(intent, "caller_known_by")));
  const auto callers = admin_call(context, "GET", "/v1/callers");
  std::string name;
  if (callers) name = text_of(object_of(*callers, "callers"), pseudonym);
  if (name.empty()) {
    out.lines.push_back({"name", "erased, or not known to this server", Known::kMissing});
  } else {
    add(out, "name", name);
  }
  const json::Object& policy = object_of(intent, "policy");
  add(out, "team", text_of(policy, "team"));
  add(out, "purpose", text_of(policy, "purpose"));
  return out;
}

AttributionSection policy_section(const json::Object& intent) {
  AttributionSection out{"policy", "Under which rules", {}};
  const json::Object& policy = object_of(intent, "policy");
  if (policy.empty()) {
    out.lines.push_back({"policy", "none was in force", Known::kMissing});
    return out;
  }
  add(out, "policy", "version sha256 " + hex_of(policy, "digest"));
  add(out, "effect", text_of(policy, "effect"));
  const std::string rules = joined(array_of(policy, "rules"));
  add(out, "rules that fired", rules.empty() ? "none" : rules);
  return out;
}

AttributionSection deployer_section(const Context& context, const passport::Passport* one) {
  AttributionSection out{"deployer", "Who runs it", {}};
  const auto status = admin_call(context, "GET", "/v1/status");
  if (status) {
    add(out, "log", text_of(object_of(*status, "log"), "origin"));
    add(out, "server",
        fmt::format("candor {}, {}", text_of(*status, "version"), text_of(*status, "mode")));
  }
  const std::string configured = status ? text_of(*status, "deployer") : "";
  if (!configured.empty()) {
    out.lines.push_back(
        {"deployer", configured + ", by the server's configuration", Known::kClaimed});
  }
  std::string named;
  if (one != nullptr) {
    for (const passport::DescentStep& step : one->descent) {
      if (step.statement.actor.role == passport::Role::kDeployer) named = step.statement.actor.name;
    }
  }
  if (!named.empty()) {
    out.lines.push_back({"deployer", named + ", by the passport", Known::kClaimed});
  } else if (configured.empty()) {
    out.lines.push_back({"deployer",
                         "whoever runs the server of this log; neither its configuration nor a "
                         "passport names them",
                         Known::kMissing});
  }
  return out;
}

AttributionSection model_section(const json::Object& provenance) {
  AttributionSection out{"model", "What answered", {}};
  const auto line = [&](std::string what, std::string value, std::string_view basis) {
    const bool measured = text_of(provenance, basis) == "measured";
    out.lines.push_back({std::move(what), std::move(value) + (measured ? "" : " (declared)"),
                         measured ? Known::kMeasured : Known::kClaimed});
  };
  add(out, "model", text_of(provenance, "model"));
  line("weights", "sha256 " + hex_of(provenance, "weights"), "weights_basis");
  const std::string chat_template = hex_of(provenance, "chat_template");
  if (!chat_template.empty()) line("template", "sha256 " + chat_template, "template_basis");
  line("engine", "sha256 " + hex_of(provenance, "engine"), "engine_basis");
  for (const json::Value& value : array_of(provenance, "adapters")) {
    const auto digest = digest_from_base64(value.is_string() ? value.get_string() : "");
    if (digest) line("adapter", "sha256 " + to_hex(*digest), "weights_basis");
  }
  return out;
}

std::string model_path(const Context& context, const AttributeOptions& options,
                       const std::string& name) {
  if (!options.model_file.empty()) return options.model_file;
  if (const auto reply = admin_call(context, "GET", "/v1/models")) {
    for (const json::Value& value : array_of(*reply, "models")) {
      if (!value.is_object() || text_of(value.get_object(), "name") != name) continue;
      return text_of(value.get_object(), "path");
    }
  }
  for (const config::Model& model : context.config().models) {
    if (model.name == name) return model.path.string();
  }
  return {};
}

// Only of the very bytes that answered.
WeightEvidence look_at(const std::string& path, const Digest& weights, const std::string& folder,
                       const passport::Passport* one, AttributionSection& model) {
  WeightEvidence out;
  const auto missing = [&model](std::string why) {
    model.lines.push_back({"weights on this disk", std::move(why), Known::kMissing});
  };
  if (path.empty()) return missing("no file is known"), out;
  const Progress progress("reading " + path);
  const auto digest = digest_of_file(path);
  if (!digest) return missing("they cannot be read: " + digest.error().message()), out;
  if (*digest != weights) return missing("the file there now is not what answered"), out;
  const auto index = read_index(folder.empty() ? default_index() : folder);
  if (!index) return missing("no known models to hold them against"), out;
  const auto print = fingerprint_of(path);
  if (!print) return missing("no fingerprint: " + print.error().message()), out;
  const auto matches = index->look_up(*print);
  for (const auto& match : matches) {
    out.matches.push_back(fmt::format("{}: {} (cosine {:.3f})", match.reference->name,
                                      lineage::to_string(match.relation.blocks),
                                      match.relation.block_cosine));
  }
  if (matches.empty()) {
    out.matches.push_back(fmt::format("none of {} known models has this width", index->size()));
  }
  out.claim = lineage::check_claim(one == nullptr ? lineage::Claim{} : claim_of(*one), matches);
  return out;
}

Result<Attribution> attribute(const Context& context, const AttributeOptions& options) {
  const std::string exchange = TRY(exchange_of(options.subject));
  const json::Object found = TRY(admin_call(context, "GET", "/v1/exchange?id=" + exchange));
  const json::Object& intent = object_of(object_of(found, "intent"), "entry");
  const json::Object& provenance = object_of(intent, "provenance");
  const Digest weights = TRY(digest_from_base64(text_of(provenance, "weights")));

  PassportOptions passport = options.passport;
  passport.model = model_path(context, options, text_of(provenance, "model"));
  const StepKeys keys = TRY(read_step_keys(passport));
  Result<PassportFileContent> content = fail(Code::kNotFound, "no file of this model is known");
  std::error_code error;
  if (!passport.passport.empty() || !passport.model.empty()) {
    const fs::path path = passport_path(passport);
    if (fs::exists(path, error)) {
      passport.passport = path.string();
      content = read_passport(passport);
    } else {
      content = fail(Code::kNotFound, "there is none beside the model (candor passport make)");
    }
  }
  const passport::Passport* one = content ? &content->passport : nullptr;

  Attribution out;
  out.push_back(answer_section(found, exchange, intent));
  out.push_back(caller_section(context, intent));
  out.push_back(policy_section(intent));
  out.push_back(deployer_section(context, one));
  AttributionSection model = model_section(provenance);
  const WeightEvidence evidence = text_of(provenance, "weights_basis") == "measured"
                                      ? look_at(passport.model, weights, options.index, one, model)
                                      : WeightEvidence{};
  out.push_back(std::move(model));
  add_passport_sections(content ? &*content : nullptr,
                        content ? std::string() : content.error().message(), weights, keys,
                        evidence, out);
  add_open_points(out);
  return out;
}

}  // namespace

int run_attribute(const Context& context, const AttributeOptions& options) {
  const Output& out = context.out();
  const auto attribution = attribute(context, options);
  if (!attribution) return report(out, attribution.error());
  if (out.json()) {
    out.document(attribution_json(*attribution));
  } else if (options.markdown) {
    out.write(attribution_markdown(*attribution));
  } else {
    out.write(attribution_text(*attribution, out));
  }
  return kExitDone;
}

}  // namespace candor::cli
