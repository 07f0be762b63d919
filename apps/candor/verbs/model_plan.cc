// candor model plan: does it fit, how fast, at what cost (D15).
#include <filesystem>

#include <fmt/format.h>

#include "config/keys.h"
#include "models/fit.h"
#include "verbs/model_gate.h"
#include "verbs/model_store.h"
#include "verbs/verbs.h"

namespace candor::cli {
namespace {

struct Subject {
  std::string name;
  models::ModelShape shape;
  std::uint64_t weights_bytes = 0;  // 0: not here
  std::string quantisation;         // as the file has it
  bool assumed_shape = false;
};

Result<Subject> subject_of(const Context& context, const PlanOptions& options) {
  Subject out;
  if (options.what.empty()) {
    if (options.parameters.empty()) {
      return fail(Code::kInvalidArgument,
                  "name a GGUF file, a model in the store, or --params such as 70B");
    }
    out.name = options.parameters;
    out.shape = models::usual_shape(TRY(models::parse_parameters(options.parameters)));
    out.assumed_shape = true;
    return out;
  }
  std::error_code ignored;
  Path file = options.what;
  out.name = options.what;
  if (!std::filesystem::is_regular_file(file, ignored)) {
    const models::ModelStore store = TRY(open_store(context));
    const models::NamedModel found = TRY(store.find(options.what));
    if (found.manifest.format != models::Format::kGguf || found.manifest.files.size() != 1) {
      return fail(Code::kFailedPrecondition, "only models of one GGUF file are planned with");
    }
    file = store.blob(found.manifest.files.front().sha256);
  }
  const model::GgufSummary summary = TRY(inspect_model(file));
  out.shape = {.parameters = summary.parameters,
               .token_bytes = model::context_bytes_per_token(summary),
               .context_most = summary.context_length};
  std::error_code error;
  out.weights_bytes = std::filesystem::file_size(file, error);
  std::uint64_t most = 0;
  for (const model::TensorTypeUse& use : summary.tensor_types) {
    if (use.elements > most) {
      most = use.elements;
      out.quantisation = use.name;
    }
  }
  return out;
}

json::Object fit_json(std::string_view name, const models::Fit& fit) {
  json::Object out;
  out["quantisation"] = name;
  out["weights_bytes"] = fit.weights_bytes;
  out["context_bytes"] = fit.context_bytes;
  out["needed_bytes"] = fit.needed_bytes;
  out["fits"] = fit.fits;
  out["context_most"] = fit.context_most;
  out["tokens_per_second"] = fit.tokens_per_second;
  return out;
}

}  // namespace

int run_model_plan(const Context& context, const PlanOptions& options) {
  const Output& out = context.out();
  const auto subject = subject_of(context, options);
  if (!subject) return report(out, subject.error());
  if (!(options.bandwidth >= 0) || !(options.watts > 0) || !(options.price >= 0)) {
    return report(out, {Code::kInvalidArgument, "--bandwidth, --watts and --price are positive"});
  }
  models::Machine machine = models::measure_machine();
  const bool measured = options.bandwidth == 0;
  if (!measured) machine.bytes_per_second = options.bandwidth * 1e9;
  if (!options.memory.empty()) {
    const auto memory = config::parse_size(options.memory);
    if (!memory || *memory == 0) {
      return report(out, {Code::kInvalidArgument, "--memory takes a size such as 64GiB"});
    }
    machine.memory_bytes = static_cast<std::uint64_t>(*memory);
  }
  struct Row {
    std::string name;
    models::Fit fit;
  };
  std::vector<Row> rows;
  if (subject->weights_bytes > 0) {
    rows.push_back({"as it is (" + subject->quantisation + ")",
                    models::fit(subject->shape, subject->weights_bytes, options.context, machine)});
  }
  for (const models::Quantisation& q : models::quantisations()) {
    rows.push_back(
        {std::string(q.name),
         models::fit(subject->shape, models::weights_of(subject->shape.parameters, q.bits),
                     options.context, machine)});
  }
  // What the cost is of: the file, else four bits, the case that people ask about.
  const Row* chosen = rows.data();
  if (subject->weights_bytes == 0) {
    for (const Row& row : rows) {
      if (row.name == "Q4_K_M") chosen = &row;
    }
  }
  const models::Cost cost =
      models::cost_of(1e6, chosen->fit.tokens_per_second, options.watts, options.price);
  std::vector<std::string> assumptions;
  assumptions.push_back(fmt::format("memory bandwidth {:.1f} GB/s{}",
                                    machine.bytes_per_second / 1e9,
                                    measured ? ", measured here just now" : ", given"));
  assumptions.push_back("one stream; every token reads all weights and half the context once");
  assumptions.push_back(
      fmt::format("context in half precision: {} bytes a token, {}", subject->shape.token_bytes,
                  subject->assumed_shape ? "the shape of published models of about this size"
                                         : "from the file's metadata, no layer with a window"));
  assumptions.push_back(fmt::format("{} W while it answers (--watts), {:.2f} {} a kWh (--price)",
                                    options.watts, options.price, options.currency));
  if (out.json()) {
    json::Object document;
    document["model"] = subject->name;
    document["parameters"] = subject->shape.parameters;
    document["memory_bytes"] = machine.memory_bytes;
    document["context"] = options.context;
    document["bandwidth_bytes_per_second"] = machine.bytes_per_second;
    json::Array fits;
    for (const Row& row : rows) fits.push_back(fit_json(row.name, row.fit));
    document["fits"] = std::move(fits);
    json::Object million;
    million["quantisation"] = chosen->name;
    million["hours"] = cost.hours;
    million["kilowatt_hours"] = cost.kilowatt_hours;
    million["price"] = cost.price;
    million["currency"] = options.currency;
    document["million_tokens"] = std::move(million);
    json::Array said;
    for (const std::string& one : assumptions) said.emplace_back(one);
    document["assumptions"] = std::move(said);
    out.document(document);
    return kExitDone;
  }
  out.line(fmt::format("{}: {:.3g} billion parameters, {} of memory, {} tokens of context",
                       out.shown(subject->name),
                       static_cast<double>(subject->shape.parameters) / 1e9,
                       bytes_text(machine.memory_bytes), options.context));
  out.line();
  std::vector<std::vector<std::string>> table;
  for (const Row& row : rows) {
    table.push_back({row.name, bytes_text(row.fit.weights_bytes), bytes_text(row.fit.needed_bytes),
                     row.fit.fits ? "yes" : "no",
                     row.fit.context_most == 0 ? "-" : std::to_string(row.fit.context_most),
                     fmt::format("{:.3g}", row.fit.tokens_per_second)});
  }
  out.table({"QUANTISATION", "WEIGHTS", "NEEDS", "FITS", "CONTEXT AT MOST", "TOKENS/S"}, table);
  out.line();
  out.line(fmt::format("a million tokens ({}): {:.3g} h, {:.3g} kWh, {:.2f} {}", chosen->name,
                       cost.hours, cost.kilowatt_hours, cost.price, out.shown(options.currency)));
  out.line("assumed:");
  for (const std::string& one : assumptions) out.line("  " + out.shown(one));
  return kExitDone;
}

}  // namespace candor::cli
