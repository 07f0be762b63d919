// The report that the sealed child sends, read by the monitor as from a hostile peer.
#include "engine/sandbox.h"
#include "json/json.h"

namespace candor::engine {

Result<SandboxGrants> grants_from_json(std::string_view text) {
  const json::Value value = TRY(json::parse_canonical(text, {.max_bytes = 4'096, .max_depth = 2}));
  const json::Object& in = *TRY(json::as_object(value, "grants"));
  TRY(json::only_keys(
      in, {"data_limit_bytes", "empty_environment", "ipc_namespace", "landlock_abi", "landlock_net",
           "landlock_scope", "mount_namespace", "network_namespace", "no_capabilities", "no_core",
           "no_new_privs", "not_dumpable", "parent_death_signal", "pid_namespace", "scheduling",
           "seccomp_filter", "thread_limit", "user_namespace"}));
  SandboxGrants g;
  const std::int64_t limit = TRY(json::get_int(in, "data_limit_bytes"));
  const std::int64_t abi = TRY(json::get_int(in, "landlock_abi"));
  const std::int64_t threads = TRY(json::get_int(in, "thread_limit"));
  if (limit < 0 || threads < 0 || abi < 0 || abi > 1'000) {
    return fail(Code::kInvalidArgument, "grants: a number is out of range");
  }
  g.data_limit_bytes = static_cast<std::uint64_t>(limit);
  g.thread_limit = static_cast<std::uint64_t>(threads);
  g.landlock_abi = static_cast<int>(abi);
  const std::string_view scheduling = TRY(json::get_string(in, "scheduling"));
  if (scheduling != "idle" && scheduling != "batch" && scheduling != "other") {
    return fail(Code::kInvalidArgument, "grants: unknown scheduling class");
  }
  g.scheduling = scheduling;
  g.empty_environment = TRY(json::get_bool(in, "empty_environment"));
  g.ipc_namespace = TRY(json::get_bool(in, "ipc_namespace"));
  g.landlock_net = TRY(json::get_bool(in, "landlock_net"));
  g.landlock_scope = TRY(json::get_bool(in, "landlock_scope"));
  g.mount_namespace = TRY(json::get_bool(in, "mount_namespace"));
  g.network_namespace = TRY(json::get_bool(in, "network_namespace"));
  g.no_capabilities = TRY(json::get_bool(in, "no_capabilities"));
  g.no_core = TRY(json::get_bool(in, "no_core"));
  g.no_new_privs = TRY(json::get_bool(in, "no_new_privs"));
  g.not_dumpable = TRY(json::get_bool(in, "not_dumpable"));
  g.parent_death_signal = TRY(json::get_bool(in, "parent_death_signal"));
  g.pid_namespace = TRY(json::get_bool(in, "pid_namespace"));
  g.seccomp_filter = TRY(json::get_bool(in, "seccomp_filter"));
  g.user_namespace = TRY(json::get_bool(in, "user_namespace"));
  return g;
}

}  // namespace candor::engine
