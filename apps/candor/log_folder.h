// The published log of a data folder (or an export of one), read as it lies: no server needed. What
// is read is as good as the checks made on it; `candor ledger verify` checks all of it.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "ledger/checkpoint.h"
#include "ledger/entry.h"
#include "ledger/tiles.h"

namespace candor::cli {

class PublishedLog final : public ledger::TileReader {
 public:
  // folder: a data folder or the folder with `checkpoint` itself. kNotFound: nothing is published
  // there. kPermissionDenied: not for this user.
  [[nodiscard]] static Result<PublishedLog> open(const std::filesystem::path& folder);

  [[nodiscard]] const std::filesystem::path& folder() const noexcept { return folder_; }
  [[nodiscard]] const std::string& checkpoint_text() const noexcept { return text_; }
  [[nodiscard]] const ledger::Checkpoint& head() const noexcept { return head_; }  // unverified

  [[nodiscard]] Result<Bytes> read(const ledger::TileId& id) override;
  // The entries that changed the log's key, as the heads kept of them are named, in order.
  [[nodiscard]] std::vector<std::uint64_t> handovers() const;
  [[nodiscard]] Result<std::string> handover(std::uint64_t index) const;
  // The entry's bytes; kNotFound beyond the checkpoint.
  [[nodiscard]] Result<std::string> entry(std::uint64_t index);
  // The key in force, from the newest start or key entry; the first entry's key must lead to the
  // origin. kDataLoss when it does not.
  [[nodiscard]] Result<ledger::VerifierKey> key();

 private:
  PublishedLog() = default;
  std::filesystem::path folder_;
  std::string text_;
  ledger::Checkpoint head_;
  std::optional<std::uint64_t> bundle_index_;
  std::vector<std::string> bundle_;
};

}  // namespace candor::cli
