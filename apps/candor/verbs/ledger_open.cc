// candor ledger open: an exchange's sealed content, for the auditor's eyes. Works on any copy of a
// data folder, without a server. Nothing is shown unless each text leads to its commitment and the
// commitments to entries that stand under the log's signed head.
#include <algorithm>

#include "base/bytes.h"
#include "base/file_system.h"
#include "base/text.h"
#include "ledger/content_check.h"
#include "logged.h"
#include "store/auditor_key.h"
#include "store/data_folder.h"
#include "verbs/auditor.h"
#include "verbs/verbs.h"

namespace candor::cli {
namespace {

struct Opened {
  std::vector<store::OpenedContent> content;
  std::vector<LoggedEntry> entries;
  TrustedLog trusted;
};

// Keys are destroyed. No proof covers keys, so whoever can write to the folder can do that too: an
// erasure has an entry.
Error who_erased(PublishedLog& log, const Id128& id, const Error& erased) {
  for (std::uint64_t index = log.head().size; index-- > 0;) {
    const auto text = log.entry(index);
    if (!text || !text->contains(to_hex(id))) continue;
    const auto entry = ledger::decode(*text);
    const auto* erasure = entry ? std::get_if<ledger::Erasure>(&*entry) : nullptr;
    if (erasure == nullptr || erasure->fields ||
        std::ranges::find(erasure->exchanges, id) == erasure->exchanges.end()) {
      continue;
    }
    return {erased.code(), erased.message() + ", by the erasure of entry " + std::to_string(index)};
  }
  return {erased.code(), erased.message() +
                             "; but no entry of this log erases it: somebody has destroyed them "
                             "without a record, or it is a note that went with its person"};
}

Result<Opened> open_and_check(const Context& context, const LedgerOptions& options) {
  if (!is_exchange_id(options.subject)) {
    return fail(Code::kInvalidArgument, "an exchange's id is 32 hexadecimal digits");
  }
  const std::filesystem::path file = options.auditor_key.empty()
                                         ? default_auditor_key()
                                         : std::filesystem::path(options.auditor_key);
  const std::string secret = TRY(read_text_file(file, 4096));
  const crypto::BoxKeyPair pair = TRY(store::parse_auditor_secret(secret));
  // Young content and young entries still lie in the journal.
  if (options.log.empty()) (void)admin_call(context, "POST", "/v1/publish");
  const Id128 id = TRY(id_from_hex(options.subject));
  const Path sealed =
      options.sealed.empty() ? store::DataPaths(context.data_dir()).sealed() : Path(options.sealed);
  auto opened = store::open_with_auditor_key(real_file_system(), sealed, pair, id);
  auto trusted = open_trusted_log(
      context, {.folder = options.log, .log_key = options.log_key, .pin = options.pin});
  if (!trusted) {
    return std::unexpected(
        std::move(trusted).error().with_context("the log to hold the content against"));
  }
  if (!opened) {
    if (opened.error().code() != Code::kFailedPrecondition) {
      return std::unexpected(opened.error());
    }
    return std::unexpected(who_erased(trusted->log, id, opened.error()));
  }
  Opened out{.content = *std::move(opened), .entries = {}, .trusted = *std::move(trusted)};
  out.entries = TRY(entries_about(context, out.trusted.log, id));
  std::vector<ledger::Entry> entries;
  for (const LoggedEntry& logged : out.entries) entries.push_back(logged.entry);
  for (const store::OpenedContent& one : out.content) {
    const auto logged = ledger::check_logged(one.record, entries);
    if (!logged) {
      return fail(Code::kDataLoss,
                  "THE SEALED CONTENT IS NOT WHAT WAS LOGGED: " + logged.error().message() +
                      ". It is not shown. Keep the folder as it is; see docs/audit.md, section 9");
    }
  }
  return out;
}

json::Array transcripts_of(const Opened& opened) {
  json::Array transcripts;
  for (const store::OpenedContent& content : opened.content) {
    for (std::size_t t = 0; t < content.transcripts.size(); ++t) {
      const ledger::OpenedTranscript& transcript = content.transcripts[t];
      json::Array fields;
      for (std::size_t f = 0; f < transcript.texts.size(); ++f) {
        json::Object field;
        field["path"] = content.record.transcripts.at(t).fields.at(f).path;
        if (transcript.texts[f]) field["text"] = transcript.texts[f]->reveal();
        fields.push_back(std::move(field));
      }
      json::Object one;
      one["transcript"] = transcript.name;
      one["fields"] = std::move(fields);
      transcripts.push_back(std::move(one));
    }
  }
  return transcripts;
}

// On which entries it rests, and who vouches for them.
std::string checked_text(const Opened& opened) {
  std::string entries;
  for (const LoggedEntry& logged : opened.entries) {
    entries += (entries.empty() ? "" : ", ") + std::to_string(logged.index) + " (" +
               std::string(ledger::type_name(logged.entry)) + ")";
  }
  std::string text = "each text is the one that the log commits to: entry " + entries +
                     ", under the signed head of size " +
                     std::to_string(opened.trusted.log.head().size);
  if (opened.trusted.pinned) text += ", which extends the pin";
  if (opened.trusted.key_is_logs_own) {
    text +=
        "; but the key came from the log itself: bring it (--log-key, --pin) to know whose it is";
  }
  return text;
}

json::Object checked_json(const Opened& opened) {
  json::Array entries;
  for (const LoggedEntry& logged : opened.entries) {
    json::Object entry;
    entry["index"] = logged.index;
    entry["type"] = ledger::type_name(logged.entry);
    entries.push_back(std::move(entry));
  }
  json::Object out;
  out["entries"] = std::move(entries);
  out["origin"] = opened.trusted.log.head().origin;
  out["size"] = opened.trusted.log.head().size;
  out["root"] = to_base64(opened.trusted.log.head().root);
  out["key_is_logs_own"] = opened.trusted.key_is_logs_own;
  out["pinned"] = opened.trusted.pinned;
  return out;
}

}  // namespace

int run_ledger_open(const Context& context, const LedgerOptions& options) {
  const Output& out = context.out();
  const auto opened = open_and_check(context, options);
  if (!opened) return report(out, opened.error());
  json::Array transcripts = transcripts_of(*opened);
  if (out.json()) {
    json::Object object;
    object["exchange"] = options.subject;
    object["transcripts"] = std::move(transcripts);
    object["logged"] = checked_json(*opened);
    out.document(object);
    return kExitDone;
  }
  for (const json::Value& transcript : transcripts) {
    out.line(out.style().bold(text_of(transcript.get_object(), "transcript")));
    for (const json::Value& field : array_of(transcript.get_object(), "fields")) {
      const json::Value* text = json::find(field.get_object(), "text");
      out.line("  " + out.style().faint(text_of(field.get_object(), "path")) + ": " +
               (text != nullptr ? out.shown(text_of(field.get_object(), "text"))
                                : out.style().caution("(erased or not kept)")));
    }
  }
  out.note(checked_text(*opened));
  return kExitDone;
}

}  // namespace candor::cli
