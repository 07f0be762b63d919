// A model on disk: one file, or a folder; its files in a fixed order, hashed whole or in pieces on
// several threads. Symbolic links below the given path are never followed (L12): each component is
// opened relative to the last, without following. What is no regular file and no folder is refused.
//
// Errors: kNotFound (no such path), kInvalidArgument (a link, a device, a name that no signature
// can hold), kResourceExhausted (more than kMaxResources files, deeper than 64), kUnavailable
// (cannot be read, or changed its size meanwhile).
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "passport/oms_manifest.h"

namespace candor::passport {

struct ModelFile {
  std::string path;  // relative to the model; "." where the model is one file
  std::uint64_t bytes = 0;
  bool operator==(const ModelFile&) const = default;
};

// Sorted as sort_resources does. What lies at or below one of ignored is passed over (a link there
// is not looked at).
[[nodiscard]] Result<std::vector<ModelFile>> list_model(const std::filesystem::path& model,
                                                        const std::vector<std::string>& ignored);

struct Piece {
  std::string path;  // as ModelFile's
  std::uint64_t start = 0, end = 0;
};
// SHA-256 of each piece, on up to `threads` threads (0: as many as there are processors).
[[nodiscard]] Result<std::vector<Digest>> hash_pieces(const std::filesystem::path& model,
                                                      std::span<const Piece> pieces,
                                                      unsigned threads = 0);

// Where `ignored` holds what was passed over; digests of all the rest.
[[nodiscard]] Result<std::vector<Resource>> hash_resources(const std::filesystem::path& model,
                                                           const OmsManifest& how);

// Holds the model against what was signed: every file there with its digest, nothing else but what
// the manifest ignores and `also_ignored` (the signature's own file). kDataLoss names the first
// few that are missing, changed or added.
[[nodiscard]] Result<void> check_model(const std::filesystem::path& model,
                                       const OmsManifest& manifest,
                                       const std::vector<std::string>& also_ignored);

// The name that a statement gives a model: the last part of its absolute path.
[[nodiscard]] std::string model_name(const std::filesystem::path& model);

}  // namespace candor::passport
