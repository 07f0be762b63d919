// A store on a file system of the test's choice, exchanges through it, and verification of what it
// leaves behind.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/file_system.h"
#include "base/testing/fake_clock.h"
#include "ledger/log_verify.h"
#include "store/exchange_record.h"
#include "store/store.h"

namespace candor::store {

// The log in a data folder, for ledger::verify_log.
class FolderOfLog final : public ledger::LogFolder {
 public:
  FolderOfLog(FileSystem& files, const Path& root) : files_(files), paths_(root) {}
  Result<Bytes> read(const std::string& path) override;
  bool has_journal() const override { return true; }
  Result<std::vector<std::string>> segments() override;
  Result<Bytes> read_segment(const std::string& name) override;

 private:
  FileSystem& files_;
  DataPaths paths_;
};

// Verifies all rules; gives the size, or the first finding that fails.
[[nodiscard]] Result<std::uint64_t> verify_folder(FileSystem& files, const Path& root);

// Small segments, publication only when asked, SQLite in memory.
[[nodiscard]] LedgerOptions small_options();

[[nodiscard]] Result<std::unique_ptr<Store>> open_store(
    FileSystem& files, const Path& root, Clock& clock,
    const LedgerOptions& options = small_options(), const KeyRing::Options& keys = {});

struct Said {
  Id128 exchange{};
  Acknowledgement intent, outcome;
  std::string receipt;
};
// Waits for what submit() says.
[[nodiscard]] Result<Acknowledgement> submit_and_wait(Ledger& ledger, Submission submission);
// A load entry (intents need one); gives its id.
[[nodiscard]] Result<Id128> add_load(Store& store);
[[nodiscard]] ledger::Intent intent_entry(Store& store, const Subject& subject, const Id128& load);
[[nodiscard]] ledger::Outcome outcome_entry(Store& store);
[[nodiscard]] Transcript request_transcript(std::string_view prompt);
[[nodiscard]] Transcript answer_transcript(std::string_view text);
// One whole exchange.
[[nodiscard]] Result<Said> say(Store& store, const Id128& load, std::string_view caller,
                               std::string_view prompt, std::string_view answer);

}  // namespace candor::store
