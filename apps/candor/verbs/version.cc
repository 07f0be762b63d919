// candor version, shutdown, reload.
#include <cstdio>

#include <sys/utsname.h>

#include "base/terminal.h"
#include "verbs/verbs.h"

namespace candor::cli {

int run_version(bool json) {
  const Output out({.json = json});
  const std::string compiler =
      "clang " + std::to_string(__clang_major__) + "." + std::to_string(__clang_minor__);
  utsname system{};
  ::uname(&system);
  if (json) {
    json::Object object;
    object["version"] = kVersion;
    object["compiler"] = compiler;
    object["kernel"] = std::string(system.release);
    object["machine"] = std::string(system.machine);
    object["programs"] = program_folder().string();
    out.document(object);
  } else {
    out.line("candor " + std::string(kVersion) + " (" + compiler + ", " + system.machine +
             ", Linux " + system.release + ")");
  }
  return kExitDone;
}

int run_shutdown(const Context& context, const std::string& reason) {
  json::Object body;
  if (!reason.empty()) body["reason"] = reason;
  const auto reply = admin_call(context, "POST", "/v1/shutdown", body);
  if (!reply) return report(context.out(), reply.error());
  if (context.out().json()) {
    context.out().document(*reply);
  } else {
    context.out().line("the server finishes what it is answering, then ends");
  }
  return kExitDone;
}

int run_reload(const Context& context, const std::string& reason) {
  json::Object body;
  if (!reason.empty()) body["reason"] = reason;
  const auto reply = admin_call(context, "POST", "/v1/reload", body);
  const Output& out = context.out();
  if (!reply) return report(out, reply.error());
  if (out.json()) {
    out.document(*reply);
    return kExitDone;
  }
  const auto show = [&](std::string_view key, const std::string& what) {
    for (const json::Value& value : array_of(*reply, key)) {
      if (value.is_string()) {
        out.line(what + " " + out.shown({value.get_string().data(), value.get_string().size()}));
      }
    }
  };
  show("changed", "in force:");
  show("restart_needed", "needs a restart:");
  out.line("reloaded, entry " + text_of(*reply, "index"));
  return kExitDone;
}

}  // namespace candor::cli
