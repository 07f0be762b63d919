// candor model list|load|unload.
#include "base/clock.h"
#include "base/terminal.h"
#include "verbs/model_store.h"
#include "verbs/verbs.h"

namespace candor::cli {
namespace {

void show_store(const Output& out, const StoreList& store) {
  if (store.rows.empty()) return;
  out.line();
  out.table({"IN THE STORE", "STATE", "FORMAT", "SIZE", "DIGEST", "FROM"}, store.rows);
}

int list_configured(const Context& context, StoreList store) {
  const Output& out = context.out();
  json::Array models;
  std::vector<std::vector<std::string>> rows;
  for (const config::Model& model : context.config().models) {
    json::Object one;
    one["name"] = model.name;
    one["path"] = model.path.string();
    one["state"] = "no server";
    models.push_back(std::move(one));
    rows.push_back({model.name, "no server", "", out.shown(model.path.string())});
  }
  if (out.json()) {
    json::Object object;
    object["models"] = std::move(models);
    object["store"] = std::move(store.models);
    out.document(object);
  } else {
    out.table({"NAME", "STATE", "WEIGHTS", "FILE"}, rows);
    show_store(out, store);
  }
  return kExitDone;
}

int act(const Context& context, std::string_view verb, const ModelOptions& options,
        const std::string& doing) {
  json::Object body;
  body["name"] = options.name;
  if (!options.reason.empty()) body["reason"] = options.reason;
  const auto reply = [&] {
    const Progress progress(doing + " " + options.name);
    return admin_call(context, "POST", "/v1/models/" + std::string(verb), body);
  }();
  if (!reply) return report(context.out(), reply.error());
  if (context.out().json()) {
    context.out().document(*reply);
  } else {
    context.out().line(std::string(verb) + "ed " + options.name + ", entry " +
                       text_of(*reply, "index"));
  }
  return kExitDone;
}

}  // namespace

int run_model_list(const Context& context) {
  const Output& out = context.out();
  auto store = list_store(context);
  if (!store) return report(out, store.error());
  auto reply = admin_call(context, "GET", "/v1/models");
  if (!reply) {
    return reply.error().code() == Code::kUnavailable ? list_configured(context, *std::move(store))
                                                      : report(out, reply.error());
  }
  if (out.json()) {
    (*reply)["store"] = std::move(store->models);
    out.document(*reply);
    return kExitDone;
  }
  std::vector<std::vector<std::string>> rows;
  for (const json::Value& value : array_of(*reply, "models")) {
    if (!value.is_object()) continue;
    const json::Object& model = value.get_object();
    rows.push_back({out.shown(text_of(model, "name")), out.shown(text_of(model, "state")),
                    text_of(model, "weights").substr(0, 16), text_of(model, "context"),
                    text_of(model, "slots"), text_of(model, "requests"),
                    out.shown(text_of(model, "path"))});
  }
  out.table({"NAME", "STATE", "WEIGHTS", "CONTEXT", "SLOTS", "REQUESTS", "FILE"}, rows);
  show_store(out, *store);
  return kExitDone;
}

int run_model_load(const Context& context, const ModelOptions& options) {
  return act(context, "load", options, "verifying and loading");
}

int run_model_unload(const Context& context, const ModelOptions& options) {
  return act(context, "unload", options, "unloading");
}

}  // namespace candor::cli
