// Digests of files through the file-system seam, a block at a time.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "base/bytes.h"
#include "base/file_system.h"
#include "base/result.h"

namespace candor::models {

// Called with the bytes done since the last call; may be empty. Any thread that the work is on.
using Advance = std::function<void(std::uint64_t bytes)>;

struct FileDigests {
  Digest sha256{};
  std::uint64_t size = 0;
  std::string git_sha1 = {};  // git's blob id, if it was asked for
};
enum class GitId : std::uint8_t { kNo, kYes };
[[nodiscard]] Result<FileDigests> digest_file(File& file, GitId git, const Advance& advance);

}  // namespace candor::models
