// candor model sign|verify-signature: OpenSSF Model Signing v1.0. No configuration and no server:
// files only. The signature is foreign bytes, parsed here with this user's rights alone.
#include <algorithm>
#include <array>
#include <filesystem>

#include <fmt/format.h>

#include "passport/hash_model.h"
#include "passport/oms_manifest.h"
#include "passport/sigstore.h"
#include "verbs/signer_text.h"
#include "verbs/verbs.h"

namespace candor::cli {
namespace {

namespace fs = std::filesystem;

constexpr std::array<std::string_view, 4> kGitPaths{".git", ".gitattributes", ".github",
                                                    ".gitignore"};

fs::path default_signature(const fs::path& model) {
  std::error_code error;
  if (fs::is_directory(model, error)) return model / "model.sig";
  return fs::path(model.string() + ".sig");
}

// The signature's own path relative to the model, if it lies inside.
std::vector<std::string> own_path(const fs::path& model, const fs::path& signature) {
  std::error_code error;
  if (!fs::is_directory(model, error)) return {};
  const fs::path folder = fs::canonical(model, error);
  const fs::path file = fs::weakly_canonical(signature, error);
  const std::string inside = file.lexically_relative(folder).generic_string();
  if (!passport::is_model_path(inside)) return {};
  return {inside};
}

Result<std::string> signed_model(const SignatureOptions& options, const fs::path& target,
                                 std::size_t& resources) {
  const crypto::PemSigningKey key = TRY(read_signing_key(options.key));
  const auto chain = TRY(read_certificates(options.certificates));
  passport::OmsManifest manifest{.model_name = passport::model_name(options.model),
                                 .shards = options.shards,
                                 .shard_bytes = options.shards ? options.shard_bytes : 0};
  manifest.ignore = options.ignore;
  for (const std::string_view path : kGitPaths) manifest.ignore.emplace_back(path);
  for (std::string& path : own_path(options.model, target)) {
    manifest.ignore.push_back(std::move(path));
  }
  std::ranges::sort(manifest.ignore);
  manifest.ignore.erase(std::ranges::unique(manifest.ignore).begin(), manifest.ignore.end());
  manifest.resources = TRY(passport::hash_resources(options.model, manifest));
  resources = manifest.resources.size();
  if (manifest.resources.empty()) {
    return fail(Code::kNotFound, options.model + " holds no file to sign");
  }
  const std::string statement = TRY(passport::format_oms_statement(manifest));
  const passport::Bundle bundle = TRY(passport::sign_payload(statement, key, chain));
  return passport::format_bundle(bundle);
}

}  // namespace

int run_model_sign(const SignatureOptions& options) {
  const Output out({.json = options.json, .raw = options.raw});
  const fs::path target =
      options.signature.empty() ? default_signature(options.model) : fs::path(options.signature);
  std::size_t resources = 0;
  const auto bundle = signed_model(options, target, resources);
  if (!bundle) return report(out, bundle.error());
  if (const auto done = write_text_file(target, *bundle, 0644); !done) {
    return report(out, done.error());
  }
  if (out.json()) {
    out.document(json::Object{{"signature", target.string()}, {"resources", resources}});
  } else {
    out.line(fmt::format("{} signs {} {}", out.shown(target.string()), resources,
                         options.shards ? "shards" : "files"));
  }
  return kExitDone;
}

int run_model_verify_signature(const SignatureOptions& options) {
  const Output out({.json = options.json, .raw = options.raw});
  const fs::path source =
      options.signature.empty() ? default_signature(options.model) : fs::path(options.signature);
  struct Found {
    passport::Signer signer;
    passport::OmsManifest manifest;
  };
  const auto found = [&]() -> Result<Found> {
    const std::string text = TRY(read_text_file(source, passport::kMaxBundleBytes));
    const passport::Bundle bundle = TRY(passport::parse_bundle(text));
    Found held;
    held.signer = TRY(verify_signer(bundle, options.trust));
    held.manifest = TRY(passport::parse_oms_statement(bundle.envelope.payload));
    std::vector<std::string> ignored = options.ignore;
    for (std::string& path : own_path(options.model, source)) ignored.push_back(std::move(path));
    TRY(passport::check_model(options.model, held.manifest, ignored));
    return held;
  }();
  if (!found) return report(out, found.error());
  const passport::OmsManifest& manifest = found->manifest;
  if (out.json()) {
    json::Object object;
    object["holds"] = true;
    object["model_name"] = manifest.model_name;
    object["method"] = manifest.shards ? "shards" : "files";
    object["resources"] = manifest.resources.size();
    object["ignored"] = json::Array(manifest.ignore.begin(), manifest.ignore.end());
    object["signer"] = signer_json(found->signer);
    out.document(object);
    return kExitDone;
  }
  out.line(fmt::format("The signature holds: {} {} of {}, {}", manifest.resources.size(),
                       manifest.shards ? "shards" : "files", out.shown(manifest.model_name),
                       out.shown(signer_text(found->signer))));
  if (!manifest.ignore.empty()) {
    std::string list;
    for (const std::string& one : manifest.ignore) {
      list.append(list.empty() ? "" : ", ").append(one);
    }
    out.line("  not signed, by the signer's own word: " + out.shown(list));
  }
  return kExitDone;
}

}  // namespace candor::cli
