// Administration (docs/formats/admin-api.md; S15): its own Unix socket, admitted by peer
// credentials (owner, group, root), never reachable from the inference listener. Each act that
// changes something appends an entry before it answers. io thread only; what blocks runs on the
// workers.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/transcript.h"
#include "engine/supervisor.h"
#include "gateway/gateway.h"
#include "json/json.h"
#include "store/store.h"

namespace candor::gateway {

struct ReloadReport {
  std::vector<std::string> changed;
  std::vector<std::string> restart_needed;
  std::string text;  // the configuration now in force, for the sealed note
};

struct AdminOptions {
  std::uint32_t owner_uid = 0;
  std::uint32_t owner_gid = 0;
  // What of /v1/status the gateway does not know: version, mode, listeners, configuration.
  std::function<json::Object()> static_status;
  // Puts the configuration in force again; nothing changes on error. Runs on the io thread.
  std::function<Task<Result<ReloadReport>>()> reload;
  // Begins the drain.
  std::function<void()> shut_down;
};

class Admin final : public http::Handler {
 public:
  // supervisor may be null. All outlive the admin's calls.
  Admin(Gateway& gateway, store::Store& store, engine::EngineSupervisor* supervisor,
        AdminOptions options);
  ~Admin() override;

  [[nodiscard]] Task<void> handle(http::Call& call) override;
  [[nodiscard]] std::string refusal(const http::Peer& peer, int status,
                                    std::string_view reason) override;
  // A reload with its entries; also SIGHUP's (then without an actor).
  [[nodiscard]] Task<Result<json::Object>> reload(std::string actor_name, std::string reason);
  // An `admin` entry for what the server did by itself, so without an actor; its index.
  [[nodiscard]] Task<Result<std::uint64_t>> note(std::string verb, std::string object,
                                                 std::string result);

 private:
  struct Request;  // what a verb gets
  using Verb = Task<Result<json::Value>> (Admin::*)(Request&);
  struct Route;
  static const Route kRoutes[];

  [[nodiscard]] bool admitted(const http::Peer& peer) const;
  [[nodiscard]] Result<std::string> subject_name(const std::string& typed);
  // The same of one who could ask now: not a revoked or unknown key.
  [[nodiscard]] Result<std::string> living_subject(const std::string& typed);
  // The entry of one act; its index. The body's reason, if it has one, is sealed, and with it what
  // else of the act must stand in no entry.
  [[nodiscard]] Task<Result<std::uint64_t>> record(const Request& request, std::string verb,
                                                   std::string object, Transcript more = {});

  [[nodiscard]] Task<Result<json::Value>> status(Request& request);
  [[nodiscard]] Task<Result<json::Value>> models(Request& request);
  [[nodiscard]] Task<Result<json::Value>> load(Request& request);
  [[nodiscard]] Task<Result<json::Value>> unload(Request& request);
  [[nodiscard]] Task<Result<json::Value>> list_keys(Request& request);
  [[nodiscard]] Task<Result<json::Value>> create_key(Request& request);
  [[nodiscard]] Task<Result<json::Value>> revoke_key(Request& request);
  [[nodiscard]] Task<Result<json::Value>> add_auditor(Request& request);
  [[nodiscard]] Task<Result<json::Value>> rotate_log_key(Request& request);
  [[nodiscard]] Task<Result<json::Value>> close_log(Request& request);
  [[nodiscard]] Task<Result<json::Value>> wish(Request& request, std::string verb,
                                               std::function<Result<void>()> make);
  [[nodiscard]] Task<Result<json::Value>> receipt(Request& request);
  [[nodiscard]] Task<Result<json::Value>> entries(Request& request);
  [[nodiscard]] Task<Result<json::Value>> exchange(Request& request);
  [[nodiscard]] Task<Result<json::Value>> erase(Request& request);
  [[nodiscard]] Task<Result<json::Value>> publish(Request& request);
  [[nodiscard]] Task<Result<json::Value>> reload_verb(Request& request);
  [[nodiscard]] Task<Result<json::Value>> halts(Request& request);
  [[nodiscard]] Task<Result<json::Value>> halt(Request& request);
  [[nodiscard]] Task<Result<json::Value>> resume(Request& request);
  [[nodiscard]] Task<Result<Halt>> halted(const Request& request);
  [[nodiscard]] Task<Result<std::uint64_t>> record_halt(const Request& request,
                                                        std::string_view verb, const Halt& halt);
  [[nodiscard]] Task<Result<json::Value>> revocations(Request& request);
  [[nodiscard]] Task<Result<json::Value>> revocation_list(Request& request);
  [[nodiscard]] Task<Result<json::Value>> revoke(Request& request);
  [[nodiscard]] Task<Result<json::Value>> reinstate(Request& request);
  [[nodiscard]] Task<Result<json::Value>> import_revocations(Request& request);
  // Engines of revoked files end; models that were refused may be tried again.
  [[nodiscard]] Task<void> unload_revoked();
  [[nodiscard]] Task<Result<json::Value>> exceptions(Request& request);
  [[nodiscard]] Task<Result<json::Value>> open_exception(Request& request);
  [[nodiscard]] Task<Result<json::Value>> close_exception(Request& request);
  // Of what is over nothing is kept.
  [[nodiscard]] Task<Result<void>> drop_ended_exceptions();
  [[nodiscard]] Task<Result<json::Value>> callers(Request& request);
  [[nodiscard]] Task<Result<json::Value>> replay_note(Request& request);
  [[nodiscard]] Task<Result<json::Value>> budgets(Request& request);
  [[nodiscard]] Task<Result<json::Value>> reconcile(Request& request);
  [[nodiscard]] Task<Result<json::Value>> shutdown(Request& request);
  [[nodiscard]] Task<Result<json::Value>> metrics(Request& request);

  Gateway& gateway_;
  Services& services_;
  store::Store& store_;
  engine::EngineSupervisor* supervisor_;
  AdminOptions options_;
};

// Promises and their state for `candor doctor`, from what is in force now (admin_status.cc).
[[nodiscard]] json::Array promise_states(std::string_view mode, bool has_upstreams, bool declared,
                                         bool confined, bool sealed, bool ledger_ok);
[[nodiscard]] json::Array halts_json(const Halts& halts);
[[nodiscard]] json::Object model_status_json(const engine::ModelStatus& status);

}  // namespace candor::gateway
