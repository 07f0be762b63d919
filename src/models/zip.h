// One file out of a ZIP archive (PKWARE APPNOTE 6.3; wheels are such): stored or deflated, ZIP64
// sizes included. Hostile input: sizes and offsets are held against the archive and against each
// other, nothing is allocated on the archive's word, and inflating ends at the size stated.
//
// Errors: kInvalidArgument (no such archive, or malformed: says where), kNotFound (no such member),
// kFailedPrecondition (encrypted, or a method that is not read), kDataLoss (CRC-32). Owner of zlib.
// Pure but for the files given.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/file_system.h"
#include "base/result.h"

namespace candor::models {

struct ZipMember {
  std::string name = {};
  std::uint64_t size = 0, stored = 0;  // bytes of the file, and as they lie in the archive
  std::uint64_t header = 0;            // offset of its local header
  std::uint32_t crc32 = 0;
  std::uint16_t method = 0;  // 0 stored, 8 deflated
  bool encrypted = false;
};

// In the directory's order; at most 65,536, and 16 MiB of directory.
[[nodiscard]] Result<std::vector<ZipMember>> zip_members(File& archive);
// Writes the member's bytes to out from offset 0.
[[nodiscard]] Result<void> extract(File& archive, std::string_view member, File& out);

}  // namespace candor::models
