#include "verbs/passport_file.h"

#include <array>

#include <fmt/format.h>

#include "crypto/hash.h"
#include "json/json.h"

namespace candor::cli {
namespace {

namespace fs = std::filesystem;

bool looks_like_json(const fs::path& path) {
  const auto file = real_file_system().open(path, OpenMode::kRead);
  std::array<std::byte, 1> first{};
  return file && (*file)->read_at(0, first) && first[0] == std::byte{'{'};
}

}  // namespace

std::string PassportFileContent::digest() const {
  return to_hex(crypto::sha256(as_bytes(document)));
}

std::string PassportFileContent::signature_text() const {
  if (!bundle) return "Nobody signed this passport.";
  switch (bundle->method) {
    case passport::Bundle::Method::kKey:
      return "Signed with a key, unchecked here: candor passport verify --key does.";
    case passport::Bundle::Method::kCertificate:
      return "Signed with a certificate, unchecked here: candor passport verify "
             "--certificate-roots does.";
    case passport::Bundle::Method::kSigstore:
      return "Signed with Sigstore, unchecked here: candor passport verify --trusted-root does.";
  }
  return {};
}

fs::path passport_path(const PassportOptions& options) {
  if (!options.passport.empty()) return options.passport;
  std::error_code error;
  if (fs::is_directory(options.model, error)) return fs::path(options.model) / "passport.json";
  return options.model + ".passport.json";
}

Result<PassportFileContent> read_passport(const PassportOptions& options) {
  PassportFileContent out;
  std::error_code error;
  const bool itself = options.passport.empty() && !fs::is_directory(options.model, error) &&
                      looks_like_json(options.model);
  out.path = itself ? fs::path(options.model) : passport_path(options);
  if (!fs::exists(out.path, error)) {
    return fail(Code::kNotFound,
                fmt::format("{} is not there: candor passport make writes it", out.path.string()));
  }
  const auto read = [&out]() -> Result<void> {
    const std::string text = TRY(read_text_file(out.path, passport::kMaxBundleBytes));
    // A bare passport is canonical, so its first member is "_type"; a bundle has none of that name.
    if (text.starts_with(R"({"_type")")) {
      out.document = text;
    } else {
      out.bundle = TRY(passport::parse_bundle(text));
      out.document = as_text(out.bundle->envelope.payload);
    }
    out.passport = TRY(passport::parse_passport(out.document));
    return {};
  };
  if (auto done = read(); !done) {
    return std::unexpected(std::move(done).error().with_context(out.path.string()));
  }
  return out;
}

std::vector<std::string> not_of_model(const PassportOptions& options) {
  std::vector<std::string> out{".git",       ".gitattributes", ".github",
                               ".gitignore", "model.sig",      "passport.json"};
  std::error_code error;
  const std::string inside = fs::weakly_canonical(passport_path(options), error)
                                 .lexically_relative(fs::weakly_canonical(options.model, error))
                                 .generic_string();
  if (!inside.empty() && inside != "." && !inside.starts_with("..")) out.push_back(inside);
  out.insert(out.end(), options.ignore.begin(), options.ignore.end());
  return out;
}

Result<passport::Bundle> check_step_bundle(const passport::DescentStep& step) {
  passport::Bundle bundle = TRY(passport::parse_bundle(as_text(step.bundle)));
  const std::string statement = TRY(json::canonical(passport::to_json(step.statement)));
  if (as_text(bundle.envelope.payload) == statement) return bundle;
  return fail(Code::kDataLoss, "a step's signature is of another statement");
}

Result<passport::DescentStep> read_step(std::string_view text) {
  const passport::Bundle bundle = TRY(passport::parse_bundle(text));
  const json::Value value = TRY(json::parse_canonical(as_text(bundle.envelope.payload),
                                                      {.max_bytes = passport::kMaxPassportBytes}));
  const json::Object& statement = *TRY(json::as_object(value, "a statement"));
  passport::DescentStep out;
  out.statement = TRY(passport::parse_derivation(statement));
  out.bundle = to_bytes(as_bytes(text));
  return out;
}

}  // namespace candor::cli
