// candor model admit|show|verify|remove|gc|export|import: the store of models.
#include "verbs/model_store.h"

#include <filesystem>

#include <fmt/format.h>

#include "base/clock.h"
#include "base/terminal.h"
#include "models/bundle.h"
#include "verbs/model_gate.h"
#include "verbs/verbs.h"

namespace candor::cli {
namespace {

void show_manifest(const Output& out, const models::NamedModel& model) {
  const models::Manifest& m = model.manifest;
  const auto row = [&](std::string_view label, std::string_view text) {
    if (!text.empty()) out.line(fmt::format("{:<14}{}", label, out.shown(text)));
  };
  row("name", model.name);
  row("digest", to_hex(m.digest()));
  row("format", fmt::format("{}, {}", models::to_string(m.format), models::to_string(m.kind)));
  row("architecture", m.gate.architecture);
  row("licence", m.gate.licence);
  row("from", m.source.reference);
  row("revision", m.source.revision);
  switch (m.source.trust) {
    case models::Trust::kNone:
      row("digests", "no publisher's digest: nobody said what it should be");
      break;
    case models::Trust::kFirstUse: row("digests", "the publisher's, same source, first use"); break;
    case models::Trust::kGiven: row("digests", "given by who pulled it"); break;
  }
  row("pulled", format_utc(m.pulled_us));
  if (m.admitted_us > 0) {
    row("admitted", format_utc(m.admitted_us));
    row("judged by", m.gate.by);
  } else {
    row("state", "in quarantine; candor model admit " + model.name);
  }
  out.line();
  std::vector<std::vector<std::string>> rows;
  for (const models::StoredFile& file : m.files) {
    rows.push_back({out.shown(file.path), bytes_text(file.size), to_hex(file.sha256)});
  }
  out.table({"FILE", "SIZE", "SHA-256"}, rows);
}

Result<models::NamedModel> find_anywhere(const models::ModelStore& store, const std::string& name) {
  auto found = store.find(name);
  if (found || found.error().code() != Code::kNotFound) return found;
  for (const models::QuarantinedModel& waiting : TRY(store.quarantined())) {
    if (waiting.name == name && waiting.manifest) {
      return models::NamedModel{name, *waiting.manifest};
    }
  }
  return found;
}

}  // namespace

Result<models::ModelStore> open_store(const Context& context) {
  return models::ModelStore::open(real_file_system(), context.data_dir() / "models");
}

std::string bytes_text(std::uint64_t bytes) {
  constexpr const char* kUnits[] = {"B", "kB", "MB", "GB", "TB", "PB"};
  double value = static_cast<double>(bytes);
  std::size_t unit = 0;
  while (value >= 999.95 && unit + 1 < std::size(kUnits)) {
    value /= 1000;
    ++unit;
  }
  return unit == 0 ? fmt::format("{} B", bytes) : fmt::format("{:.1f} {}", value, kUnits[unit]);
}

json::Object manifest_json(const models::NamedModel& model) {
  json::Object out;
  out["name"] = model.name;
  const auto text = models::to_json(model.manifest);
  if (!text) return out;
  const auto value = json::parse(*text);
  if (value && value->is_object()) {
    for (const auto& [key, member] : value->get_object()) out[key] = member;
  }
  out["state"] = model.manifest.admitted_us > 0 ? "admitted" : "in quarantine";
  return out;
}

Result<StoreList> list_store(const Context& context) {
  StoreList out;
  std::error_code ignored;
  if (!std::filesystem::exists(context.data_dir() / "models" / "manifests", ignored)) return out;
  const models::ModelStore store = TRY(open_store(context));
  const auto row = [&](const std::string& name, const std::string& state,
                       const models::Manifest& m) {
    out.rows.push_back({name, state, std::string(models::to_string(m.format)),
                        bytes_text(m.total_bytes()), to_hex(m.digest()).substr(0, 16),
                        context.out().shown(m.source.reference)});
  };
  for (const models::NamedModel& model : TRY(store.list())) {
    row(model.name, "admitted", model.manifest);
    out.models.push_back(manifest_json(model));
  }
  for (const models::QuarantinedModel& waiting : TRY(store.quarantined())) {
    if (waiting.manifest) {
      row(waiting.name, "in quarantine", *waiting.manifest);
      out.models.push_back(manifest_json({waiting.name, *waiting.manifest}));
      continue;
    }
    const std::string of =
        waiting.bytes_wanted && *waiting.bytes_wanted > 0
            ? fmt::format("fetched {} %", waiting.bytes_there * 100 / *waiting.bytes_wanted)
            : "being fetched";
    out.rows.push_back({waiting.name, of, "", bytes_text(waiting.bytes_there), "",
                        context.out().shown(waiting.reference)});
    json::Object one;
    one["name"] = waiting.name;
    one["state"] = "being fetched";
    one["reference"] = waiting.reference;
    one["bytes_there"] = waiting.bytes_there;
    out.models.push_back(std::move(one));
  }
  return out;
}

int admit_model(const Context& context, const models::ModelStore& store, const std::string& name,
                const std::string& as, bool replace, const std::vector<std::string>& accepted) {
  const auto admitted = [&] {
    Progress progress("hashing and judging " + name);
    return store.admit(name,
                       {.gate = admission_gate(accepted),
                        .as = as,
                        .replace = replace,
                        .advance = [&](std::uint64_t bytes) { progress.advance(bytes); }},
                       system_clock());
  }();
  if (!admitted) return report(context.out(), admitted.error());
  const std::string& in_store = as.empty() ? name : as;
  if (context.out().json()) {
    context.out().document(manifest_json({in_store, *admitted}));
  } else {
    context.out().line(fmt::format("admitted {}, {}, digest {}", in_store,
                                   bytes_text(admitted->total_bytes()),
                                   to_hex(admitted->digest())));
    if (admitted->format == models::Format::kGguf && admitted->files.size() == 1) {
      context.out().line(fmt::format("serve it with: candor serve --model store:{}", in_store));
    }
  }
  return kExitDone;
}

int run_model_admit(const Context& context, const StoreOptions& options) {
  const auto store = open_store(context);
  if (!store) return report(context.out(), store.error());
  return admit_model(context, *store, options.what, options.as, options.replace, options.accepted);
}

int run_model_show(const Context& context, const StoreOptions& options) {
  const auto store = open_store(context);
  if (!store) return report(context.out(), store.error());
  const auto found = find_anywhere(*store, options.what);
  if (!found) return report(context.out(), found.error());
  if (context.out().json()) {
    context.out().document(manifest_json(*found));
  } else {
    show_manifest(context.out(), *found);
  }
  return kExitDone;
}

int run_model_verify(const Context& context, const StoreOptions& options) {
  const Output& out = context.out();
  const auto store = open_store(context);
  if (!store) return report(out, store.error());
  std::vector<models::NamedModel> models;
  if (options.what.empty()) {
    auto all = store->list();
    if (!all) return report(out, all.error());
    models = *std::move(all);
  } else {
    auto one = store->find(options.what);
    if (!one) return report(out, one.error());
    models.push_back(*std::move(one));
  }
  int code = kExitDone;
  json::Array results;
  for (const models::NamedModel& model : models) {
    const auto verified = [&] {
      Progress progress("hashing " + model.name, model.manifest.total_bytes());
      return store->verify(model.manifest, [&](std::uint64_t n) { progress.advance(n); });
    }();
    json::Object one;
    one["name"] = model.name;
    one["digest"] = to_hex(model.manifest.digest());
    one["ok"] = verified.has_value();
    if (!verified) {
      code = kExitFails;
      one["problem"] = verified.error().message();
    }
    results.push_back(std::move(one));
    if (out.json()) continue;
    out.line(
        verified
            ? fmt::format("{}: intact, {}", model.name, bytes_text(model.manifest.total_bytes()))
            : fmt::format("{}: NOT INTACT: {}", model.name, out.shown(verified.error().message())));
  }
  if (out.json()) {
    json::Object document;
    document["models"] = std::move(results);
    out.document(document);
  } else if (models.empty()) {
    out.line("no models in the store");
  }
  return code;
}

int run_model_remove(const Context& context, const StoreOptions& options) {
  const auto store = open_store(context);
  if (!store) return report(context.out(), store.error());
  const auto removed = store->remove(options.what);
  if (!removed) return report(context.out(), removed.error());
  const bool admitted = *removed == models::ModelStore::Removed::kAdmitted;
  if (context.out().json()) {
    json::Object document;
    document["name"] = options.what;
    document["removed_from"] = admitted ? "store" : "quarantine";
    context.out().document(document);
  } else {
    context.out().line(fmt::format("removed {} from {}{}", options.what,
                                   admitted ? "the store" : "quarantine",
                                   admitted ? "; its bytes go with candor model gc" : ""));
  }
  return kExitDone;
}

int run_model_gc(const Context& context) {
  const auto store = open_store(context);
  if (!store) return report(context.out(), store.error());
  const auto collected = store->collect();
  if (!collected) return report(context.out(), collected.error());
  if (context.out().json()) {
    json::Object document;
    document["files"] = collected->files;
    document["bytes"] = collected->bytes;
    context.out().document(document);
  } else {
    context.out().line(
        fmt::format("removed {} files, {}", collected->files, bytes_text(collected->bytes)));
  }
  return kExitDone;
}

int run_model_export(const Context& context, const StoreOptions& options) {
  const Output& out = context.out();
  const auto store = open_store(context);
  if (!store) return report(out, store.error());
  const auto found = store->find(options.what);
  if (!found) return report(out, found.error());
  const auto done = [&] {
    Progress progress("exporting " + found->name, found->manifest.total_bytes());
    return models::export_bundle(*store, found->manifest, options.out,
                                 [&](std::uint64_t n) { progress.advance(n); });
  }();
  if (!done) return report(out, done.error());
  if (out.json()) {
    json::Object document;
    document["name"] = found->name;
    document["digest"] = to_hex(found->manifest.digest());
    document["file"] = options.out;
    out.document(document);
  } else {
    out.line(
        fmt::format("wrote {}; there: candor model import FILE --admit", out.shown(options.out)));
  }
  return kExitDone;
}

int run_model_import(const Context& context, const StoreOptions& options) {
  const Output& out = context.out();
  const auto store = open_store(context);
  if (!store) return report(out, store.error());
  const std::string name =
      options.name.empty() ? models::name_from(Path(options.what).stem().native()) : options.name;
  const auto imported = [&] {
    Progress progress("importing " + name);
    return models::import_bundle(*store, name, options.what,
                                 [&](std::uint64_t n) { progress.advance(n); });
  }();
  if (!imported) return report(out, imported.error());
  if (options.admit)
    return admit_model(context, *store, name, {}, /*replace=*/false, options.accepted);
  if (out.json()) {
    out.document(manifest_json({name, *imported}));
  } else {
    out.line(fmt::format("{} is in quarantine, digest {}; candor model admit {}", name,
                         to_hex(imported->digest()), name));
  }
  return kExitDone;
}

}  // namespace candor::cli
