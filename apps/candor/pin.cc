#include "pin.h"

#include <cstdlib>

#include "ledger/merkle.h"

namespace candor::cli {
namespace {

constexpr std::string_view kOriginPrefix = "candor/";

Error rolled_back(const ledger::Checkpoint& head, const ledger::Pin& pin,
                  const std::filesystem::path& file) {
  return {Code::kDataLoss,
          "THE LOG WAS ROLLED BACK OR REPLACED: " + head.origin + " now ends at entry " +
              std::to_string(head.size) + ", but this user has verified a head of " +
              std::to_string(pin.size) + " entries (" + file.string() +
              "). Keep the folder as it is and see docs/audit.md. Nothing was sent"};
}

Error forked(const ledger::Checkpoint& head, const ledger::Pin& pin,
             const std::filesystem::path& file) {
  return {Code::kDataLoss, "THE LOG WAS FORKED: the head of " + std::to_string(head.size) +
                               " entries does not contain the pinned head of " +
                               std::to_string(pin.size) + " entries (" + file.string() +
                               "). Keep the folder as it is and see docs/audit.md"};
}

Result<void> consistent(PublishedLog& log, std::uint64_t old_size, const Digest& old_root) {
  const ledger::Checkpoint& head = log.head();
  ledger::TileSource source(log, head.size);
  const ledger::Proof proof = TRY(ledger::prove_consistency(source, old_size, head.size));
  return ledger::verify_consistency(old_size, head.size, old_root, head.root, proof);
}

}  // namespace

std::filesystem::path pin_folder() {
  if (const char* state = std::getenv("XDG_STATE_HOME"); state != nullptr && *state == '/') {
    return std::filesystem::path(state) / "candor" / "pins";
  }
  const char* home = std::getenv("HOME");
  return std::filesystem::path(home != nullptr && *home == '/' ? home : "/var/empty") / ".local" /
         "state" / "candor" / "pins";
}

Result<std::filesystem::path> pin_path(std::string_view origin) {
  if (!origin.starts_with(kOriginPrefix) || !is_exchange_id(origin.substr(kOriginPrefix.size()))) {
    return fail(Code::kInvalidArgument, "not the origin of a Candor log");
  }
  return pin_folder() / (std::string(origin.substr(kOriginPrefix.size())) + ".json");
}

Result<std::optional<ledger::Pin>> load_pin(std::string_view origin) {
  const std::filesystem::path path = TRY(pin_path(origin));
  const auto text = read_text_file(path, 65'536);
  if (!text) {
    if (text.error().code() == Code::kNotFound) return std::optional<ledger::Pin>();
    return std::unexpected(text.error());
  }
  std::string_view bytes = *text;
  if (bytes.ends_with('\n')) bytes.remove_suffix(1);
  auto pin = ledger::parse_pin(bytes);
  if (!pin) return std::unexpected(std::move(pin).error().with_context(path.string()));
  if (pin->origin != origin) {
    return fail(Code::kInvalidArgument, path.string() + ": the pin is of another log");
  }
  return std::optional<ledger::Pin>(*std::move(pin));
}

Result<void> save_pin(const ledger::Pin& pin) {
  return write_text_file(TRY(pin_path(pin.origin)), ledger::format_pin(pin));
}

Result<ledger::VerifierKey> follow_key(PublishedLog& log, ledger::VerifierKey key) {
  for (const std::uint64_t index : log.handovers()) {
    if (index >= log.head().size) continue;
    const std::string text = TRY(log.entry(index));
    const auto entry = ledger::decode(text);
    const auto* change = entry ? std::get_if<ledger::KeyChange>(&*entry) : nullptr;
    if (change == nullptr || change->old_key != ledger::format_verifier_key(key)) continue;
    const std::string note = TRY(log.handover(index));
    const auto handover = ledger::open_checkpoint(note, key);
    if (!handover || handover->head.size <= index || handover->head.size > log.head().size)
      continue;
    TRY(consistent(log, handover->head.size, handover->head.root));
    ledger::TileSource source(log, log.head().size);
    const ledger::Proof proof = TRY(ledger::prove_inclusion(source, index, log.head().size));
    TRY(ledger::verify_inclusion(index, log.head().size, ledger::hash_leaf(as_bytes(text)), proof,
                                 log.head().root));
    key = TRY(ledger::parse_verifier_key(change->new_key));
  }
  return key;
}

Result<void> check_pinned(PublishedLog& log, const ledger::VerifierKey& key,
                          const std::optional<ledger::Pin>& pin) {
  const auto opened = ledger::open_checkpoint(log.checkpoint_text(), key);
  if (!opened) {
    return fail(Code::kDataLoss,
                "the published head is not signed by the key given: " + opened.error().message());
  }
  if (!pin) return {};
  const ledger::Checkpoint& head = opened->head;
  if (pin->origin != head.origin) return fail(Code::kInvalidArgument, "the pin is of another log");
  const std::filesystem::path file = TRY(pin_path(head.origin));
  if (head.size < pin->size) return std::unexpected(rolled_back(head, *pin, file));
  if (head.size == pin->size ? head.root != pin->root
                             : !consistent(log, pin->size, pin->root).has_value()) {
    return std::unexpected(forked(head, *pin, file));
  }
  return {};
}

Result<void> check_head_in_log(PublishedLog& log, const ledger::Checkpoint& head) {
  if (head.origin != log.head().origin) {
    return fail(Code::kDataLoss, "the receipt is of another log, " + head.origin);
  }
  if (head.size > log.head().size) {
    return fail(Code::kDataLoss, "the published log ends before the receipt's head");
  }
  return consistent(log, head.size, head.root);
}

Result<PinnedLog> advance_pin(const Context& context) {
  PublishedLog log = TRY(PublishedLog::open(context.data_dir()));
  const auto pin = TRY(load_pin(log.head().origin));
  PinnedLog result;
  if (pin) {
    if (log.head().size < pin->size) {
      // Acknowledged but not yet published entries are no rollback: have them published.
      if (admin_call(context, "POST", "/v1/publish"))
        log = TRY(PublishedLog::open(context.data_dir()));
    }
    const ledger::VerifierKey pinned = TRY(ledger::parse_verifier_key(pin->log_key));
    result.key = TRY(follow_key(log, pinned));
  } else {
    result.key = TRY(log.key());
    result.first_contact = true;
  }
  auto opened = ledger::open_checkpoint(log.checkpoint_text(), result.key);
  if (!opened) {
    return fail(Code::kDataLoss, "the published head is not signed by the " +
                                     std::string(pin ? "pinned" : "log's own") +
                                     " key: " + opened.error().message());
  }
  const ledger::Checkpoint& head = opened->head;
  if (pin) {
    const std::filesystem::path file = TRY(pin_path(head.origin));
    if (head.size < pin->size) return std::unexpected(rolled_back(head, *pin, file));
    if (head.size == pin->size ? head.root != pin->root
                               : !consistent(log, pin->size, pin->root).has_value()) {
      return std::unexpected(forked(head, *pin, file));
    }
  }
  result.pin = {.origin = head.origin,
                .size = head.size,
                .root = head.root,
                .log_key = ledger::format_verifier_key(result.key)};
  if (!pin || pin->size < head.size) TRY(save_pin(result.pin));
  return result;
}

}  // namespace candor::cli
