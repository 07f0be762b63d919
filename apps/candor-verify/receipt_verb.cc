#include "base/text.h"
#include "dialect/saved.h"
#include "dialect/transcript.h"
#include "disk_folder.h"
#include "ledger/receipt.h"
#include "verbs.h"

namespace candor::verify {
namespace {

constexpr std::size_t kMaxFileBytes = 256U << 20U;

struct Inputs {
  ledger::Receipt receipt;
  std::optional<Transcript> request, answer;
  std::optional<std::string> nonce;
};

Result<std::string> named(const char* what, const std::string& path) {
  auto bytes = read_input(path, kMaxFileBytes);
  if (!bytes) return std::unexpected(std::move(bytes.error()).with_context(what));
  return bytes;
}

Result<Inputs> read_inputs(const ReceiptOptions& options) {
  Inputs in;
  std::optional<dialect::SavedAnswer> saved;
  if (!options.response.empty()) {
    const std::string bytes = TRY(named("response", options.response));
    auto answer = dialect::read_saved_response(bytes);
    if (!answer) return std::unexpected(std::move(answer.error()).with_context("response"));
    in.answer = dialect::answer_transcript(answer->answer);
    saved = *std::move(answer);
  }
  std::string text;
  if (!options.receipt.empty()) {
    text = TRY(named("receipt", options.receipt));
  } else if (saved && !saved->receipt.empty()) {
    text = saved->receipt;
  } else {
    return fail(Code::kInvalidArgument,
                "no receipt: name its file, or a --response that holds a candor object");
  }
  auto receipt = ledger::parse_receipt(text);
  if (!receipt) return std::unexpected(std::move(receipt.error()).with_context("receipt"));
  in.receipt = *std::move(receipt);
  if (!options.nonce.empty()) in.nonce = options.nonce;
  if (!options.request.empty()) {
    const std::string bytes = TRY(named("request", options.request));
    std::optional<dialect::Api> api;
    if (const auto intent = ledger::decode(in.receipt.intent)) {
      if (const auto* entry = std::get_if<ledger::Intent>(&*intent)) {
        api = dialect::api_from_name(entry->api);
      }
    }
    auto exchange = dialect::read_saved_request(bytes, api);
    if (!exchange) return std::unexpected(std::move(exchange.error()).with_context("request"));
    in.request = dialect::request_transcript(
        *exchange, in.nonce ? *in.nonce : in.receipt.nonce.value_or(std::string()));
  }
  return in;
}

std::string basis(ledger::Basis value) {
  return value == ledger::Basis::kMeasured ? " (measured)" : " (declared)";
}

}  // namespace

int verify_receipt(const ReceiptOptions& options, const Output& output) {
  auto trust = read_trust(options.trust);
  if (!trust) return print(trust.error(), output);
  auto inputs = read_inputs(options);
  if (!inputs) return print(inputs.error(), output);
  ledger::ReceiptQuestion question;
  question.log_key = trust->log_key;
  question.witnesses = trust->witnesses;
  question.pin = trust->pin;
  question.request = inputs->request ? &*inputs->request : nullptr;
  question.answer = inputs->answer ? &*inputs->answer : nullptr;
  question.nonce = inputs->nonce;
  auto checked = ledger::verify_receipt(inputs->receipt, question);
  if (!checked) return print(std::move(checked.error()).with_context("receipt"), output);

  const ledger::Intent& intent = checked->intent;
  const ledger::Outcome& outcome = checked->outcome;
  const ledger::Provenance& p = intent.provenance;
  Report report;
  report.kind = "receipt";
  report.title = "Receipt of exchange " + to_hex(intent.exchange);
  report.facts = {
      {"exchange", to_hex(intent.exchange)},
      {"log", checked->head.origin},
      {"size", std::to_string(checked->head.size)},
      {"asked", format_utc(intent.at.time_us)},
      {"answered", format_utc(outcome.at.time_us)},
      {"api", intent.api},
      {"result", outcome.result + (outcome.finish.empty() ? "" : ", " + outcome.finish)},
      {"model", p.model},
      {"weights", "sha256:" + to_hex(p.weights) + basis(p.weights_basis)},
      {"chat_template",
       (p.chat_template ? "sha256:" + to_hex(*p.chat_template) : "none") + basis(p.template_basis)},
      {"engine", "sha256:" + to_hex(p.engine) + basis(p.engine_basis)},
      {"seed", std::to_string(intent.parameters.seed)},
      {"tokens", std::to_string(outcome.prompt_tokens) + " in, " +
                     std::to_string(outcome.completion_tokens) + " out" + basis(p.usage_basis)},
  };
  report.findings = std::move(checked->findings);
  return print(report, output);
}

}  // namespace candor::verify
