// candor ledger open: an exchange's sealed content, for the auditor's eyes. Works on any copy of a
// data folder, without a server; each text is checked against its commitment.
#include <algorithm>

#include "base/bytes.h"
#include "base/file_system.h"
#include "store/auditor_key.h"
#include "store/data_folder.h"
#include "verbs/auditor.h"
#include "verbs/verbs.h"

namespace candor::cli {

int run_ledger_open(const Context& context, const LedgerOptions& options) {
  const Output& out = context.out();
  if (!is_exchange_id(options.subject)) {
    return report(out, {Code::kInvalidArgument, "an exchange's id is 32 hexadecimal digits"});
  }
  const std::filesystem::path file = options.auditor_key.empty()
                                         ? default_auditor_key()
                                         : std::filesystem::path(options.auditor_key);
  const auto secret = read_text_file(file, 4096);
  if (!secret) return report(out, secret.error());
  const auto pair = store::parse_auditor_secret(*secret);
  if (!pair) return report(out, pair.error());
  (void)admin_call(context, "POST", "/v1/publish");  // young content still lies in the journal
  Id128 id{};
  const auto bytes = from_hex(options.subject);
  if (!bytes) return report(out, bytes.error());
  std::ranges::copy(*bytes, id.begin());
  const Path sealed =
      options.sealed.empty() ? store::DataPaths(context.data_dir()).sealed() : Path(options.sealed);
  const auto opened = store::open_with_auditor_key(real_file_system(), sealed, *pair, id);
  if (!opened) return report(out, opened.error());

  json::Array transcripts;
  for (const store::OpenedContent& content : *opened) {
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
  if (out.json()) {
    json::Object object;
    object["exchange"] = options.subject;
    object["transcripts"] = std::move(transcripts);
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
  out.note(
      "each text leads to the commitment sealed beside it; docs/audit.md, section 9, holds those "
      "against the log");
  return kExitDone;
}

}  // namespace candor::cli
