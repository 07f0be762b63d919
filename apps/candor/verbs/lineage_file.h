// Fingerprints of files and folders of them, for verbs that look at weights.
#pragma once

#include <string>

#include "base/bytes.h"
#include "lineage/verdict.h"

namespace candor::cli {

[[nodiscard]] Result<lineage::Index> read_index(const std::string& folder);
// Where the references that ship lie: beside the program when installed, or in the source tree.
[[nodiscard]] std::string default_index();
// Of a GGUF file, read in this process by a bounded reader.
[[nodiscard]] Result<lineage::Fingerprint> fingerprint_of(const std::string& path);

// SHA-256 of a file, read here.
[[nodiscard]] Result<Digest> digest_of_file(const std::string& path);

}  // namespace candor::cli
