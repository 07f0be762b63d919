// Reads detector packs (docs/formats/detector-packs.md) and hands out those built into the program.
// A pack's text is read as if hostile. Pure; thread-safe.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "dlp/detector.h"

namespace candor::dlp {

// What whoever reads a pack's file needs to take: registered data is long.
inline constexpr std::size_t kMaxPackBytes = 16U << 20U;

// kInvalidArgument: the first mistakes, one a line, each with file and line. Whether patterns fit
// their anchors is checked by Scanner::build.
[[nodiscard]] Result<Pack> parse_pack(std::string_view toml, const std::string& file_name);

struct PackFile {
  std::string_view name, text;
};
// packs/detectors/*.toml as they were when this program was built.
[[nodiscard]] std::vector<PackFile> builtin_pack_files();
[[nodiscard]] Result<std::vector<Pack>> builtin_packs();

}  // namespace candor::dlp
