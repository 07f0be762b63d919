#include "log_folder.h"

#include <algorithm>
#include <utility>

#include "base/text.h"
#include "context.h"

namespace candor::cli {

Result<PublishedLog> PublishedLog::open(const std::filesystem::path& folder) {
  PublishedLog log;
  std::error_code ignored;
  log.folder_ =
      std::filesystem::exists(folder / "checkpoint", ignored) ? folder : folder / "ledger";
  auto text = read_text_file(log.folder_ / "checkpoint", ledger::kMaxNoteBytes);
  if (!text) {
    if (text.error().code() == Code::kNotFound) {
      return fail(Code::kNotFound, folder.string() + " holds no published log");
    }
    return std::unexpected(std::move(text).error());
  }
  log.text_ = *std::move(text);
  log.head_ = TRY(ledger::parse_signed_checkpoint(log.text_)).head;
  return log;
}

Result<Bytes> PublishedLog::read(const ledger::TileId& id) {
  const std::string text =
      TRY(read_text_file(folder_ / ledger::tile_path(id), ledger::kMaxBundleBytes));
  return to_bytes(as_bytes(text));
}

Result<std::string> PublishedLog::entry(std::uint64_t index) {
  if (index >= head_.size) {
    return fail(Code::kNotFound, "the published log ends before entry " + std::to_string(index) +
                                     ": it holds " + std::to_string(head_.size));
  }
  const std::uint64_t wanted = index / ledger::kTileWidth;
  if (bundle_index_ != wanted) {
    ledger::TileId id{.kind = ledger::TileKind::kEntries,
                      .level = 0,
                      .index = wanted,
                      .width = ledger::tile_width(0, wanted, head_.size)};
    auto bytes = read(id);
    if (!bytes && id.width != ledger::kTileWidth) {
      id.width = ledger::kTileWidth;  // grown since the checkpoint was read
      bytes = read(id);
    }
    if (!bytes) return std::unexpected(std::move(bytes).error());
    const auto entries = TRY(ledger::decode_bundle(*bytes, id.width));
    bundle_.assign(entries.begin(), entries.end());
    bundle_index_ = wanted;
  }
  return bundle_[index % ledger::kTileWidth];
}

std::vector<std::uint64_t> PublishedLog::handovers() const {
  std::vector<std::uint64_t> found;
  std::error_code error;
  std::filesystem::directory_iterator at(folder_ / "handover", error);
  for (; !error && at != std::filesystem::directory_iterator(); at.increment(error)) {
    if (const auto index = parse_decimal(at->path().filename().native())) found.push_back(*index);
  }
  std::ranges::sort(found);
  return found;
}

Result<std::string> PublishedLog::handover(std::uint64_t index) const {
  return read_text_file(folder_ / "handover" / std::to_string(index), ledger::kMaxNoteBytes);
}

Result<ledger::VerifierKey> PublishedLog::key() {
  if (head_.size == 0) return fail(Code::kNotFound, "the log has no entry yet");
  const std::string first_text = TRY(entry(0));
  const auto first = TRY(ledger::decode(first_text));
  const auto* start = std::get_if<ledger::Start>(&first);
  if (start == nullptr) return fail(Code::kDataLoss, "entry 0 is no start entry");
  const ledger::VerifierKey first_key = TRY(ledger::parse_verifier_key(start->log_key));
  if (ledger::log_origin(first_key.key) != head_.origin) {
    return fail(Code::kDataLoss, "the first entry's key does not lead to the log's origin");
  }
  for (std::uint64_t index = head_.size; index-- > 1;) {
    const std::string text = TRY(entry(index));
    if (!text.contains("\"start\"") && !text.contains("\"key_change\"")) continue;
    const auto decoded = ledger::decode(text);
    if (!decoded) continue;
    if (const auto* run = std::get_if<ledger::Start>(&*decoded)) {
      return ledger::parse_verifier_key(run->log_key);
    }
    if (const auto* change = std::get_if<ledger::KeyChange>(&*decoded)) {
      return ledger::parse_verifier_key(change->new_key);
    }
  }
  return first_key;
}

}  // namespace candor::cli
