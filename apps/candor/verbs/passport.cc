// candor passport make|show|verify|sign|export. No configuration and no server: files only, read
// with this user's rights; model files by our own bounded readers (docs/passport.md).
#include <algorithm>
#include <optional>

#include <fmt/format.h>

#include "base/clock.h"
#include "passport/card.h"
#include "passport/claims.h"
#include "passport/cyclonedx.h"
#include "passport/measure.h"
#include "verbs/passport_file.h"
#include "verbs/signer_text.h"
#include "verbs/verbs.h"

namespace candor::cli {
namespace {

namespace fs = std::filesystem;

std::string now_text() {
  const std::string text = format_utc(system_clock().wall_us());
  return text.substr(0, text.find('.')) + "Z";
}

// Names of files in a claim are relative to it.
Result<void> add_claim_files(const std::vector<std::string>& claims, passport::Passport& out) {
  for (const std::string& claim : claims) {
    const std::string toml = TRY(read_text_file(claim, 4U << 20U));
    const fs::path folder = fs::path(claim).parent_path();
    TRY(passport::add_claims(
        toml, claim,
        [&folder](const std::string& path) { return passport::hash_file(folder / path); }, out));
  }
  return {};
}

Result<void> add_steps(const std::vector<std::string>& files, passport::Passport& out) {
  for (const std::string& file : files) {
    const std::string text = TRY(read_text_file(file, passport::kMaxPassportBytes));
    auto step = read_step(text);
    if (!step) return std::unexpected(std::move(step).error().with_context(file));
    out.descent.push_back(*std::move(step));
  }
  return {};
}

Result<void> add_adapters(const std::vector<std::string>& files, passport::Passport& out) {
  for (const std::string& file : files) {
    const Digest digest = TRY(passport::hash_file(file));
    out.adapters.push_back({.name = fs::path(file).filename().string(), .sha256 = digest});
  }
  return {};
}

Result<void> check_adapters(const std::vector<std::string>& files, const passport::Passport& one) {
  for (const std::string& file : files) {
    const Digest digest = TRY(passport::hash_file(file));
    if (std::ranges::find(one.adapters, digest, &passport::Artefact::sha256) ==
        one.adapters.end()) {
      return fail(Code::kDataLoss, file + " is none of the passport's adapters");
    }
  }
  return {};
}

Result<PassportFileContent> make(const PassportOptions& options) {
  PassportFileContent out;
  out.path = passport_path(options);
  out.passport = TRY(passport::measure_model(options.model, not_of_model(options)));
  TRY(add_adapters(options.adapters, out.passport));
  TRY(add_steps(options.steps, out.passport));
  TRY(add_claim_files(options.claims, out.passport));
  if (!options.name.empty()) out.passport.name = options.name;
  out.passport.made_at = now_text();
  out.passport.made_by = fmt::format("candor {}", kVersion);
  out.document = TRY(passport::format_passport(out.passport));
  TRY(write_text_file(out.path, out.document, 0644));
  return out;
}

void print_stated(const Output& out, std::string_view name, const passport::StatedText& stated) {
  if (!stated) return;
  out.line(fmt::format("  {:<13} {} ({})", name, out.shown(stated->value),
                       passport::to_string(stated->evidence)));
}

}  // namespace

Result<std::string> step_signature(const passport::DescentStep& step, const StepKeys& keys) {
  if (step.bundle.empty()) return std::string("nobody signed it");
  const passport::Bundle bundle = TRY(check_step_bundle(step));
  for (const crypto::VerifyingKey& key : keys) {
    const auto signer = passport::verify_with_key(bundle, key);
    if (signer) return signer_text(*signer);
    if (signer.error().code() == Code::kDataLoss && bundle.key_hint == passport::key_hint(key)) {
      return std::unexpected(signer.error());
    }
  }
  return fmt::format("signed with a {} that was not given here",
                     passport::to_string(bundle.method));
}

Result<StepKeys> read_step_keys(const PassportOptions& options) {
  std::vector<std::string> files = options.step_keys;
  if (!options.trust.key.empty()) files.push_back(options.trust.key);
  StepKeys out;
  for (const std::string& file : files) {
    const std::string text = TRY(read_text_file(file, 1U << 20U));
    auto key = crypto::VerifyingKey::from_pem(text);
    if (!key) return std::unexpected(std::move(key).error().with_context(file));
    out.push_back(*std::move(key));
  }
  return out;
}

namespace {

void print_steps(const Output& out, const passport::Passport& one, const StepKeys& keys) {
  if (!one.descent.empty()) out.line("Descent:");
  for (std::size_t i = 0; i < one.descent.size(); ++i) {
    const passport::Derivation& step = one.descent[i].statement;
    const auto signer = step_signature(one.descent[i], keys);
    const std::string signature = signer ? *signer : signer.error().message();
    out.line(fmt::format("  {} {} by {} ({}): {}; {}", i + 1, passport::to_string(step.step),
                         out.shown(step.actor.name), passport::to_string(step.actor.role),
                         passport::to_string(step.evidence), out.shown(signature)));
    for (const passport::Input& input : step.inputs) {
      out.line(fmt::format("      from {} {} {}", passport::to_string(input.role),
                           out.shown(input.artefact.name),
                           to_hex(input.artefact.sha256).substr(0, 16)));
    }
  }
  for (const std::string& gap : passport::chain_gaps(one)) {
    out.line("  missing: " + out.shown(gap));
  }
}

void print(const Output& out, const PassportFileContent& content) {
  const passport::Passport& one = content.passport;
  out.line(fmt::format("{}{}", out.shown(one.name),
                       one.version.empty() ? "" : " " + out.shown(one.version)));
  print_stated(out, "architecture", one.about.architecture);
  print_stated(out, "parameters", one.about.parameters);
  print_stated(out, "quantisation", one.about.quantisation);
  if (one.about.context) {
    out.line(fmt::format("  {:<13} {} ({})", "context", one.about.context->value,
                         passport::to_string(one.about.context->evidence)));
  }
  print_stated(out, "licence", one.about.licence);
  print_stated(out, "organisation", one.origin.organisation);
  print_stated(out, "country", one.origin.country);
  std::vector<std::vector<std::string>> rows;
  for (const passport::PassportFile& file : one.files) {
    rows.push_back({out.shown(file.name), std::string(passport::to_string(file.role)),
                    fmt::format("{}", file.bytes), fmt::format("{}", file.shards.size()),
                    to_hex(file.sha256).substr(0, 16)});
  }
  out.table({"FILE", "ROLE", "BYTES", "SHARDS", "SHA-256"}, rows);
  print_steps(out, one, {});
  out.line("Passport " + content.digest().substr(0, 16) + ". " + content.signature_text());
}

// The document itself, with what stands around it.
json::Object content_json(const PassportFileContent& content) {
  json::Object object;
  object["path"] = content.path.string();
  object["sha256"] = content.digest();
  object["signed"] = content.bundle.has_value();
  if (content.bundle) object["method"] = passport::to_string(content.bundle->method);
  json::Array gaps;
  for (const std::string& gap : passport::chain_gaps(content.passport)) gaps.emplace_back(gap);
  object["gaps"] = std::move(gaps);
  object["passport"] = json::parse(content.document, {.max_bytes = passport::kMaxPassportBytes})
                           .value();  // it was parsed before
  return object;
}

}  // namespace

int run_passport_make(const PassportOptions& options) {
  const Output out({.json = options.json, .raw = options.raw});
  const auto made = make(options);
  if (!made) return report(out, made.error());
  if (out.json()) {
    out.document(content_json(*made));
  } else {
    print(out, *made);
    out.line("written to " + out.shown(made->path.string()));
  }
  return kExitDone;
}

int run_passport_show(const PassportOptions& options) {
  const Output out({.json = options.json, .raw = options.raw});
  const auto content = read_passport(options);
  if (!content) return report(out, content.error());
  if (out.json()) {
    out.document(content_json(*content));
  } else {
    print(out, *content);
  }
  return kExitDone;
}

int run_passport_verify(const PassportOptions& options) {
  const Output out({.json = options.json, .raw = options.raw});
  const auto content = read_passport(options);
  if (!content) return report(out, content.error());
  std::optional<passport::Signer> signer;
  StepKeys keys;
  json::Array steps;
  const auto checked = [&]() -> Result<void> {
    const bool trust = !options.trust.key.empty() || !options.trust.roots.empty() ||
                       !options.trust.trusted_root.empty();
    if (content->bundle && !options.files_only) {
      signer = TRY(verify_signer(*content->bundle, options.trust));
    } else if (!content->bundle && trust) {
      return fail(Code::kFailedPrecondition,
                  "nobody signed this passport: candor passport sign does, or leave the key away");
    }
    keys = TRY(read_step_keys(options));
    for (const passport::DescentStep& step : content->passport.descent) {
      steps.emplace_back(TRY(step_signature(step, keys)));
    }
    TRY(check_adapters(options.adapters, content->passport));
    return passport::check_files(options.model, content->passport,
                                 options.quick ? passport::Depth::kQuick : passport::Depth::kWhole,
                                 not_of_model(options));
  }();
  if (!checked) return report(out, checked.error());
  std::size_t shards = 0;
  for (const passport::PassportFile& file : content->passport.files) shards += file.shards.size();
  if (out.json()) {
    json::Object object;
    object["holds"] = true;
    object["files"] = content->passport.files.size();
    object["shards"] = shards;
    object["depth"] = options.quick ? "quick" : "whole";
    object["sha256"] = content->digest();
    if (signer) object["signer"] = signer_json(*signer);
    object["steps"] = std::move(steps);
    json::Array gaps;
    for (const std::string& gap : passport::chain_gaps(content->passport)) gaps.emplace_back(gap);
    object["gaps"] = std::move(gaps);
    out.document(object);
    return kExitDone;
  }
  out.line(fmt::format("The model is the passport's: {} files, {} shards{}",
                       content->passport.files.size(), shards,
                       options.quick ? " (whole files not hashed)" : ""));
  out.line("  the passport is " + (signer ? out.shown(signer_text(*signer))
                                   : content->bundle
                                       ? std::string("signed, and its signature was not checked")
                                       : std::string("signed by nobody")));
  print_steps(out, content->passport, keys);
  return kExitDone;
}

int run_passport_step(const PassportOptions& options) {
  const Output out({.json = options.json, .raw = options.raw});
  const auto done = [&]() -> Result<void> {
    passport::Passport model = TRY(passport::measure_model(options.model, not_of_model(options)));
    TRY(add_claim_files(options.claims, model));
    if (model.descent.size() != 1) {
      return fail(Code::kInvalidArgument, "one [[step]] is signed at a time");
    }
    const std::string statement =
        TRY(json::canonical(passport::to_json(model.descent.front().statement)));
    const crypto::PemSigningKey key = TRY(read_signing_key(options.key));
    const auto chain = TRY(read_certificates(options.certificates));
    const passport::Bundle bundle = TRY(passport::sign_payload(statement, key, chain));
    return write_text_file(options.out, passport::format_bundle(bundle), 0644);
  }();
  if (!done) return report(out, done.error());
  if (out.json()) {
    out.document(json::Object{{"path", options.out}});
  } else {
    out.line(out.shown(options.out) + " is signed");
  }
  return kExitDone;
}

int run_passport_sign(const PassportOptions& options) {
  const Output out({.json = options.json, .raw = options.raw});
  const auto content = read_passport(options);
  if (!content) return report(out, content.error());
  const fs::path target = options.out.empty() ? content->path : fs::path(options.out);
  const auto done = [&]() -> Result<void> {
    const crypto::PemSigningKey key = TRY(read_signing_key(options.key));
    const auto chain = TRY(read_certificates(options.certificates));
    const passport::Bundle bundle = TRY(passport::sign_payload(content->document, key, chain));
    return write_text_file(target, passport::format_bundle(bundle), 0644);
  }();
  if (!done) return report(out, done.error());
  if (out.json()) {
    out.document(json::Object{{"path", target.string()}, {"sha256", content->digest()}});
  } else {
    out.line(fmt::format("{} is signed", out.shown(target.string())));
  }
  return kExitDone;
}

int run_passport_export(const PassportOptions& options) {
  const Output out({.json = options.json, .raw = options.raw});
  const auto content = read_passport(options);
  if (!content) return report(out, content.error());
  const passport::CardFacts facts{.digest = content->digest(),
                                  .signature = content->signature_text()};
  std::string text;
  if (options.format == "cyclonedx") {
    text = json::to_text(passport::to_cyclonedx(content->passport, content->document)) + "\n";
  } else if (options.format == "markdown") {
    text = passport::card_markdown(content->passport, facts);
  } else {
    text = passport::card_html(content->passport, facts);
  }
  if (options.out.empty()) {
    out.write(text);
    return kExitDone;
  }
  if (const auto done = write_text_file(options.out, text, 0644); !done) {
    return report(out, done.error());
  }
  return kExitDone;
}

}  // namespace candor::cli
