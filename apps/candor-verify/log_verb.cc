#include <algorithm>
#include <atomic>
#include <cstdio>
#include <thread>

#include <unistd.h>

#include "base/clock.h"
#include "base/text.h"
#include "disk_folder.h"
#include "ledger/log_verify.h"
#include "ledger/tlog_proof.h"
#include "verbs.h"

namespace candor::verify {
namespace {

constexpr std::size_t kMaxKeyBytes = 4096;
constexpr std::size_t kMaxHeadBytes = ledger::kMaxTlogProofBytes;

// A verifier key as it is, or the first line of the file of that name.
Result<ledger::VerifierKey> read_key(const std::string& text) {
  if (auto key = ledger::parse_verifier_key(text)) return key;
  auto bytes = read_input(text, kMaxKeyBytes);
  if (!bytes) {
    return fail(Code::kInvalidArgument,
                "'" + text + "' is neither a verifier key nor a file that holds one");
  }
  const std::string line = bytes->substr(0, bytes->find_first_of("\r\n"));
  auto key = ledger::parse_verifier_key(line);
  if (!key) return std::unexpected(std::move(key.error()).with_context(text));
  return key;
}

// Spreads the work of one call over threads; returns when all is done.
ledger::Parallel over_threads(unsigned threads) {
  return [threads](std::size_t count, const std::function<void(std::size_t)>& work) {
    std::atomic<std::size_t> next = 0;
    const auto take = [&] {
      for (std::size_t i = next++; i < count; i = next++) work(i);
    };
    std::vector<std::jthread> others;
    for (unsigned i = 1; i < threads && i < count; ++i) others.emplace_back(take);
    take();
  };
}

std::string grouped(std::uint64_t number) {
  std::string text = std::to_string(number);
  for (std::size_t at = text.size(); at > 3;) {
    at -= 3;
    text.insert(at, ",");
  }
  return text;
}

struct NamedHead {
  ledger::Checkpoint head;
  std::optional<ledger::Note> note;  // a pin has no signatures
};

Result<NamedHead> read_head(const std::string& path) {
  auto bytes = read_input(path, kMaxHeadBytes);
  if (!bytes) return std::unexpected(std::move(bytes).error());
  if (auto pin = ledger::parse_pin(*bytes)) {
    return NamedHead{
        {.origin = pin->origin, .size = pin->size, .root = pin->root, .extensions = {}},
        std::nullopt};
  }
  std::string note = *bytes;
  if (auto proof = ledger::parse_tlog_proof(*bytes)) note = proof->checkpoint;
  auto checkpoint = ledger::parse_signed_checkpoint(note);
  if (!checkpoint) {
    return fail(Code::kInvalidArgument, path + " is neither a checkpoint nor a receipt nor a pin");
  }
  return NamedHead{std::move(checkpoint->head), std::move(checkpoint->note)};
}

}  // namespace

Result<Trust> read_trust(const TrustOptions& options) {
  Trust out;
  if (!options.pin.empty()) {
    const std::string text = TRY(read_input(options.pin, kMaxKeyBytes));
    auto pin = ledger::parse_pin(text);
    if (!pin) return std::unexpected(std::move(pin.error()).with_context(options.pin));
    out.pin = *std::move(pin);
    auto key = ledger::parse_verifier_key(out.pin->log_key);
    if (!key) return std::unexpected(std::move(key.error()).with_context(options.pin));
    out.log_key = *std::move(key);
  }
  if (!options.log_key.empty()) out.log_key = TRY(read_key(options.log_key));
  for (const std::string& text : options.witness_keys) {
    out.witnesses.push_back(TRY(read_key(text)));
    if (out.witnesses.back().kind != ledger::KeyKind::kCosignatureV1) {
      return fail(Code::kInvalidArgument, "a witness's key is of kind 04 (cosignature/v1)");
    }
  }
  return out;
}

int verify_log(const LogOptions& options, const Output& output) {
  auto trust = read_trust(options.trust);
  if (!trust) return print(trust.error(), output);
  std::optional<std::filesystem::path> journal;
  if (!options.journal.empty()) journal = options.journal;
  auto folder = DiskFolder::open(options.folder, journal);
  if (!folder) return print(folder.error(), output);

  ledger::LogQuestion question;
  question.log_key = trust->log_key;
  question.witnesses = trust->witnesses;
  question.pin = trust->pin;
  const bool show = !output.json && ::isatty(STDERR_FILENO) == 1;
  if (show) {
    question.progress = [](std::uint64_t done, std::uint64_t size) {
      std::fprintf(stderr, "\r%s of %s entries", grouped(done).c_str(), grouped(size).c_str());
    };
  }
  const unsigned threads =
      options.threads != 0 ? options.threads : std::max(1U, std::thread::hardware_concurrency());
  const std::int64_t began = system_clock().mono_us();
  auto checked = ledger::verify_log(*folder, question, over_threads(threads));
  if (show) std::fprintf(stderr, "\r\x1B[K");
  if (!checked) return print(checked.error(), output);
  const std::int64_t took_ms = (system_clock().mono_us() - began) / 1000;

  const auto& s = checked->summary;
  Report report;
  report.kind = "log";
  report.title = "Log " + (checked->head.origin.empty() ? options.folder : checked->head.origin);
  report.facts = {
      {"origin", checked->head.origin},
      {"size", std::to_string(checked->head.size)},
      {"root", to_base64(checked->head.root)},
      {"published", std::to_string(checked->published.size)},
      {"journal_batches", std::to_string(checked->batches)},
      {"mode", s.mode},
      {"runs", std::to_string(s.runs)},
      {"exchanges", std::to_string(s.intents)},
      {"outcomes", std::to_string(s.outcomes)},
      {"aborts", std::to_string(s.aborts)},
      {"open", std::to_string(s.open)},
      {"refusals", std::to_string(s.refusals)},
      {"erasures", std::to_string(s.erasures)},
      {"measured", std::to_string(s.measured)},
      {"declared", std::to_string(s.declared)},
      {"took_ms", std::to_string(took_ms)},
  };
  if (s.continues) {
    report.facts.emplace_back(
        "continues", s.continues->origin + " from size " + std::to_string(s.continues->size));
  }
  if (checked->fault) {
    report.facts.emplace_back("first_bad_entry", std::to_string(checked->fault->index));
  }
  report.findings = std::move(checked->findings);
  return print(report, output);
}

int verify_heads(const HeadsOptions& options, const Output& output) {
  auto trust = read_trust(options.trust);
  if (!trust) return print(trust.error(), output);
  auto older = read_head(options.older);
  if (!older) return print(older.error(), output);
  auto newer = read_head(options.newer);
  if (!newer) return print(newer.error(), output);
  std::optional<DiskFolder> folder;
  if (!options.log.empty()) {
    auto opened = DiskFolder::open(options.log, std::nullopt);
    if (!opened) return print(opened.error(), output);
    folder = *std::move(opened);
  }
  Report report;
  report.kind = "heads";
  report.title = "Two heads of " + older->head.origin;
  report.facts = {{"older_size", std::to_string(older->head.size)},
                  {"newer_size", std::to_string(newer->head.size)}};
  const auto check_signature = [&](const NamedHead& head, const std::string& path) {
    if (!head.note) return;  // a pin: its holder vouches for it
    if (!trust->log_key) {
      report.findings.push_back({.promise = "P2",
                                 .standing = ledger::Standing::kNotExcluded,
                                 .what = "signature not checked: no --log-key",
                                 .where = path});
      return;
    }
    const auto verified = verify_note(*head.note, *trust->log_key);
    report.findings.push_back(
        {.promise = "P2",
         .standing = verified ? ledger::Standing::kHolds : ledger::Standing::kFails,
         .what = verified ? "the log's key signed this head" : verified.error().message(),
         .where = path});
  };
  check_signature(*older, options.older);
  check_signature(*newer, options.newer);
  auto compared = ledger::compare_heads(older->head, newer->head, folder ? &*folder : nullptr);
  if (!compared) return print(compared.error(), output);
  ledger::Finding finding{
      .promise = "P2", .standing = ledger::Standing::kFails, .what = compared->what, .where = ""};
  const char* verdict = "fork";
  switch (compared->verdict) {
    case ledger::HeadsVerdict::kSame:
      verdict = "same";
      finding.standing = ledger::Standing::kHolds;
      break;
    case ledger::HeadsVerdict::kConsistent:
      verdict = "consistent";
      finding.standing = ledger::Standing::kHolds;
      break;
    case ledger::HeadsVerdict::kFork: break;
    case ledger::HeadsVerdict::kRollback: verdict = "rollback"; break;
    case ledger::HeadsVerdict::kUndecided:
      verdict = "undecided";
      finding.standing = ledger::Standing::kNotExcluded;
      break;
  }
  report.facts.emplace_back("verdict", verdict);
  report.findings.push_back(std::move(finding));
  Output strict = output;
  if (compared->verdict == ledger::HeadsVerdict::kUndecided) strict.strict = true;
  return print(report, strict);
}

}  // namespace candor::verify
