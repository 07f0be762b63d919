// A log on disk: a published folder, or a whole data folder (journal/ and ledger/). Read-only.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "ledger/log_verify.h"
#include "ledger/tiles.h"

namespace candor::verify {

class DiskFolder final : public ledger::LogFolder, public ledger::TileReader {
 public:
  // Finds the parts: folder/ledger and folder/journal of a data folder, or the folder itself.
  // kNotFound when neither is there.
  [[nodiscard]] static Result<DiskFolder> open(const std::filesystem::path& folder,
                                               std::optional<std::filesystem::path> journal);

  Result<Bytes> read(const std::string& path) override;
  bool has_journal() const override { return journal_.has_value(); }
  Result<std::vector<std::string>> segments() override;
  Result<Bytes> read_segment(const std::string& name) override;
  Result<Bytes> read(const ledger::TileId& id) override { return read(ledger::tile_path(id)); }

 private:
  DiskFolder() = default;
  std::filesystem::path published_;
  std::optional<std::filesystem::path> journal_;
};

// A whole file, "-" for standard input; kInvalidArgument above max_bytes.
[[nodiscard]] Result<std::string> read_input(const std::string& path, std::size_t max_bytes);

}  // namespace candor::verify
