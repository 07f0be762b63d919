// GET /v1/status and /v1/models of the admin socket: what `candor doctor` and `candor model list`
// show.
#include "gateway/admin.h"

namespace candor::gateway {

json::Object model_status_json(const engine::ModelStatus& status) {
  json::Object out;
  out["name"] = status.name;
  out["path"] = status.path.string();
  out["state"] = engine::to_string(status.state);
  if (!status.detail.empty()) out["detail"] = status.detail;
  out["pid"] = status.pid;
  out["resident_bytes"] = status.resident_bytes;
  out["slots_used"] = status.slots_used;
  out["waiting"] = status.waiting;
  out["starts"] = status.starts;
  out["crashes"] = status.crashes;
  out["retry_in_ms"] = status.retry_in.count();
  if (status.loaded) {
    const engine::LoadedModel& loaded = *status.loaded;
    out["load"] = loaded.load_id;
    out["basis"] = loaded.provenance == engine::Provenance::kMeasured ? "measured" : "declared";
    out["weights"] = to_hex(loaded.weights);
    out["weights_bytes"] = loaded.weights_bytes;
    out["chat_template"] =
        loaded.chat_template ? json::Value(to_hex(*loaded.chat_template)) : json::Value();
    out["engine"] = to_hex(loaded.engine.digest);
    out["context"] = loaded.context_tokens;
    out["slots"] = loaded.slots;
    out["threads"] = loaded.threads;
    out["memory_bytes"] = loaded.memory_bytes;
    out["confined"] = loaded.grants.confined();
    out["confinement"] = engine::describe(loaded.grants);
    out["kernel_probe"] = !loaded.kernel_probe.run   ? "skipped"
                          : loaded.kernel_probe.ok() ? "passed"
                                                     : "failed";
    const auto& same = loaded.model_probe.matches_earlier;
    out["model_probe"] = loaded.model_probe.tokens.empty() ? "skipped"
                         : !same                           ? "first"
                         : *same                           ? "same"
                                                           : "changed";
  }
  return out;
}

json::Array promise_states(std::string_view mode, bool has_upstreams, bool declared, bool confined,
                           bool sealed, bool ledger_ok, const Rulebook* rules) {
  const bool service = mode == "service";
  json::Array out;
  const auto add = [&out](std::string_view id, std::string_view state, std::string_view why) {
    json::Object item;
    item["id"] = id;
    item["state"] = state;
    item["why"] = why;
    out.emplace_back(std::move(item));
  };
  const std::string_view against = service
                                       ? "also against this user: Candor runs as a service account"
                                       : "against other users; this user's own account could "
                                         "rewrite what no pin, receipt or witness holds";
  add("P1", ledger_ok ? "held" : "refusing",
      ledger_ok ? "each byte waits for its entry"
                : "the ledger takes no entries, so nothing is answered");
  add("P2", service ? "held" : "limited", against);
  add("P3", service ? "held" : "limited",
      sealed ? against : "no content is kept, only commitments");
  if (rules != nullptr) {
    add("P4", "held",
        std::to_string(rules->policy().rules()) + " rules judge what " +
            std::to_string(rules->scanner().detectors().size()) + " detectors find");
  } else {
    add("P4", "not held",
        "no policy is in force (policy.packs, policy.files): nothing is withheld");
  }
  add("P5",
      has_upstreams ? "limited"
      : service     ? "held"
                    : "limited",
      has_upstreams ? "an upstream engine may be reachable by others; close its network" : against);
  add("P6",
      has_upstreams ? "limited"
      : confined    ? "held"
                    : "not held",
      has_upstreams ? "upstream engines run outside of our sandbox"
      : confined    ? "every loaded engine is confined, as measured"
                    : "an engine without its sandbox was allowed by the configuration");
  add("P7", has_upstreams || declared ? "limited" : "held",
      has_upstreams ? "models of upstream engines are declared, not measured"
      : declared    ? "an engine that Candor did not build is declared, not measured"
                    : "weights, template and engine are hashed before they run");
  add("P8", "held", "a stage that cannot do its work refuses");
  add("P9", "held", "each refusal says what to do");
  add("P10", "held", "C2SP tiles, checkpoints and proofs; RFC 8785 entries");
  return out;
}

Task<Result<json::Value>> Admin::status(Request& /*request*/) {
  json::Object out = options_.static_status();
  const store::Ledger& ledger = store_.ledger();
  const auto health = ledger.health();
  const auto head = ledger.head();
  json::Object log;
  log["origin"] = ledger.origin();
  log["verifier_key"] = ledger.verifier_key();
  log["size"] = head ? head->size : 0;
  log["root"] = head ? json::Value(to_base64(head->root)) : json::Value();
  log["published_size"] = store_.published_size();
  log["health"] = health ? std::string("ok") : health.error().message();
  out["log"] = std::move(log);

  const store::ContentMode mode = store_.keys().content_mode();
  json::Object content;
  content["mode"] = store::to_string(mode);
  json::Array auditors;
  for (const store::Auditor& auditor : store_.keys().auditors()) {
    json::Object item;
    item["label"] = auditor.label;
    item["public_key"] = to_base64(auditor.key);
    auditors.emplace_back(std::move(item));
  }
  content["auditors"] = std::move(auditors);
  out["content"] = std::move(content);

  bool confined = true;
  bool declared = false;
  json::Array models;
  if (supervisor_ != nullptr) {
    for (const engine::ModelStatus& model : supervisor_->status()) {
      if (model.loaded && !model.loaded->grants.confined()) confined = false;
      if (model.loaded && model.loaded->provenance == engine::Provenance::kDeclared) {
        declared = true;
      }
      models.emplace_back(model_status_json(model));
    }
    json::Object engine;
    engine["build"] = supervisor_->engine().version;
    engine["digest"] = to_hex(supervisor_->engine().digest);
    engine["binary"] = to_hex(supervisor_->engine().binary);
    out["engine"] = std::move(engine);
  }
  out["models"] = std::move(models);
  const json::Value* upstreams = json::find(out, "upstreams");
  const bool has_upstreams =
      upstreams != nullptr && upstreams->is_array() && !upstreams->as_array().empty();
  const std::string run_mode =
      out.contains("mode") ? std::string(out["mode"].as_string()) : std::string("own_user");
  out["promises"] = promise_states(run_mode, has_upstreams, declared, confined,
                                   mode == store::ContentMode::kSealed, health.has_value(),
                                   services_.rulebook.get());
  if (services_.rulebook) {
    json::Object policy;
    policy["digest"] = to_hex(services_.rulebook->policy().digest());
    policy["rules"] = services_.rulebook->policy().rules();
    policy["detectors"] = services_.rulebook->scanner().detectors().size();
    out["policy"] = std::move(policy);
  }
  if (services_.oidc) {
    const OidcKeys::Status oidc = services_.oidc->status();
    json::Object object;
    object["issuer"] = oidc.issuer;
    object["keys"] = oidc.keys;
    object["detail"] = oidc.detail;
    out["oidc"] = std::move(object);
  }
  out["stops"] = halts_json(services_.halts);
  out["inflight"] = services_.metrics.inflight;
  out["draining"] = services_.draining;
  co_return json::Value(std::move(out));
}

Task<Result<json::Value>> Admin::models(Request& /*request*/) {
  json::Array models;
  if (supervisor_ != nullptr) {
    for (const engine::ModelStatus& model : supervisor_->status()) {
      models.emplace_back(model_status_json(model));
    }
  }
  json::Object status = options_.static_status();
  if (json::Value* upstreams = status.if_contains("upstreams");
      upstreams != nullptr && upstreams->is_array()) {
    for (json::Value& upstream : upstreams->as_array()) models.push_back(std::move(upstream));
  }
  json::Object out;
  out["models"] = std::move(models);
  co_return json::Value(std::move(out));
}

}  // namespace candor::gateway
