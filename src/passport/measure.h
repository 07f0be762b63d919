// What Candor takes itself from a model's bytes: files, digests, shards, and of GGUF files what
// they are (read by src/model's small reader in the caller's own process: for a user's own verbs;
// the monitor must not call this).
//
// Errors: hash_model.h's, and the GGUF reader's with the file's name.
#pragma once

#include <filesystem>
#include <string>

#include "base/result.h"
#include "passport/passport.h"

namespace candor::passport {

// Name, files, tokenizer, template and what is measured of `about`. The rest is the caller's.
[[nodiscard]] Result<Passport> measure_model(const std::filesystem::path& model,
                                             const std::vector<std::string>& ignored);

enum class Depth : std::uint8_t {
  kQuick,  // shards alone: every byte, on all processors
  kWhole,  // and each file's whole digest, which one processor computes
};
// Holds a model against its passport: files, shards, tokenizer, template. kDataLoss names the first
// few that are missing, changed or added.
[[nodiscard]] Result<void> check_files(const std::filesystem::path& model, const Passport& passport,
                                       Depth depth, const std::vector<std::string>& ignored);

[[nodiscard]] FileRole role_by_name(std::string_view path) noexcept;

// SHA-256 of one file of the user's.
[[nodiscard]] Result<Digest> hash_file(const std::filesystem::path& file);

}  // namespace candor::passport
