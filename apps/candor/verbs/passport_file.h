// A passport on disk: bare, or in the bundle that signs it.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "crypto/public_key.h"
#include "passport/bundle.h"
#include "passport/passport.h"
#include "verbs/verbs.h"

namespace candor::cli {

struct PassportFileContent {
  std::filesystem::path path;
  std::string document;  // the bytes that are hashed and signed
  passport::Passport passport;
  std::optional<passport::Bundle> bundle;  // nullopt: nobody signed it
  [[nodiscard]] std::string digest() const;
  // One sentence, foreign text in it: by whom the bundle says, unchecked.
  [[nodiscard]] std::string signature_text() const;
};

// Where a model's passport lies unless the options say so.
[[nodiscard]] std::filesystem::path passport_path(const PassportOptions& options);
// options.model is a model, or itself a passport.
[[nodiscard]] Result<PassportFileContent> read_passport(const PassportOptions& options);

// What lies in a model's folder and is no part of it: passport, signature, what git keeps, and
// what the options say.
[[nodiscard]] std::vector<std::string> not_of_model(const PassportOptions& options);

// The bundle that signs a step. kDataLoss: it signs another statement.
[[nodiscard]] Result<passport::Bundle> check_step_bundle(const passport::DescentStep& step);
// Public keys of those who signed steps, and --key.
using StepKeys = std::vector<crypto::VerifyingKey>;
[[nodiscard]] Result<StepKeys> read_step_keys(const PassportOptions& options);
// Who signed a step; foreign text. kDataLoss where its signature is of another statement, or none.
[[nodiscard]] Result<std::string> step_signature(const passport::DescentStep& step,
                                                 const StepKeys& keys);
// A statement out of the bundle that signs it.
[[nodiscard]] Result<passport::DescentStep> read_step(std::string_view bundle);

}  // namespace candor::cli
