// The store behind store.h.
#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "ledger/sealed_format.h"
#include "store/internal/journal_ledger.h"
#include "store/internal/recovery.h"
#include "store/key_ring.h"
#include "store/sealed_store.h"
#include "store/store.h"

namespace candor::store {

// An erasure that is being carried out, as it stands in sealed/pending/.
struct PendingErasure {
  Id128 act{};
  std::uint64_t log_size = 0;  // before its first entry
  std::vector<Id128> exchanges;
  std::optional<Id128> subject;
  std::vector<std::string> entries;  // as they were to be appended
  struct Rewrite {                   // of single fields: what becomes of the exchange's slot
    std::uint64_t slot = 0;
    Bytes bytes;
  };
  std::optional<Rewrite> rewrite;
};

class OpenStore final : public Store {
 public:
  OpenStore(DataFolder folder, Random& random, Clock& clock, const LedgerOptions& options);
  ~OpenStore() override;
  [[nodiscard]] Result<void> start(std::unique_ptr<Signer> signer, const KeyRing::Options& keys);

  Ledger& ledger() override { return *ledger_; }
  KeyRing& keys() override { return *keys_; }
  StateDb& state() override { return *state_; }
  const RecoveryReport& recovery() const override { return report_; }
  const DataPaths& paths() const override { return folder_.paths(); }
  const Id128& boot() const override { return boot_; }
  const Id128& log_id() const override { return log_id_; }
  ledger::Stamp stamp() override;
  Result<Acknowledgement> append(const ledger::Entry& entry, std::vector<AuxRecord> aux,
                                 Priority priority) override;
  Result<std::string> receipt(const Id128& exchange) override;
  Result<StoredExchange> exchange(const Id128& exchange) override;
  Result<ErasureReport> erase(const ErasureRequest& request) override;
  Result<std::uint64_t> retain_content(std::int64_t max_age_us) override;
  std::uint64_t published_size() const override { return ledger_->published_size(); }
  Result<void> change_log_key(std::uint64_t overlap) override;
  Result<void> close_log() override;
  Result<void> withdraw_log_wishes() override;
  Result<void> close(std::string_view reason) override;

 private:
  // log_change.cc
  [[nodiscard]] Result<Recovered> recover(Signer& signer);
  [[nodiscard]] Result<void> end_log(Signer& signer);
  [[nodiscard]] Result<void> plan_key_change(Signer& signer, const Recovered& found);
  [[nodiscard]] Result<void> finish_changes(const SignedHead& head);
  [[nodiscard]] Result<std::optional<ledger::ClosedLog>> continued_log();
  [[nodiscard]] Result<void> begin_run(const Recovered& found);
  [[nodiscard]] Result<ExchangeRow> find_row(const Id128& exchange);
  [[nodiscard]] Result<std::optional<ledger::SealedRecord>> sealed_half(const ExchangeRow& row,
                                                                        SealedHalf half);
  // erase.cc
  [[nodiscard]] Result<void> redo_erasures();
  [[nodiscard]] Result<std::uint64_t> destroy(const PendingErasure& erasure,
                                              std::vector<std::string>& unreachable);
  [[nodiscard]] Result<std::vector<Id128>> exchanges_of(const Subject& subject);
  // erase_fields.cc
  [[nodiscard]] Result<PendingErasure::Rewrite> plan_field_erasure(const ExchangeRow& row,
                                                                   const ErasureRequest& request);
  [[nodiscard]] Result<Sensitive<Digest>> secret_of(const ledger::KeySlot& slot,
                                                    const ErasureRequest& request);
  [[nodiscard]] Result<std::uint64_t> rewrite_slot(const PendingErasure& erasure);
  [[nodiscard]] Result<bool> has_keys(const Id128& exchange);
  [[nodiscard]] Result<bool> has_entry(const PendingErasure& erasure);

  DataFolder folder_;
  Random& random_;
  Clock& clock_;
  LedgerOptions options_;
  std::unique_ptr<KeyTable> table_;
  std::unique_ptr<StateDb> state_;
  std::unique_ptr<SealedStore> sealed_;
  std::unique_ptr<KeyRing> keys_;
  std::unique_ptr<JournalLedger> ledger_;
  RecoveryReport report_;
  Id128 boot_{}, log_id_{};
  std::int64_t start_mono_us_ = 0;
  std::atomic<std::int64_t> newest_us_{0};
  std::mutex erase_mutex_;                       // one erasure at a time
  std::optional<ledger::KeyChange> key_change_;  // of this start
  std::optional<std::uint64_t> handover_of_;     // the change whose doubly signed head to keep
  std::uint64_t key_overlap_until_ = 0;          // of the last change; 0: none is known
};

}  // namespace candor::store
