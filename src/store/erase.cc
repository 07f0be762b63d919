// Erasure (A14, S2, S3): roots and openings are destroyed in the key table and wherever the journal
// still holds them; names and index rows go with them. A file in sealed/pending names what is being
// erased until all of it is done, so that a crash in between only delays it.
#include <algorithm>
#include <set>

#include "base/log.h"
#include "base/text.h"
#include "json/json.h"
#include "store/internal/field_files.h"
#include "store/internal/open_store.h"

namespace candor::store {
namespace {

constexpr std::size_t kExchangesAnEntry = 1000;
constexpr std::size_t kMaxPendingBytes = 256U << 20U;

std::string format_pending(const PendingErasure& erasure) {
  json::Array exchanges;
  for (const Id128& id : erasure.exchanges) exchanges.emplace_back(to_hex(id));
  json::Array entries;
  for (const std::string& entry : erasure.entries) entries.emplace_back(entry);
  json::Object object{{"act", to_hex(erasure.act)},
                      {"entries", std::move(entries)},
                      {"exchanges", std::move(exchanges)},
                      {"log_size", std::to_string(erasure.log_size)},
                      {"v", 1}};
  if (erasure.subject) object["subject"] = to_hex(*erasure.subject);
  if (erasure.rewrite) {
    object["slot"] = to_hex(erasure.rewrite->bytes);
    object["slot_number"] = std::to_string(erasure.rewrite->slot);
  }
  return json::to_text(object);
}

Result<PendingErasure> parse_pending(std::string_view text) {
  const json::Value value = TRY(json::parse(text, {.max_bytes = kMaxPendingBytes}));
  const json::Object* object = TRY(json::as_object(value, "a pending erasure"));
  PendingErasure erasure;
  const std::string_view act = TRY(json::get_string(*object, "act"));
  erasure.act = TRY(id_from_hex(act));
  const std::string_view size = TRY(json::get_string(*object, "log_size"));
  erasure.log_size = TRY(parse_decimal(size));
  if (json::find(*object, "subject") != nullptr) {
    const std::string_view subject = TRY(json::get_string(*object, "subject"));
    erasure.subject = TRY(id_from_hex(subject));
  }
  if (json::find(*object, "slot") != nullptr) {
    const std::string_view slot = TRY(json::get_string(*object, "slot"));
    const std::string_view number = TRY(json::get_string(*object, "slot_number"));
    erasure.rewrite =
        PendingErasure::Rewrite{.slot = TRY(parse_decimal(number)), .bytes = TRY(from_hex(slot))};
  }
  const json::Array* exchanges = TRY(json::get_array(*object, "exchanges"));
  for (const json::Value& id : *exchanges) {
    if (!id.is_string()) continue;
    const Id128 read = TRY(id_from_hex(id.get_string()));
    erasure.exchanges.push_back(read);
  }
  const json::Array* entries = TRY(json::get_array(*object, "entries"));
  for (const json::Value& entry : *entries) {
    if (entry.is_string()) erasure.entries.emplace_back(entry.get_string());
  }
  return erasure;
}

Path pending_path(const DataPaths& paths, const Id128& act) {
  return paths.pending_erasures() / (to_hex(act) + ".json");
}

}  // namespace

Result<std::vector<Id128>> OpenStore::exchanges_of(const Subject& subject) {
  std::set<Id128> ids;
  for (const ExchangeRow& row : TRY(state_->exchanges_of(subject.id))) ids.insert(row.id);
  // The table is the truth; the index may be behind it.
  TRY(table_->scan([&](std::uint64_t, const ledger::KeySlot& slot) -> Result<void> {
    if (slot.kind == ledger::SlotKind::kExchange && slot.subject == subject.id) ids.insert(slot.id);
    return {};
  }));
  return std::vector<Id128>(ids.begin(), ids.end());
}

Result<bool> OpenStore::has_keys(const Id128& exchange) {
  bool found = false;
  TRY(table_->scan([&](std::uint64_t, const ledger::KeySlot& slot) -> Result<void> {
    found |= slot.id == exchange && slot.kind == ledger::SlotKind::kExchange &&
             slot.state == ledger::SlotState::kLive;
    return {};
  }));
  return found;
}

Result<ErasureReport> OpenStore::erase(const ErasureRequest& request) {
  if (request.exchange.has_value() == request.caller.has_value()) {
    return fail(Code::kInvalidArgument, "name one exchange or one caller to erase");
  }
  TRY(check_erased_fields(request));
  const std::lock_guard one_at_a_time(erase_mutex_);
  TRY(ledger_->publish());
  PendingErasure erasure;
  std::string pseudonym;
  if (request.exchange) {
    const auto row = TRY(state_->find_exchange(*request.exchange));
    // Content may be that of a log which has ended: its keys are here still.
    const bool known = row || TRY(has_keys(*request.exchange));
    if (!known) return fail(Code::kNotFound, "the log has no exchange of this id");
    if (row && row->erased) {
      return fail(Code::kFailedPrecondition, "the exchange is erased already");
    }
    erasure.exchanges.push_back(*request.exchange);
    if (!request.fields.empty()) {
      if (!row)
        return fail(Code::kFailedPrecondition, "fields can be erased in their own log only");
      erasure.rewrite = TRY(plan_field_erasure(*row, request));
    }
  } else {
    const Subject subject = TRY(keys_->find_subject(*request.caller));
    // New requests of this name get another pseudonym from here on.
    erasure.subject = subject.id;
    pseudonym = subject.pseudonym;
    erasure.exchanges = TRY(exchanges_of(subject));
  }
  erasure.act = make_id(random_);
  SealedNote reason = TRY(seal_reason(*keys_, erasure.act, request.actor.id, request.reason));
  erasure.log_size = ledger_->head()->size;
  std::vector<ledger::Entry> entries;
  for (std::size_t at = 0; at == 0 || at < erasure.exchanges.size(); at += kExchangesAnEntry) {
    const auto first = erasure.exchanges.begin() + static_cast<std::ptrdiff_t>(at);
    const auto count = std::min(kExchangesAnEntry, erasure.exchanges.size() - at);
    entries.push_back(
        ledger::Erasure{.at = stamp(),
                        .act = erasure.act,
                        .scope = erasure.rewrite    ? "field"
                                 : request.exchange ? "exchange"
                                                    : "caller",
                        .exchanges = {first, first + static_cast<std::ptrdiff_t>(count)},
                        .fields = erasure.rewrite ? std::optional(request.fields) : std::nullopt,
                        .caller = pseudonym,
                        .actor = request.actor.pseudonym,
                        .approver = {},
                        .reason = reason.commitment});
    erasure.entries.push_back(TRY(ledger::encode(entries.back())));
  }
  const Path pending = pending_path(folder_.paths(), erasure.act);
  TRY(write_file_atomically(folder_.files(), pending, as_bytes(format_pending(erasure))));
  ErasureReport report;
  for (ledger::Entry& entry : entries) {
    std::vector<AuxRecord> aux = std::move(reason.aux);
    reason.aux.clear();
    report.index = TRY(append(entry, std::move(aux), Priority::kReserved)).index;
  }
  report.exchanges = erasure.exchanges;
  report.unreachable = {"copies that clients kept: their texts, answers and receipts",
                        "backups and snapshots of the data folder that were made before",
                        "what an auditor has opened and kept",
                        "worn blocks of flash storage that the disk no longer addresses",
                        "free blocks on which deleted journal segments stood",
                        "sizes, counts, times and models, which stay in the log"};
  report.destroyed = TRY(destroy(erasure, report.unreachable));
  TRY(folder_.files().remove(pending));
  TRY(folder_.files().sync_folder(folder_.paths().pending_erasures()));
  return report;
}

Result<std::uint64_t> OpenStore::destroy(const PendingErasure& erasure,
                                         std::vector<std::string>& unreachable) {
  if (erasure.rewrite) return rewrite_slot(erasure);
  const auto hold = ledger_->hold_publication();
  std::set<Id128> ids(erasure.exchanges.begin(), erasure.exchanges.end());
  std::vector<std::uint64_t> slots;
  bool scan = erasure.subject.has_value();
  for (const Id128& id : erasure.exchanges) {
    const auto row = TRY(state_->find_exchange(id));
    if (!row || !row->key_slot) {
      scan = true;
      continue;
    }
    const auto slot = table_->read(*row->key_slot);
    if (slot && slot->id == id) {
      slots.push_back(*row->key_slot);
    } else {
      scan = true;
    }
    for (const auto& place : {row->request, row->answer}) {
      if (!place) continue;
      // Unreadable without its root anyway.
      if (!sealed_->erase(*place, id))
        unreachable.emplace_back("a sealed record, now without a key");
    }
  }
  if (scan) {
    TRY(table_->scan([&](std::uint64_t number, const ledger::KeySlot& slot) -> Result<void> {
      const bool of_subject =
          erasure.subject && (slot.id == *erasure.subject || slot.subject == *erasure.subject);
      if (slot.state == ledger::SlotState::kLive && (of_subject || ids.contains(slot.id))) {
        slots.push_back(number);
        ids.insert(slot.id);
      }
      return {};
    }));
  }
  std::ranges::sort(slots);
  slots.erase(std::ranges::unique(slots).begin(), slots.end());
  const auto overwrite = [&]() -> Result<void> {
    for (const std::uint64_t slot : slots) TRY(table_->erase(slot));
    TRY(table_->sync());
    (void)TRY(ledger_->journal().erase({ids.begin(), ids.end()}));
    return {};
  };
  if (const auto done = overwrite(); !done) {
    ledger_->poison(done.error());  // S6; the pending file has it done again at the next start
    return std::unexpected(done.error());
  }
  for (const Id128& id : erasure.exchanges) {
    if (!sealed_->erase_large(id)) unreachable.emplace_back("a sealed file, now without a key");
    TRY(remove_field_files(folder_.files(), folder_.paths(), id, {}));
  }
  TRY(state_->mark_erased(std::vector<Id128>(ids.begin(), ids.end())));
  if (erasure.subject) {
    TRY(state_->erase_subject(*erasure.subject));
    keys_->forget_subject(*erasure.subject);
  }
  return slots.size();
}

Result<bool> OpenStore::has_entry(const PendingErasure& erasure) {
  const auto head = ledger_->head();
  for (std::uint64_t index = erasure.log_size; index < head->size; ++index) {
    const std::string text = TRY(ledger_->read(index));
    const ledger::Entry entry = TRY(ledger::decode(text));
    const auto* found = std::get_if<ledger::Erasure>(&entry);
    if (found != nullptr && found->act == erasure.act) return true;
  }
  return false;
}

Result<void> OpenStore::redo_erasures() {
  FileSystem& files = folder_.files();
  const Path folder = folder_.paths().pending_erasures();
  for (const std::string& name : TRY(files.list(folder))) {
    if (!name.ends_with(".json")) {
      TRY(files.remove(folder / name));  // its writing was cut off: nothing was begun
      continue;
    }
    const Bytes text = TRY(read_file(files, folder / name, kMaxPendingBytes));
    const PendingErasure erasure = TRY(parse_pending(as_text(text)));
    if (!TRY(has_entry(erasure))) {
      for (const std::string& logged : erasure.entries) {
        ledger::Entry entry = TRY(ledger::decode(logged));
        if (auto* it = std::get_if<ledger::Erasure>(&entry)) it->at = stamp();
        TRY(append(entry, {}, Priority::kReserved));
      }
    }
    TRY(ledger_->publish());
    std::vector<std::string> unreachable;
    TRY(destroy(erasure, unreachable));
    TRY(files.remove(folder / name));
    TRY(files.sync_folder(folder));
    ++report_.erasures_redone;
  }
  return {};
}

}  // namespace candor::store
