// candor ledger show|tail|verify|export|close.
#include <cerrno>
#include <charconv>
#include <cstring>

#include <poll.h>
#include <unistd.h>

#include "base/terminal.h"
#include "base/text.h"
#include "entry_text.h"
#include "log_folder.h"
#include "pin.h"
#include "verbs/verbs.h"

namespace candor::cli {
namespace {

// Replies hold entries as JSON values; their one spelling is the canonical one.
std::string entry_of(const json::Object& item) {
  const json::Value* entry = json::find(item, "entry");
  if (entry == nullptr) return {};
  return entry->is_string() ? text_of(item, "entry") : json::canonical(*entry).value_or("");
}

// Without a server the published log is read from the folder.
bool no_server(const Error& error) { return error.code() == Code::kUnavailable; }

int show_index_offline(const Context& context, std::uint64_t index) {
  auto log = PublishedLog::open(context.data_dir());
  if (!log) return report(context.out(), log.error());
  const auto entry = log->entry(index);
  if (!entry) return report(context.out(), entry.error());
  if (context.out().json()) {
    context.out().line(*entry);
  } else {
    show_entry(context.out(), index, *entry);
  }
  return kExitDone;
}

int show_index(const Context& context, std::uint64_t index) {
  const auto reply =
      admin_call(context, "GET", "/v1/entries?from=" + std::to_string(index) + "&count=1");
  if (!reply) {
    return no_server(reply.error()) ? show_index_offline(context, index)
                                    : report(context.out(), reply.error());
  }
  for (const json::Value& value : array_of(*reply, "entries")) {
    if (!value.is_object() || number_of(value.get_object(), "index") != index) continue;
    const std::string entry = entry_of(value.get_object());
    if (context.out().json()) {
      context.out().line(entry);
    } else {
      show_entry(context.out(), index, entry);
      context.out().line("leaf " + text_of(value.get_object(), "leaf"));
    }
    return kExitDone;
  }
  return report(context.out(), {Code::kNotFound, "there is no entry " + std::to_string(index) +
                                                     "; the log holds " + text_of(*reply, "size")});
}

int show_exchange_offline(const Context& context, const std::string& exchange) {
  auto log = PublishedLog::open(context.data_dir());
  if (!log) return report(context.out(), log.error());
  bool found = false;
  for (std::uint64_t index = 0; index < log->head().size; ++index) {
    const auto entry = log->entry(index);
    if (!entry) return report(context.out(), entry.error());
    if (!entry->contains(exchange)) continue;
    found = true;
    if (context.out().json()) {
      context.out().line(*entry);
    } else {
      show_entry(context.out(), index, *entry);
    }
  }
  if (found) return kExitDone;
  return report(context.out(), {Code::kNotFound, "the published log has no exchange " + exchange});
}

void show_part(const Output& out, const json::Object& reply, std::string_view name) {
  const json::Object& part = object_of(reply, name);
  if (!part.empty()) show_entry(out, number_of(part, "index"), entry_of(part));
}

int show_exchange(const Context& context, const std::string& exchange) {
  const auto reply = admin_call(context, "GET", "/v1/exchange?id=" + exchange);
  if (!reply) {
    return no_server(reply.error()) ? show_exchange_offline(context, exchange)
                                    : report(context.out(), reply.error());
  }
  const Output& out = context.out();
  if (out.json()) {
    out.document(*reply);
    return kExitDone;
  }
  show_part(out, *reply, "intent");
  for (const json::Value& value : array_of(*reply, "progress")) {
    if (value.is_object()) {
      show_entry(out, number_of(value.get_object(), "index"), entry_of(value.get_object()));
    }
  }
  show_part(out, *reply, "outcome");
  show_part(out, *reply, "abort");
  return kExitDone;
}

void print_entry(const Output& out, std::uint64_t index, const std::string& entry) {
  if (out.json()) {
    json::Object object;
    object["index"] = index;
    object["entry"] = entry;
    out.line(json::to_text(object));
  } else {
    out.line(entry_line(out, index, entry));
  }
}

// Shows the reply's entries; the index after the last one.
std::uint64_t print_entries(const Output& out, const json::Object& reply, std::uint64_t next) {
  for (const json::Value& value : array_of(reply, "entries")) {
    if (!value.is_object()) continue;
    const std::uint64_t index = number_of(value.get_object(), "index");
    print_entry(out, index, entry_of(value.get_object()));
    next = index + 1;
  }
  out.write("");
  return next;
}

int tail_offline(const Context& context, std::uint64_t count) {
  auto log = PublishedLog::open(context.data_dir());
  if (!log) return report(context.out(), log.error());
  const std::uint64_t size = log->head().size;
  for (std::uint64_t index = size > count ? size - count : 0; index < size; ++index) {
    const auto entry = log->entry(index);
    if (!entry) return report(context.out(), entry.error());
    print_entry(context.out(), index, *entry);
  }
  return kExitDone;
}

}  // namespace

int run_ledger_show(const Context& context, const LedgerOptions& options) {
  if (is_exchange_id(options.subject)) return show_exchange(context, options.subject);
  const auto index = parse_decimal(options.subject);
  if (!index) {
    return report(context.out(), {Code::kInvalidArgument,
                                  "name an entry by its index or an exchange by its 32 digits"});
  }
  return show_index(context, *index);
}

int run_ledger_tail(const Context& context, const LedgerOptions& options) {
  catch_interrupts();
  const std::string count = std::to_string(options.count);
  auto reply = admin_call(context, "GET", "/v1/entries?from=-" + count + "&count=" + count);
  if (!reply) {
    return no_server(reply.error()) && !options.follow ? tail_offline(context, options.count)
                                                       : report(context.out(), reply.error());
  }
  std::uint64_t next = print_entries(context.out(), *reply, number_of(*reply, "size"));
  while (options.follow && !interrupt_flag()) {
    ::poll(nullptr, 0, 500);
    reply = admin_call(context, "GET", "/v1/entries?from=" + std::to_string(next) + "&count=256");
    if (!reply) {
      return reply.error().code() == Code::kCancelled ? kExitDone
                                                      : report(context.out(), reply.error());
    }
    next = print_entries(context.out(), *reply, next);
  }
  return kExitDone;
}

int run_ledger_verify(const Context& context, const LedgerOptions& options) {
  // The independent program does it; the pin is checked and moved forward first, so that a rollback
  // is named even when candor-verify is given nothing else.
  const Output& out = context.out();
  (void)admin_call(context, "POST", "/v1/publish");
  const auto pinned = advance_pin(context);
  if (!pinned && pinned.error().code() == Code::kDataLoss) return report(out, pinned.error());
  const std::filesystem::path program = program_folder() / "candor-verify";
  std::vector<std::string> words{program.string()};
  if (out.json()) words.emplace_back("--json");
  words.insert(words.end(), {"log", context.data_dir().string()});
  if (pinned) {
    if (const auto file = pin_path(pinned->pin.origin)) {
      words.insert(words.end(), {"--pin", file->string()});
    }
  }
  words.insert(words.end(), options.arguments.begin(), options.arguments.end());
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  ::execv(program.c_str(), arguments.data());
  return report(out, {Code::kNotFound, program.string() + ": " + std::strerror(errno) +
                                           "; candor-verify lies beside candor"});
}

int run_ledger_export(const Context& context, const LedgerOptions& options) {
  const Output& out = context.out();
  if (auto published = admin_call(context, "POST", "/v1/publish");
      !published && !no_server(published.error())) {
    return report(out, published.error());
  }
  const std::filesystem::path target(options.subject);
  auto log = PublishedLog::open(context.data_dir());
  if (!log) return report(out, log.error());
  std::error_code error;
  if (std::filesystem::exists(target / "checkpoint", error)) {
    // An older export of the same log is brought up to date; anything else is left alone.
    auto before = PublishedLog::open(target);
    if (!before || before->head().origin != log->head().origin ||
        before->head().size > log->head().size) {
      return report(
          out, {Code::kFailedPrecondition,
                target.string() + " holds another log or a newer export; name another folder"});
    }
  }
  const auto tiles = ledger::tiles_since(0, log->head().size);
  {
    Progress progress("copying", tiles.size());
    for (const ledger::TileId& id : tiles) {
      ledger::TileId source = id;
      auto bytes = log->read(source);
      if (!bytes && id.width != ledger::kTileWidth) {
        // Published on meanwhile: the full tile's beginning is the partial tile.
        source.width = ledger::kTileWidth;
        bytes = log->read(source);
      }
      if (!bytes) return report(out, bytes.error());
      if (auto done = write_text_file(target / ledger::tile_path(source), as_text(*bytes), 0644);
          !done) {
        return report(out, done.error());
      }
      progress.advance(1);
    }
  }
  for (const std::uint64_t index : log->handovers()) {  // heads over changes of the log's key
    const auto note = log->handover(index);
    if (!note) return report(out, note.error());
    if (auto done = write_text_file(target / "handover" / std::to_string(index), *note, 0644);
        !done) {
      return report(out, done.error());
    }
  }
  if (auto done = write_text_file(target / "checkpoint", log->checkpoint_text(), 0644); !done) {
    return report(out, done.error());
  }
  if (out.json()) {
    json::Object object;
    object["folder"] = target.string();
    object["origin"] = log->head().origin;
    object["size"] = log->head().size;
    object["files"] = tiles.size() + 1;
    out.document(object);
  } else {
    out.line("exported " + std::to_string(log->head().size) + " entries of " + log->head().origin +
             " to " + target.string() + " (tiles and checkpoint; no keys, no content)");
    out.line(out.style().faint("check it anywhere: candor-verify log " + target.string() +
                               " --log-key \"$(candor key log)\""));
  }
  return kExitDone;
}

int run_ledger_close(const Context& context, const LedgerOptions& options) {
  const Output& out = context.out();
  json::Object body;
  body["reason"] = options.reason;
  const auto reply = admin_call(context, "POST", "/v1/log/close", body);
  if (!reply) return report(out, reply.error());
  if (out.json()) {
    out.document(*reply);
  } else {
    out.line("entry " + text_of(*reply, "index") + ": the next start ends this log");
    out.note(
        "stop the server and start it again: the log is then moved to " +
        (context.data_dir() / "closed").string() +
        ", its signing key is destroyed, and a new log begins that names its last head. Hand the "
        "new key ('candor key log') to whoever verifies");
  }
  return kExitDone;
}

}  // namespace candor::cli
