// candor key create|list|revoke|log|rotate|auditor.
#include <cstdlib>

#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file_system.h"
#include "base/text.h"
#include "config/keys.h"
#include "log_folder.h"
#include "pin.h"
#include "store/auditor_key.h"
#include "store/data_folder.h"
#include "verbs/auditor.h"
#include "verbs/verbs.h"

namespace candor::cli {
namespace {

// "90d" from now, or a date or time as it stands; the server checks it.
Result<std::string> expiry(const std::string& text) {
  if (text.contains('-')) return text.size() == 10 ? text + "T00:00:00Z" : text;
  const auto milliseconds = config::parse_duration_ms(text);
  if (!milliseconds || *milliseconds <= 0) {
    return fail(Code::kInvalidArgument,
                "--expires takes a duration (12h, 90d) or a date (2027-01-31)");
  }
  // The server takes whole seconds.
  return format_utc(system_clock().wall_us() + *milliseconds * 1000).substr(0, 19) + "Z";
}

std::string joined(const json::Array& list) {
  std::string text;
  for (const json::Value& value : list) {
    if (!value.is_string()) continue;
    if (!text.empty()) text += ",";
    text.append(value.get_string().data(), value.get_string().size());
  }
  return text;
}

// What a person types may be a key's name; the server wants its id.
Result<std::string> key_id_of(const Context& context, const std::string& typed) {
  const json::Object reply = TRY(admin_call(context, "GET", "/v1/keys"));
  std::string found;
  for (const json::Value& value : array_of(reply, "keys")) {
    if (!value.is_object()) continue;
    const json::Object& key = value.get_object();
    if (text_of(key, "id") == typed) return typed;
    if (text_of(key, "name") != typed || text_of(key, "revoked") == "true") continue;
    if (!found.empty()) {
      return fail(Code::kFailedPrecondition,
                  "several keys are named so; give the id that 'candor key list' shows");
    }
    found = text_of(key, "id");
  }
  if (found.empty()) return fail(Code::kNotFound, "no such key; see 'candor key list'");
  return found;
}

std::string log_hint(std::string_view key) {
  return "give this line to whoever verifies; compare it over another channel: " + std::string(key);
}

// Registers the public half; says in words where.
Result<std::string> register_auditor(const Context& context, const std::string& public_half,
                                     const std::string& label, const std::string& reason) {
  json::Object body;
  body["public_key"] = public_half;
  if (!reason.empty()) body["reason"] = reason;
  body["label"] = label;
  const auto reply = admin_call(context, "POST", "/v1/auditors", body);
  if (reply) return "registered with the running server, entry " + text_of(*reply, "index");
  if (reply.error().code() != Code::kUnavailable) return std::unexpected(reply.error());
  const auto key = TRY(store::parse_auditor_public(public_half));
  TRY(store::register_auditor(real_file_system(), context.data_dir(), key, label));
  return "registered in " + context.data_dir().string() + "; in force at the next start";
}

}  // namespace

std::filesystem::path default_auditor_key() {
  if (const char* folder = std::getenv("XDG_CONFIG_HOME"); folder != nullptr && *folder == '/') {
    return std::filesystem::path(folder) / "candor" / "auditor.key";
  }
  const char* home = std::getenv("HOME");
  return std::filesystem::path(home != nullptr && *home == '/' ? home : "/root") / ".config" /
         "candor" / "auditor.key";
}

int run_key_create(const Context& context, const KeyOptions& options) {
  const Output& out = context.out();
  json::Object body;
  body["name"] = options.name;
  if (!options.reason.empty()) body["reason"] = options.reason;
  if (!options.expires.empty()) {
    const auto time = expiry(options.expires);
    if (!time) return report(out, time.error());
    body["expires"] = *time;
  }
  if (!options.models.empty()) {
    json::Array models;
    for (const std::string& model : options.models) models.emplace_back(model);
    body["models"] = std::move(models);
  }
  if (!options.owner.empty()) body["owner"] = options.owner;
  if (!options.team.empty()) body["team"] = options.team;
  if (!options.purpose.empty()) body["purpose"] = options.purpose;
  const auto reply = admin_call(context, "POST", "/v1/keys", body);
  if (!reply) return report(out, reply.error());
  if (out.json()) {
    out.document(*reply);
  } else {
    out.line(text_of(*reply, "key"));
    out.note("key " + text_of(*reply, "id") + ", entry " + text_of(*reply, "index") +
             "; it is shown this once and stored as a hash");
  }
  return kExitDone;
}

int run_key_list(const Context& context) {
  const Output& out = context.out();
  const auto reply = admin_call(context, "GET", "/v1/keys");
  if (!reply) return report(out, reply.error());
  if (out.json()) {
    out.document(*reply);
    return kExitDone;
  }
  std::vector<std::vector<std::string>> rows;
  for (const json::Value& value : array_of(*reply, "keys")) {
    if (!value.is_object()) continue;
    const json::Object& key = value.get_object();
    const std::string models = joined(array_of(key, "models"));
    const std::string expires = text_of(key, "expires");
    const auto said = [&](std::string_view name) {
      const std::string text = text_of(key, name);
      return text.empty() ? std::string("-") : out.shown(text);
    };
    rows.push_back({text_of(key, "id"), out.shown(text_of(key, "name")), text_of(key, "prefix"),
                    said("owner"), said("team"), said("purpose"),
                    text_of(key, "created").substr(0, 10),
                    expires.empty() ? "never" : expires.substr(0, 10),
                    models.empty() ? "all" : out.shown(models),
                    text_of(key, "revoked") == "true" ? "revoked" : "active"});
  }
  out.table(
      {"ID", "NAME", "PREFIX", "OWNER", "TEAM", "PURPOSE", "CREATED", "EXPIRES", "MODELS", "STATE"},
      rows);
  return kExitDone;
}

int run_key_revoke(const Context& context, const KeyOptions& options) {
  const Output& out = context.out();
  const auto id = key_id_of(context, options.id);
  if (!id) return report(out, id.error());
  json::Object body;
  body["id"] = *id;
  if (!options.reason.empty()) body["reason"] = options.reason;
  const auto reply = admin_call(context, "POST", "/v1/keys/revoke", body);
  if (!reply) return report(out, reply.error());
  if (out.json()) {
    out.document(*reply);
  } else {
    out.line("revoked " + *id + ", entry " + text_of(*reply, "index"));
  }
  return kExitDone;
}

int run_key_log(const Context& context) {
  const Output& out = context.out();
  std::string key;
  if (auto log = PublishedLog::open(context.data_dir()); log) {
    const auto found = log->key();
    if (!found) return report(out, found.error());
    key = ledger::format_verifier_key(*found);
  } else {
    const auto status = admin_call(context, "GET", "/v1/status");
    if (!status) return report(out, log.error());
    key = text_of(object_of(*status, "log"), "verifier_key");
  }
  if (out.json()) {
    json::Object object;
    object["verifier_key"] = key;
    out.document(object);
  } else {
    out.line(key);
    if (out.terminal()) out.note(out.style().faint(log_hint(key.substr(0, key.find('+')))));
  }
  return kExitDone;
}

int run_key_rotate(const Context& context, const KeyOptions& options) {
  const Output& out = context.out();
  json::Object body;
  body["reason"] = options.reason;
  body["overlap"] = options.overlap;
  const auto reply = admin_call(context, "POST", "/v1/log/rotate", body);
  if (!reply) return report(out, reply.error());
  if (out.json()) {
    out.document(*reply);
  } else {
    out.line("entry " + text_of(*reply, "index") + ": the next start changes the log's key");
    out.note(
        "stop the server and start it again; then hand the new key ('candor key log') to "
        "whoever verifies: the older key signs too for " +
        std::to_string(options.overlap) + " more entries");
  }
  return kExitDone;
}

int run_key_auditor(const Context& context, const KeyOptions& options) {
  const Output& out = context.out();
  const std::filesystem::path file =
      options.out.empty() ? default_auditor_key() : std::filesystem::path(options.out);
  std::error_code error;
  const auto inside =
      std::filesystem::weakly_canonical(file, error)
          .lexically_relative(std::filesystem::weakly_canonical(context.data_dir(), error));
  if (!inside.empty() && *inside.begin() != "..") {
    return report(out,
                  {Code::kInvalidArgument,
                   "the private half must not lie in the data folder (S3); name another file"});
  }
  crypto::BoxKeyPair pair;
  const bool there = std::filesystem::exists(file, error);
  if (there) {
    const auto text = read_text_file(file, 4096);
    if (!text) return report(out, text.error());
    const auto parsed = store::parse_auditor_secret(*text);
    if (!parsed) return report(out, parsed.error());
    pair = *parsed;
  } else {
    pair = crypto::make_box_key(system_random());
    const auto secret = store::format_auditor_secret(pair);
    if (auto done = write_text_file(file, secret.reveal() + "\n", 0600); !done) {
      return report(out, done.error());
    }
  }
  const std::string public_half = store::format_auditor_public(pair);
  const std::string label = options.label.empty() ? "auditor" : options.label;
  const auto where = register_auditor(context, public_half, label, options.reason);
  if (!where) return report(out, where.error());
  if (out.json()) {
    json::Object object;
    object["public_key"] = public_half;
    object["file"] = file.string();
    object["made"] = !there;
    object["registered"] = *where;
    out.document(object);
  } else {
    out.line(public_half);
    out.note(
        (there ? "the key in " : "private half: ") + file.string() +
        (there ? " is used again" : " (mode 0600; keep a copy elsewhere, nobody can replace it)"));
    out.note(*where);
  }
  return kExitDone;
}

}  // namespace candor::cli
