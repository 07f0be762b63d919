#include "verbs/signer_text.h"

#include <fmt/format.h>

#include "base/clock.h"
#include "passport/sigstore.h"
#include "passport/trusted_root.h"
#include "secret_files.h"

namespace candor::cli {
namespace {

template <typename T>
Result<T> with_file(Result<T> value, const std::string& path) {
  if (value) return value;
  return std::unexpected(std::move(value).error().with_context(path));
}

std::string time_text(std::int64_t at_s) {
  std::string text = format_utc(at_s * 1'000'000);
  return text.substr(0, text.find('.')) + "Z";
}

// A date stands for its beginning.
Result<std::int64_t> time_to_hold(const std::string& text) {
  if (text.empty()) return system_clock().wall_us() / 1'000'000;
  const auto at = passport::parse_time(text.size() == 10 ? text + "T00:00:00Z" : text);
  if (at) return *at;
  return fail(Code::kInvalidArgument, "--at takes 2026-11-26 or 2026-11-26T06:00:00Z");
}

}  // namespace

Result<crypto::PemSigningKey> read_signing_key(const std::string& path) {
  const auto text = TRY(read_secret_file(Path(path)));
  return with_file(crypto::PemSigningKey::from_pem(text), path);
}

Result<std::vector<crypto::Certificate>> read_certificates(const std::vector<std::string>& paths) {
  std::vector<crypto::Certificate> out;
  for (const std::string& path : paths) {
    const std::string text = TRY(read_text_file(Path(path), 16U << 20U));
    auto list = TRY(with_file(crypto::Certificate::list_from_pem(text), path));
    for (auto& one : list) out.push_back(std::move(one));
  }
  return out;
}

Result<passport::Signer> verify_signer(const passport::Bundle& bundle, const TrustOptions& trust) {
  const int given = static_cast<int>(!trust.key.empty()) + static_cast<int>(!trust.roots.empty()) +
                    static_cast<int>(!trust.trusted_root.empty());
  if (given != 1) {
    return fail(Code::kInvalidArgument,
                fmt::format("the bundle is signed by {}: give one of --key FILE, "
                            "--certificate-roots FILE, and --trusted-root FILE with --identity "
                            "and --issuer",
                            to_string(bundle.method)));
  }
  if (!trust.key.empty()) {
    const std::string text = TRY(read_text_file(Path(trust.key), 1U << 20U));
    const auto key = TRY(with_file(crypto::VerifyingKey::from_pem(text), trust.key));
    return passport::verify_with_key(bundle, key);
  }
  if (!trust.roots.empty()) {
    const auto roots = TRY(read_certificates({trust.roots}));
    const std::int64_t at_s = TRY(time_to_hold(trust.at));
    auto signer = passport::verify_with_roots(bundle, roots, at_s);
    if (!signer && signer.error().message().contains("expired") && trust.at.empty()) {
      return fail(Code::kPermissionDenied,
                  signer.error().message() +
                      "; nothing in the bundle says when it was signed: --at DATE checks as of a "
                      "date that you know");
    }
    return signer;
  }
  if (trust.identity.empty() || trust.issuer.empty()) {
    return fail(Code::kInvalidArgument,
                "--trusted-root needs --identity and --issuer: who must have signed, and who "
                "vouches for them");
  }
  const std::string text = TRY(read_text_file(Path(trust.trusted_root), 4U << 20U));
  const auto root = TRY(with_file(passport::parse_trusted_root(text), trust.trusted_root));
  return passport::verify_with_sigstore(bundle, root,
                                        {.identity = trust.identity, .issuer = trust.issuer});
}

std::string signer_text(const passport::Signer& signer) {
  const std::string key =
      fmt::format("{} key {}", to_string(signer.key), to_hex(signer.key_digest).substr(0, 16));
  switch (signer.method) {
    case passport::Bundle::Method::kKey: return "signed with the " + key;
    case passport::Bundle::Method::kCertificate:
      return fmt::format("signed by {} under {} with the {}", signer.subject, signer.root, key);
    case passport::Bundle::Method::kSigstore:
      return fmt::format("signed by {} ({}) at {}", signer.identity, signer.issuer,
                         time_text(signer.times_s.front()));
  }
  return {};
}

json::Object signer_json(const passport::Signer& signer) {
  json::Object out;
  out["method"] = to_string(signer.method);
  out["key"] = to_string(signer.key);
  out["key_sha256"] = to_hex(signer.key_digest);
  if (!signer.subject.empty()) out["subject"] = signer.subject;
  if (!signer.root.empty()) out["root"] = signer.root;
  if (!signer.identity.empty()) out["identity"] = signer.identity;
  if (!signer.issuer.empty()) out["issuer"] = signer.issuer;
  if (!signer.times_s.empty()) {
    json::Array times;
    for (const std::int64_t at_s : signer.times_s) times.emplace_back(time_text(at_s));
    out["times"] = std::move(times);
  }
  return out;
}

}  // namespace candor::cli
