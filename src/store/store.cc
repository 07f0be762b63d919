#include "store/store.h"

#include <fstream>
#include <future>

#include "base/log.h"
#include "ledger/note.h"
#include "store/internal/field_files.h"
#include "store/internal/key_wraps.h"
#include "store/internal/open_store.h"
#include "store/internal/receipt_parts.h"

namespace candor::store {
namespace {

constexpr std::int64_t kClockToleranceUs = 10'000'000;  // docs/formats/entries.md#rules

std::string machine_boot_id() {
  std::ifstream file("/proc/sys/kernel/random/boot_id");
  std::string id;
  if (!(file >> id) || id.empty()) return "unknown";
  return id;
}

const ledger::Stamp& stamp_of(const ledger::Entry& entry) {
  return std::visit([](const auto& e) -> const ledger::Stamp& { return e.at; }, entry);
}

std::optional<ledger::ReceiptOpening> opening_of(const ledger::SealedRecord& record,
                                                 TranscriptKind kind,
                                                 const std::optional<Sensitive<Digest>>& key) {
  if (!key) return std::nullopt;
  for (const ledger::SealedTranscript& transcript : record.transcripts) {
    if (transcript.name != to_string(kind)) continue;
    ledger::ReceiptOpening opening{.key = *key, .fields = {}};
    for (const ledger::SealedField& field : transcript.fields) {
      opening.fields.push_back({.path = field.path, .value = field.commitment});
    }
    return opening;
  }
  return std::nullopt;
}

}  // namespace

Result<std::unique_ptr<Store>> Store::open(FileSystem& files, const Path& root,
                                           std::unique_ptr<Signer> signer,
                                           const LedgerOptions& options,
                                           const KeyRing::Options& keys, Random& random,
                                           Clock& clock) {
  DataFolder folder = TRY(DataFolder::open(files, root));
  auto store = std::make_unique<OpenStore>(std::move(folder), random, clock, options);
  TRY(store->start(std::move(signer), keys));
  return std::unique_ptr<Store>(std::move(store));
}

OpenStore::OpenStore(DataFolder folder, Random& random, Clock& clock, const LedgerOptions& options)
    : folder_(std::move(folder)), random_(random), clock_(clock), options_(options) {}
OpenStore::~OpenStore() = default;

Result<void> OpenStore::start(std::unique_ptr<Signer> signer, const KeyRing::Options& keys) {
  FileSystem& files = folder_.files();
  const DataPaths& paths = folder_.paths();
  table_ = TRY(KeyTable::open(files, paths.key_table()));
  state_ = TRY(options_.state_in_memory ? StateDb::in_memory() : StateDb::open(paths));
  sealed_ = std::make_unique<SealedStore>(files, paths, clock_);
  Recovered found = TRY(recover(*signer));
  TRY(plan_key_change(*signer, found));
  report_.new_log = found.size == 0;
  report_.previous_size = found.size;
  report_.published_size = found.position.published_size;
  report_.torn_bytes = found.torn_bytes;
  found.position.open_intents = found.open.size();
  ledger_ = TRY(JournalLedger::open({.files = files,
                                     .paths = folder_.paths(),
                                     .table = *table_,
                                     .sealed = *sealed_,
                                     .state = *state_,
                                     .signer = std::move(signer)},
                                    options_, std::move(found.position)));
  keys_ = TRY(KeyRing::open(files, paths, keys, *table_, *state_, random_, clock_));
  TRY(begin_run(found));
  ledger_->start_threads();
  return redo_erasures();
}

// The start entry and the aborts of what earlier runs left open are one batch: no signed head lies
// between them (docs/formats/entries.md#rules).
Result<void> OpenStore::begin_run(const Recovered& found) {
  boot_ = make_id(random_);
  start_mono_us_ = clock_.mono_us();
  const std::int64_t now = clock_.wall_us();
  log_id_ = make_id(random_);
  std::int64_t newest = 0;
  if (found.size != 0) {
    const std::string first_text = TRY(ledger_->read(0));
    const ledger::Entry first = TRY(ledger::decode(first_text));
    const auto* opening = std::get_if<ledger::Start>(&first);
    if (opening == nullptr)
      return fail(Code::kDataLoss, "the log does not begin with a start entry");
    log_id_ = opening->log_id;
    const std::string last_text = TRY(ledger_->read(found.size - 1));
    const ledger::Entry last = TRY(ledger::decode(last_text));
    newest = stamp_of(last).time_us;
  }
  newest_us_ = now;
  const ledger::Stamp at{.time_us = now, .boot = boot_, .mono_us = 0};
  ledger::Start start{.at = at,
                      .log_id = log_id_,
                      .machine_boot = machine_boot_id(),
                      .mode = options_.mode,
                      .version = options_.version,
                      .log_key = key_change_ ? key_change_->old_key : ledger_->verifier_key(),
                      .previous_size = found.size,
                      .previous_root = found.root,
                      .continues = {}};
  if (found.size == 0) start.continues = TRY(continued_log());
  std::vector<Submission> batch;
  batch.push_back({.entry = TRY(ledger::encode(start)),
                   .aux = {},
                   .priority = Priority::kReserved,
                   .mark = {}});
  for (const auto& [index, open] : found.open) {
    const std::string intent = TRY(ledger_->read(index));
    batch.push_back(
        {.entry =
             TRY(ledger::encode(ledger::Abort{.at = at,
                                              .exchange = open.exchange,
                                              .intent_index = index,
                                              .intent_leaf = ledger::hash_leaf(as_bytes(intent)),
                                              .reason = "crash",
                                              .released_bytes = open.released_bytes})),
         .aux = {},
         .priority = Priority::kReserved,
         .mark = {.step = ExchangeStep::kAbort, .exchange = open.exchange, .intent = index}});
  }
  report_.aborted = found.open.size();
  if (key_change_) {  // its index was told to the signer: directly after the aborts
    key_change_->at = at;
    batch.push_back({.entry = TRY(ledger::encode(*key_change_)),
                     .aux = {},
                     .priority = Priority::kReserved,
                     .mark = {}});
  }
  if (newest - now > kClockToleranceUs) {
    report_.clock_stepped_back_us = newest - now;
    batch.push_back(
        {.entry = TRY(ledger::encode(ledger::ClockStep{.at = at, .back_us = newest - now})),
         .aux = {},
         .priority = Priority::kReserved,
         .mark = {}});
  }
  const auto acknowledged = TRY(ledger_->commit_together(std::move(batch)));
  report_.start_index = acknowledged.front().index;
  return finish_changes(*acknowledged.front().head);
}

ledger::Stamp OpenStore::stamp() {
  const std::int64_t now = clock_.wall_us();
  const ledger::Stamp at{
      .time_us = now, .boot = boot_, .mono_us = clock_.mono_us() - start_mono_us_};
  std::int64_t newest = newest_us_.load();
  while (now > newest && !newest_us_.compare_exchange_weak(newest, now)) {
  }
  // Whoever wins the exchange tells the log.
  if (newest - now > kClockToleranceUs && newest_us_.compare_exchange_strong(newest, now)) {
    auto entry = ledger::encode(ledger::ClockStep{.at = at, .back_us = newest - now});
    if (entry) {
      ledger_->submit(
          {.entry = *std::move(entry), .aux = {}, .priority = Priority::kReserved, .mark = {}},
          [](const auto&) {});
    }
  }
  return at;
}

Result<Acknowledgement> OpenStore::append(const ledger::Entry& entry, std::vector<AuxRecord> aux,
                                          Priority priority) {
  std::promise<Result<Acknowledgement>> promise;
  auto future = promise.get_future();
  ledger_->submit(
      {.entry = TRY(ledger::encode(entry)),
       .aux = std::move(aux),
       .priority = priority,
       .mark = mark_of(entry)},
      [&promise](Result<Acknowledgement> result) { promise.set_value(std::move(result)); });
  return future.get();
}

Result<ExchangeRow> OpenStore::find_row(const Id128& exchange) {
  auto row = TRY(state_->find_exchange(exchange));
  if (!row || row->end_kind == End::kOpen) {
    TRY(ledger_->publish());  // the index follows publication
    row = TRY(state_->find_exchange(exchange));
  }
  if (!row) return fail(Code::kNotFound, "the log has no exchange of this id");
  return *row;
}

Result<StoredExchange> OpenStore::exchange(const Id128& exchange) {
  StoredExchange out{.row = TRY(find_row(exchange)), .intent = {}, .end = {}};
  out.intent = TRY(ledger_->read(out.row.intent));
  if (out.row.end_kind != End::kOpen) out.end = TRY(ledger_->read(out.row.end));
  return out;
}

Result<std::optional<ledger::SealedRecord>> OpenStore::sealed_half(const ExchangeRow& row,
                                                                   SealedHalf half) {
  const auto& place = half == SealedHalf::kRequest ? row.request : row.answer;
  const auto bytes = place ? sealed_->read(*place, row.id) : sealed_->read_large(row.id, half);
  if (!bytes) {
    if (bytes.error().code() == Code::kNotFound) return std::optional<ledger::SealedRecord>();
    return std::unexpected(bytes.error());
  }
  return std::optional<ledger::SealedRecord>(TRY(ledger::decode_sealed_record(*bytes)));
}

Result<std::string> OpenStore::receipt(const Id128& exchange) {
  const auto not_now = [](const char* why) { return fail(Code::kFailedPrecondition, why); };
  const ExchangeRow row = TRY(find_row(exchange));
  if (row.erased) return not_now("the exchange is erased: its openings are destroyed");
  if (row.end_kind == End::kOpen) return not_now("the exchange has not ended yet");
  if (row.end_kind == End::kAbort) return not_now("the exchange was aborted: there is no outcome");
  if (!row.key_slot) return not_now("the exchange has no keys any more");
  const ledger::KeySlot slot = TRY(table_->read(*row.key_slot));
  if (slot.id != row.id || slot.state != ledger::SlotState::kLive) {
    return not_now("the exchange is erased: its openings are destroyed");
  }
  const KeyPair openings = TRY(unwrap_pair(keys_->local_key(), slot.id, slot.second_wrap));
  const auto request = TRY(sealed_half(row, SealedHalf::kRequest));
  const auto answer = TRY(sealed_half(row, SealedHalf::kAnswer));
  if (!request || !answer) {
    return not_now("the content was removed by retention, and with it what a receipt is made of");
  }
  const auto head = ledger_->head();
  return build_receipt(*ledger_, *head,
                       {.intent_index = row.intent,
                        .outcome_index = row.end,
                        .intent = TRY(ledger_->read(row.intent)),
                        .outcome = TRY(ledger_->read(row.end)),
                        .received = opening_of(*request, TranscriptKind::kReceived,
                                               client_opening(slot, openings.first)),
                        .released = opening_of(*answer, TranscriptKind::kReleased,
                                               client_opening(slot, openings.second)),
                        .nonce = std::nullopt});
}

Result<std::uint64_t> OpenStore::retain_content(std::int64_t max_age_us) {
  const auto hold = ledger_->hold_publication();
  return sealed_->remove_older_than(clock_.wall_us() - max_age_us);
}

Result<void> OpenStore::close(std::string_view reason) {
  const ledger::Stop stop{.at = stamp(), .reason = std::string(reason)};
  std::string entry = TRY(ledger::encode(stop));
  return ledger_->close_with(Submission{
      .entry = std::move(entry), .aux = {}, .priority = Priority::kReserved, .mark = {}});
}

}  // namespace candor::store
