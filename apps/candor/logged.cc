#include "logged.h"

#include <algorithm>
#include <set>

#include "base/text.h"
#include "ledger/content_check.h"
#include "ledger/merkle.h"
#include "pin.h"

namespace candor::cli {
namespace {

constexpr std::size_t kMaxKeyText = 4096;

// As candor-verify takes it: a file's first line, or the key itself.
Result<ledger::VerifierKey> parse_key(const std::string& given) {
  std::string text = given;
  std::error_code error;
  if (std::filesystem::is_regular_file(given, error)) {
    text = TRY(read_text_file(given, kMaxKeyText));
  }
  text.resize(std::min(text.find('\n'), text.size()));
  auto key = ledger::parse_verifier_key(text);
  if (!key) return std::unexpected(std::move(key).error().with_context("--log-key"));
  return key;
}

Result<ledger::Pin> parse_pin_file(const std::string& file) {
  std::string text = TRY(read_text_file(file, kMaxKeyText));
  if (text.ends_with('\n')) text.pop_back();
  auto pin = ledger::parse_pin(text);
  if (!pin) return std::unexpected(std::move(pin).error().with_context(file));
  return pin;
}

bool is_about(const ledger::Entry& entry, const Id128& id) {
  for (const TranscriptKind kind : kAllTranscripts) {
    if (ledger::logged_commitment(entry, id, to_string(kind))) return true;
  }
  return ledger::logged_commitment(entry, id, "note").has_value();
}

// Where a running server says that they stand: only where to look first, nothing is trusted.
std::set<std::uint64_t> hinted(const Context& context, const std::string& id, std::uint64_t size) {
  std::set<std::uint64_t> places;
  const auto reply = admin_call(context, "GET", "/v1/exchange?id=" + id);
  if (!reply) return places;
  for (const char* part : {"intent", "outcome"}) {
    const json::Object& found = object_of(*reply, part);
    const std::uint64_t index = number_of(found, "index");
    if (!found.empty() && index < size) places.insert(index);
  }
  return places;
}

}  // namespace

Result<TrustedLog> open_trusted_log(const Context& context, const LogToTrust& options) {
  const bool own = options.folder.empty();
  if (own && options.log_key.empty() && options.pin.empty()) {
    // This user's pin is checked, and moved forward, as by every other verb.
    const PinnedLog pinned = TRY(advance_pin(context));
    return TrustedLog{.log = TRY(PublishedLog::open(context.data_dir())),
                      .key = pinned.key,
                      .key_is_logs_own = pinned.first_contact,
                      .pinned = !pinned.first_contact};
  }
  TrustedLog trusted{
      .log = TRY(PublishedLog::open(own ? context.data_dir() : Path(options.folder))), .key = {}};
  std::optional<ledger::Pin> pin;
  if (!options.pin.empty()) {
    pin = TRY(parse_pin_file(options.pin));
  } else {
    pin = TRY(load_pin(trusted.log.head().origin));
  }
  if (!options.log_key.empty()) {
    const ledger::VerifierKey given = TRY(parse_key(options.log_key));
    trusted.key = TRY(follow_key(trusted.log, given));
  } else if (pin) {
    const ledger::VerifierKey pinned = TRY(ledger::parse_verifier_key(pin->log_key));
    trusted.key = TRY(follow_key(trusted.log, pinned));
  } else {
    trusted.key = TRY(trusted.log.key());
    trusted.key_is_logs_own = true;
  }
  TRY(check_pinned(trusted.log, trusted.key, pin));
  trusted.pinned = pin.has_value();
  return trusted;
}

Result<std::vector<LoggedEntry>> entries_about(const Context& context, PublishedLog& log,
                                               const Id128& id) {
  const std::uint64_t size = log.head().size;
  const std::string hex = to_hex(id);
  ledger::TileSource source(log, size);
  std::vector<LoggedEntry> found;
  const auto take = [&](std::uint64_t index) -> Result<void> {
    const std::string text = TRY(log.entry(index));
    if (!text.contains(hex)) return {};
    auto entry = ledger::decode(text);
    if (!entry || !is_about(*entry, id)) return {};
    const ledger::Proof proof = TRY(ledger::prove_inclusion(source, index, size));
    const auto included = ledger::verify_inclusion(index, size, ledger::hash_leaf(as_bytes(text)),
                                                   proof, log.head().root);
    if (!included) {
      return fail(Code::kDataLoss, "entry " + std::to_string(index) +
                                       " does not stand under the signed head: the log's folder "
                                       "was changed; run 'candor ledger verify'");
    }
    found.push_back({.index = index, .entry = *std::move(entry)});
    return {};
  };
  for (const std::uint64_t index : hinted(context, hex, size)) TRY(take(index));
  const auto has_end = [&] {
    return std::ranges::any_of(found, [](const LoggedEntry& item) {
      return std::holds_alternative<ledger::Outcome>(item.entry);
    });
  };
  if (!has_end()) {
    found.clear();
    for (std::uint64_t index = 0; index < size; ++index) TRY(take(index));
  }
  if (found.empty()) {
    return fail(Code::kNotFound, "the log of " + std::to_string(size) + " entries has none about " +
                                     hex + "; name the log that has (--log)");
  }
  return found;
}

}  // namespace candor::cli
