// Makes lawful logs for tests, and folders in memory to break: entries of every type, a published
// tlog-tiles folder, a journal, receipts. Deterministic in its seed.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/testing/fake_clock.h"
#include "ledger/checkpoint.h"
#include "ledger/commitment.h"
#include "ledger/entry.h"
#include "ledger/log_verify.h"
#include "ledger/receipt.h"
#include "ledger/tiles.h"

namespace candor::ledger::testing {

struct MadeExchange {
  Id128 id{};
  Root root;
  std::uint64_t intent_index = 0, outcome_index = 0;
  Transcript request, answer;
};

[[nodiscard]] Digest digest_of(std::string_view text);
[[nodiscard]] Transcript transcript_of(
    std::initializer_list<std::pair<std::string_view, std::string_view>> fields);

class LogMaker {
 public:
  explicit LogMaker(std::uint64_t seed = 1);

  // Each appends lawful entries; times go on by themselves.
  void start();
  void load();
  void stop();
  std::uint64_t intent();  // open until outcome() or abort() names its index
  void outcome(std::uint64_t intent_index);
  void abort(std::uint64_t intent_index);
  void progress(std::uint64_t intent_index, std::uint64_t released_bytes);
  MadeExchange exchange(std::string_view question, std::string_view answer);
  // Intent and outcome that commit to these transcripts.
  MadeExchange exchange_of(Transcript request, Transcript answer);
  void rotate_key(std::uint64_t overlap);
  // A run of everything: start, load, n exchanges of mixed kinds, some side by side.
  void run(std::size_t exchanges);

  std::uint64_t append(Entry entry);  // as it is, lawful or not
  [[nodiscard]] Stamp now();

  std::vector<Entry> entries;
  std::vector<std::string> texts;        // encode(entries[i])
  std::vector<crypto::SigningKey> keys;  // the last one is in force
  std::string origin;
  FakeRandom random;

  [[nodiscard]] const crypto::SigningKey& key() const { return keys.back(); }
  [[nodiscard]] VerifierKey verifier() const {
    return log_verifier_key(origin, key().public_key());
  }
  // Unsigned, over the first `size` texts.
  [[nodiscard]] Checkpoint head(std::uint64_t size) const;
  [[nodiscard]] std::string signed_head(std::uint64_t size) const;
  [[nodiscard]] Pin pin(std::uint64_t size) const;
  [[nodiscard]] Receipt receipt(const MadeExchange& exchange, std::uint64_t size) const;

 private:
  Id128 log_id_{}, boot_{}, load_{};
  std::uint64_t overlap_until_ = 0;
  std::int64_t time_us_ = 1'767'225'600'000'000, mono_us_ = 0;
  Provenance provenance_;
  std::map<std::uint64_t, Id128> open_;
  std::map<std::uint64_t, std::uint64_t> released_;
};

// A folder in memory: published files and, if has, a journal.
class MemoryFolder final : public LogFolder, public TileReader {
 public:
  std::map<std::string, Bytes> files;
  std::map<std::string, Bytes> journal;
  bool with_journal = false;

  Result<Bytes> read(const std::string& path) override;
  bool has_journal() const override { return with_journal; }
  Result<std::vector<std::string>> segments() override;
  Result<Bytes> read_segment(const std::string& name) override;
  Result<Bytes> read(const TileId& id) override { return read(tile_path(id)); }
};

// All tiles and bundles of these texts, and the checkpoint given.
void publish(MemoryFolder& folder, const std::vector<std::string>& texts,
             const std::string& checkpoint);
// Batches of batch_size entries from index `first` on, into one segment of zero-filled size.
void write_journal(MemoryFolder& folder, const LogMaker& log, std::uint64_t first,
                   std::size_t batch_size);

}  // namespace candor::ledger::testing
