// candor doctor: what is in force, from where, in which mode, and the state of every promise; with
// a running server from what it measured, without one from the configuration and this machine.
#include <algorithm>
#include <fstream>

#include <linux/landlock.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/terminal.h"
#include "pin.h"
#include "verbs/verbs.h"

namespace candor::cli {
namespace {

struct Check {
  enum class State : std::uint8_t { kGood, kLimited, kBad } state;
  std::string what, why;
};
using State = Check::State;

std::string first_line(const char* path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

int landlock_abi() {
  const long abi =
      ::syscall(SYS_landlock_create_ruleset, nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION);
  return abi > 0 ? static_cast<int>(abi) : 0;
}

void check_kernel(std::vector<Check>& checks) {
  const int abi = landlock_abi();
  checks.push_back({abi >= 4   ? State::kGood
                    : abi >= 1 ? State::kLimited
                               : State::kBad,
                    "Landlock " + (abi > 0 ? "ABI " + std::to_string(abi) : std::string("absent")),
                    abi >= 4   ? "file, truncation and TCP rules for the engine"
                    : abi >= 1 ? "file rules only; the network namespace must close the rest"
                               : "engines cannot be confined and are refused (engine.unconfined)"});
  const bool seccomp = !first_line("/proc/sys/kernel/seccomp/actions_avail").empty();
  checks.push_back({seccomp ? State::kGood : State::kBad, "seccomp filters",
                    seccomp ? "available" : "absent: engines cannot be confined"});
  const std::string namespaces = first_line("/proc/sys/user/max_user_namespaces");
  const bool granted = !namespaces.empty() && namespaces != "0" &&
                       first_line("/proc/sys/kernel/unprivileged_userns_clone") != "0" &&
                       first_line("/proc/sys/kernel/apparmor_restrict_unprivileged_userns") != "1";
  checks.push_back({granted ? State::kGood : State::kLimited, "user namespaces",
                    granted ? "available: engines get namespaces of their own"
                            : "not for this user; seccomp and Landlock hold without them"});
}

void check_programs(std::vector<Check>& checks) {
  for (const char* name : {"candor-signer", "candor-engine", "candor-inspect", "candor-verify"}) {
    const auto file = program_folder() / name;
    const bool there = ::access(file.c_str(), X_OK) == 0;
    checks.push_back({there ? State::kGood : State::kBad, name,
                      there ? file.string() : "missing: " + file.string() + "; run ./quickstart"});
  }
}

void check_folder(const Context& context, std::vector<Check>& checks) {
  struct stat status{};
  const auto& folder = context.data_dir();
  if (::stat(folder.c_str(), &status) != 0) {
    checks.push_back({State::kLimited, "data folder",
                      folder.string() + " is not there yet; the first start makes it"});
    return;
  }
  const bool closed = (status.st_mode & 0007U) == 0;
  checks.push_back({closed ? State::kGood : State::kBad, "data folder",
                    folder.string() + (closed ? " is closed to other users"
                                              : " can be read by everybody: chmod o-rwx")});
}

void check_log(const Context& context, std::vector<Check>& checks) {
  const auto pinned = advance_pin(context);
  if (pinned) {
    checks.push_back({State::kGood, "log " + pinned->pin.origin,
                      std::to_string(pinned->pin.size) + " entries, head signed; pin " +
                          (pinned->first_contact ? "made now" : "moved forward")});
    return;
  }
  const Code code = pinned.error().code();
  checks.push_back(
      {code == Code::kDataLoss ? State::kBad : State::kLimited, "log", pinned.error().message()});
}

void check_models(const Context& context, std::vector<Check>& checks) {
  if (context.config().models.empty()) {
    checks.push_back({State::kLimited, "models",
                      "none configured: [[model]] in candor.toml, or serve --model FILE"});
  }
  for (const config::Model& model : context.config().models) {
    if (!model.upstream.empty()) continue;  // nothing of it is on this machine
    const bool there = ::access(model.path.c_str(), R_OK) == 0;
    checks.push_back({there ? State::kGood : State::kBad, "model " + model.name,
                      there ? model.path.string() : "cannot be read: " + model.path.string()});
  }
}

std::string origin_word(config::Origin origin) {
  switch (origin) {
    case config::Origin::kDefault: return "default";
    case config::Origin::kFile: return "file";
    case config::Origin::kEnvironment: return "environment";
    case config::Origin::kFlag: return "flag";
  }
  return "";
}

json::Array settings_json(const Context& context) {
  json::Array list;
  for (const config::Setting& setting : context.config().settings) {
    json::Object one;
    one["key"] = setting.key->name;
    one["value"] = setting.value;
    one["origin"] = setting.where.empty() ? origin_word(setting.origin) : setting.where;
    one["applies"] = setting.key->effect == config::Effect::kReload ? "reload" : "restart";
    list.push_back(std::move(one));
  }
  for (const auto& [kind, line] : config::table_lines(context.config())) {
    json::Object one;
    one["key"] = kind;
    one["value"] = line;
    one["origin"] = context.config().file.filename().string();
    one["applies"] = "reload";
    list.push_back(std::move(one));
  }
  return list;
}

// What each promise would be, said without a server: nothing is measured.
json::Array promises_offline(const std::vector<Check>& checks) {
  bool confinable = true;
  for (const Check& check : checks) {
    if (check.state == State::kBad &&
        (check.what.starts_with("Landlock") || check.what.starts_with("seccomp"))) {
      confinable = false;
    }
  }
  json::Array list;
  for (int number = 1; number <= 10; ++number) {
    json::Object one;
    one["id"] = "P" + std::to_string(number);
    const bool limited = number == 6 && !confinable;
    one["state"] = limited ? "limited" : "no server";
    one["why"] = number == 6
                     ? (confinable ? "this kernel can confine engines; measured at each load"
                                   : "this kernel cannot confine engines; they are refused")
                     : "nothing runs; start 'candor serve'";
    list.push_back(std::move(one));
  }
  return list;
}

class Doctor {
 public:
  explicit Doctor(const Context& context) : context_(context), out_(context.out()) {}

  int run() {
    const auto status = admin_call(context_, "GET", "/v1/status");
    check_kernel(checks_);
    check_programs(checks_);
    check_folder(context_, checks_);
    check_log(context_, checks_);
    check_models(context_, checks_);
    if (!status && status.error().code() != Code::kUnavailable) {
      checks_.push_back({State::kLimited, "server", status.error().message()});
    }
    const bool bad =
        std::ranges::any_of(checks_, [](const Check& c) { return c.state == State::kBad; });
    if (out_.json()) {
      show_json(status ? &*status : nullptr);
    } else {
      show(status ? &*status : nullptr);
    }
    return bad ? exit_code(Code::kFailedPrecondition) : kExitDone;
  }

 private:
  void show_json(const json::Object* status) const {
    json::Object document;
    document["version"] = kVersion;
    document["running"] = status != nullptr;
    if (status != nullptr) document["server"] = *status;
    document["data_dir"] = context_.data_dir().string();
    document["config_file"] = context_.config().file.string();
    json::Array checks;
    for (const Check& check : checks_) {
      json::Object one;
      one["what"] = check.what;
      one["state"] = check.state == State::kGood      ? "good"
                     : check.state == State::kLimited ? "limited"
                                                      : "bad";
      one["why"] = check.why;
      checks.push_back(std::move(one));
    }
    document["checks"] = std::move(checks);
    document["promises"] =
        status != nullptr ? array_of(*status, "promises") : promises_offline(checks_);
    document["config"] = settings_json(context_);
    out_.document(document);
  }

  void heading(std::string_view text) const { out_.line("\n" + out_.style().bold(text)); }

  void show(const json::Object* status) const {
    if (status == nullptr) {
      out_.line(out_.style().caution("no server is running") + " for " +
                context_.data_dir().string());
    } else {
      show_server(*status);
    }
    heading("Promises (docs/architecture.md)");
    const json::Array offline = promises_offline(checks_);
    for (const json::Value& value : status != nullptr ? array_of(*status, "promises") : offline) {
      if (!value.is_object()) continue;
      const json::Object& promise = value.get_object();
      std::string state = text_of(promise, "state");
      const bool good = state == "held" || state == "true";
      const bool bad = state == "not held" || state == "refusing";
      std::string id = text_of(promise, "id");
      id.resize(4, ' ');
      state.resize(10, ' ');
      out_.line("  " + id +
                (good  ? out_.style().good(state)
                 : bad ? out_.style().bad(state)
                       : out_.style().caution(state)) +
                out_.shown(text_of(promise, "why")));
    }
    heading("This machine");
    for (const Check& check : checks_) {
      const Style& style = out_.style();
      const std::string mark = check.state == State::kGood      ? style.good("ok     ")
                               : check.state == State::kLimited ? style.caution("note   ")
                                                                : style.bad("MISSING");
      out_.line("  " + mark + "  " + check.what + ": " + out_.shown(check.why));
    }
    heading("Configuration" + (context_.config().file.empty()
                                   ? std::string(" (no file)")
                                   : " (" + context_.config().file.string() + ")"));
    for (const config::Setting& setting : context_.config().settings) {
      const bool fallback = setting.origin == config::Origin::kDefault;
      const std::string line =
          "  " + std::string(setting.key->name) + " = " + out_.shown(setting.value) + "  [" +
          (setting.where.empty() ? origin_word(setting.origin) : setting.where) + "]";
      out_.line(fallback ? out_.style().faint(line) : line);
    }
    for (const auto& [kind, line] : config::table_lines(context_.config())) {
      out_.line("  [[" + kind + "]] " + out_.shown(line));
    }
    for (const std::string& warning : context_.config().warnings) {
      out_.line("  " + out_.style().caution("warning: ") + out_.shown(warning));
    }
  }

  void show_server(const json::Object& status) const {
    const json::Object& log = object_of(status, "log");
    const json::Object& engine = object_of(status, "engine");
    const json::Object& content = object_of(status, "content");
    out_.line(out_.style().good("candor " + text_of(status, "version")) + " serves as pid " +
              text_of(status, "pid") + ", mode " + text_of(status, "mode"));
    for (const json::Value& address : array_of(status, "listen")) {
      if (address.is_string())
        out_.line("  listens on    " + out_.shown(std::string_view(address.get_string())));
    }
    if (const std::string path = text_of(status, "unix_socket"); !path.empty()) {
      out_.line("  Unix socket   " + out_.shown(path));
    }
    out_.line("  log           " + text_of(log, "origin") + ", " + text_of(log, "size") +
              " entries (" + text_of(log, "published_size") + " published), " +
              out_.shown(text_of(log, "health")));
    out_.line("  log key       " + text_of(log, "verifier_key"));
    const std::size_t auditors = array_of(content, "auditors").size();
    out_.line("  content       " + text_of(content, "mode") + ", " + std::to_string(auditors) +
              " auditor key(s)" + (auditors == 0 ? "; make one: candor key auditor" : ""));
    out_.line("  engine        " + out_.shown(text_of(engine, "build")) + ", digest " +
              text_of(engine, "digest").substr(0, 16));
    if (const json::Object& oidc = object_of(status, "oidc"); !oidc.empty()) {
      const std::string detail = text_of(oidc, "detail");
      out_.line("  sign-in       " + out_.shown(text_of(oidc, "issuer")) + ", " +
                text_of(oidc, "keys") + " keys" +
                (detail.empty() ? "" : ", " + out_.shown(detail)));
    }
    for (const json::Value& stop : array_of(status, "stops")) {
      if (!stop.is_object()) continue;
      out_.line("  " + out_.style().bad("stopped") + "       " +
                out_.shown(stop_text(stop.get_object())));
    }
    for (const json::Value& value : array_of(status, "models")) {
      if (!value.is_object()) continue;
      const json::Object& model = value.get_object();
      out_.line("  model         " + out_.shown(text_of(model, "name")) + ", " +
                text_of(model, "state") +
                (text_of(model, "weights").empty()
                     ? ""
                     : ", weights " + text_of(model, "weights").substr(0, 16)));
      if (const std::string grants = text_of(model, "confinement"); !grants.empty()) {
        out_.line("                " + out_.shown(grants));
      }
      if (const std::string detail = text_of(model, "detail"); !detail.empty()) {
        out_.line("                " + out_.shown(detail));
      }
    }
  }

  const Context& context_;
  const Output& out_;
  std::vector<Check> checks_;
};

}  // namespace

int run_doctor(const Context& context) { return Doctor(context).run(); }

}  // namespace candor::cli
