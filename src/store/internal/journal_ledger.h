// The ledger of one folder while it runs: group commit (two commit threads), publication (publisher
// thread, or whoever calls publish()). Built by recovery, which says where it stands.
//
// The commit threads are alike and take turns: one prepares a batch (tree, signature, bytes) while
// the other one's batch is flushed, and acknowledges while the other flushes. assemble_mutex_ is
// held from taking the queue until flush_mutex_ is had, so batches are flushed in the order of the
// tree. A head may be signed before the one below it is flushed; neither is acknowledged before its
// own flush returned, and after a failed flush nothing more is written.
//
// With nothing under way submit() starts a batch itself (the tree grows, the signer is asked) and
// leaves it to a commit thread, which takes it before anything else: one request to the signer is
// out at a time.
//
// Locks, in the order in which they may be taken together: publication_mutex_; assemble_mutex_,
// flush_mutex_; then one of queue_mutex_, pending_mutex_, health_mutex_. The commit threads never
// take publication_mutex_.
#pragma once

#include <array>
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <thread>
#include <unordered_map>
#include <vector>

#include "base/clock.h"
#include "base/file_system.h"
#include "ledger/journal_format.h"
#include "store/data_folder.h"
#include "store/internal/journal.h"
#include "store/internal/preallocator.h"
#include "store/internal/tile_writer.h"
#include "store/internal/tree_memory.h"
#include "store/key_table.h"
#include "store/ledger.h"
#include "store/ledger_options.h"
#include "store/sealed_store.h"
#include "store/signer.h"
#include "store/state_db.h"

namespace candor::store {

struct MarkedEntry {
  ExchangeMark mark;
  std::uint64_t index = 0;
};

// A batch that is durable and not yet published.
struct PendingBatch {
  BatchPlace place;
  std::shared_ptr<const SignedHead> head;
  std::vector<MarkedEntry> marks;
};

class JournalLedger final : public Ledger {
 public:
  struct Parts {  // all outlive the ledger, but for signer, which it owns
    FileSystem& files;
    const DataPaths& paths;
    KeyTable& table;
    SealedStore& sealed;
    StateDb& state;
    std::unique_ptr<Signer> signer;
  };
  struct Position {
    ledger::Frontier journal_start;  // the tree where the journal (or, without one, writing) begins
    std::vector<Digest> journal_leaves;      // of entries in the journal, from there on
    std::shared_ptr<const SignedHead> head;  // null for a new log
    std::uint64_t published_size = 0;
    std::vector<std::shared_ptr<Segment>> segments;
    std::vector<PendingBatch> pending;
    std::uint64_t open_intents = 0;
  };
  [[nodiscard]] static Result<std::unique_ptr<JournalLedger>> open(Parts parts,
                                                                   const LedgerOptions& options,
                                                                   Position position);
  ~JournalLedger() override;

  // One batch, in this order, on the calling thread; before start_threads() only.
  [[nodiscard]] Result<std::vector<Acknowledgement>> commit_together(
      std::vector<Submission> submissions);
  void start_threads();

  void submit(Submission submission, Acknowledged done) override;
  [[nodiscard]] Result<std::vector<Digest>> prove(std::uint64_t index, std::uint64_t size) override;
  [[nodiscard]] std::shared_ptr<const SignedHead> head() const override;
  [[nodiscard]] Result<std::string> read(std::uint64_t index) override;
  [[nodiscard]] const std::string& origin() const override { return origin_; }
  [[nodiscard]] const std::string& verifier_key() const override { return verifier_key_; }
  [[nodiscard]] Result<void> publish() override;
  [[nodiscard]] Result<void> health() const override;
  [[nodiscard]] Result<void> close() override { return close_with(std::nullopt); }
  // Takes this as the very last entry.
  [[nodiscard]] Result<void> close_with(std::optional<Submission> last);

  [[nodiscard]] std::uint64_t published_size() const noexcept { return published_size_.load(); }
  [[nodiscard]] Digest root() const { return tree_->frontier().root(); }
  // While held nothing is published: erasures change key table and journal meanwhile.
  [[nodiscard]] std::unique_lock<std::mutex> hold_publication() {
    return std::unique_lock(publication_mutex_);
  }
  [[nodiscard]] Journal& journal() noexcept { return *journal_; }
  void poison(const Error& why);

 private:
  struct Queued {
    Submission submission;
    Digest leaf{};
    std::size_t bytes = 0;
    Acknowledged done;
  };
  // A batch on its way; each commit thread has one, reused.
  struct Prepared {
    ledger::BatchBuilder builder;
    std::vector<Digest> leaves;
    ByteView bytes;  // the builder's
    std::uint64_t first = 0;
    Digest root_before{};
    std::shared_ptr<SignedHead> head;
    PendingBatch pending;
    std::vector<AuxPlace> aux;  // offsets in the batch
    std::uint64_t ended = 0;
  };

  JournalLedger(Parts parts, const LedgerOptions& options);

  [[nodiscard]] Result<void> admit(const Submission& submission, std::size_t bytes);
  void run_commits(const std::stop_token& stop);
  void run_publication(const std::stop_token& stop);
  // What a commit thread, or submit() for it, has begun.
  struct Assembly {
    std::vector<Queued> batch;
    Prepared prepared;
    std::uint64_t bytes = 0;
    Result<void> started;
  };
  // Takes what is queued, at most one batch; its bytes.
  [[nodiscard]] std::uint64_t take_batch(std::vector<Queued>& batch);
  void start_at_once();
  [[nodiscard]] bool next_batch(Assembly& work, std::unique_lock<std::mutex>& assemble);
  // assemble_mutex_ is held. The tree takes the batch and the signer is asked; then the batch's
  // bytes are made and the signature is taken.
  [[nodiscard]] Result<void> start(std::span<Queued> batch, Prepared& out);
  [[nodiscard]] Result<void> complete(std::span<Queued> batch, Prepared& out);
  // flush_mutex_ is held.
  [[nodiscard]] Result<void> flush(Prepared& batch);

  [[nodiscard]] Result<void> publish_with(Pacer& pacer);
  [[nodiscard]] Result<void> publish_round(Pacer& pacer, bool& more);
  [[nodiscard]] std::vector<PendingBatch> next_pending(bool& more) const;
  void update_index(std::vector<ExchangeRow> rows, std::uint64_t size, Pacer& pacer);

  Parts parts_;
  LedgerOptions options_;
  std::string origin_, verifier_key_;
  std::unique_ptr<Preallocator> spares_;
  std::unique_ptr<Journal> journal_;
  std::unique_ptr<TreeMemory> tree_;
  std::unique_ptr<TileWriter> tiles_;  // publication_mutex_
  std::size_t max_batch_bytes_ = 0;

  // The queue.
  mutable std::mutex queue_mutex_;
  std::condition_variable queue_changed_;
  std::vector<Queued> queue_;
  std::uint64_t queued_bytes_ = 0;
  bool closing_ = false;
  std::size_t under_way_ = 0;     // batches taken and not yet flushed
  std::size_t idle_commits_ = 0;  // commit threads that wait for a batch and are not yet woken

  std::mutex assemble_mutex_;
  bool early_ = false;  // early_work_ is begun; written with queue_mutex_ held too
  Assembly early_work_;
  Digest root_{};           // assemble_mutex_: of all started batches
  std::uint64_t size_ = 0;  // assemble_mutex_
  std::mutex flush_mutex_;
  std::atomic<std::uint64_t> flushed_size_{0};

  std::atomic<std::uint64_t> open_intents_{0};
  std::atomic<std::uint64_t> in_flight_bytes_{0};
  std::atomic<bool> poisoned_{false};
  mutable std::mutex health_mutex_;
  std::optional<Error> poison_, publication_failure_;
  std::atomic<bool> publication_failed_{false};

  mutable std::mutex pending_mutex_;
  std::deque<PendingBatch> pending_;
  std::shared_ptr<const SignedHead> head_;

  std::mutex publication_mutex_;
  std::unordered_map<Id128, std::uint64_t, IdHash> slots_of_round_;  // an unfinished round's
  bool index_broken_ = false;
  std::atomic<std::uint64_t> published_size_{0};

  std::mutex publisher_mutex_;
  std::condition_variable_any publisher_changed_;
  std::array<std::jthread, 2> commit_threads_;
  std::jthread publisher_thread_;
};

}  // namespace candor::store
