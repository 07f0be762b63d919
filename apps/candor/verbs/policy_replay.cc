// candor policy replay: what other rules would have decided about recorded exchanges (C11).
#include <fmt/format.h>
#include <unistd.h>

#include "base/clock.h"
#include "config/keys.h"
#include "log_folder.h"
#include "policy/check.h"
#include "store/data_folder.h"
#include "verbs/auditor.h"
#include "verbs/policy_files.h"
#include "verbs/policy_log.h"
#include "verbs/sealed_findings.h"
#include "verbs/verbs.h"

namespace candor::cli {
namespace {

constexpr std::uint64_t kProgressEvery = 65'536;

Result<std::int64_t> since_us(const std::string& text) {
  if (text.empty()) return 0;
  const auto milliseconds = config::parse_duration_ms(text);
  if (!milliseconds || *milliseconds <= 0) {
    return fail(Code::kInvalidArgument, "--since takes a duration, such as 30d or 12h");
  }
  return system_clock().wall_us() - *milliseconds * 1'000;
}

// A file, a folder of files, or the name of a built-in pack.
Result<void> add_rules(const std::string& name, std::vector<policy::RuleFile>& files,
                       std::vector<policy::Finding>& findings) {
  for (const policy::RuleText& text : policy::builtin_rule_texts()) {
    if (text.name != name + ".toml") continue;
    files.push_back(policy::read_rule_file(text.text, std::string(text.name), findings));
    return {};
  }
  for (const std::filesystem::path& file : TRY(files_of(name, false))) {
    files.push_back(TRY(read_rules(file, findings)));
  }
  return {};
}

json::Object to_json(const gateway::Replayed& replayed) {
  json::Array groups;
  for (const gateway::ReplayedGroup& group : replayed.groups) {
    groups.push_back(
        json::Object{{"caller", group.caller},
                     {"before", group.before},
                     {"after", group.after},
                     {"rules", json::Array(group.rules.begin(), group.rules.end())},
                     {"findings", json::Array(group.findings.begin(), group.findings.end())},
                     {"exchanges", group.exchanges},
                     {"first_entry", group.first_index}});
  }
  json::Object undecided, unknown;
  for (const auto& [rule, count] : replayed.undecided_rules) undecided[rule] = count;
  for (const auto& [detector, count] : replayed.unknown_detectors) unknown[detector] = count;
  return json::Object{
      {"exchanges", replayed.exchanges},     {"different", replayed.different},
      {"without_record", replayed.unjudged}, {"undecided", replayed.undecided},
      {"truncated", replayed.truncated},     {"undecided_rules", std::move(undecided)},
      {"read_again", replayed.reread},       {"unknown_detectors", std::move(unknown)},
      {"groups", std::move(groups)}};
}

void show_result(const Output& out, const gateway::Replayed& replayed,
                 const std::optional<SealedFindings>& again, std::uint64_t most) {
  std::vector<std::vector<std::string>> rows;
  for (const gateway::ReplayedGroup& group : replayed.groups) {
    if (rows.size() == most) break;
    rows.push_back({std::to_string(group.exchanges), out.shown(group.caller), group.before,
                    group.after, fmt::format("{}", fmt::join(group.rules, ", ")),
                    fmt::format("{}", fmt::join(group.findings, "; ")),
                    std::to_string(group.first_index)});
  }
  if (!rows.empty()) {
    out.table({"EXCHANGES", "CALLER", "BEFORE", "NOW", "RULES", "FINDINGS", "FIRST ENTRY"}, rows);
  }
  if (rows.size() < replayed.groups.size()) {
    out.line(fmt::format("... and {} more; --rows shows more, --json all",
                         replayed.groups.size() - rows.size()));
  }
  out.line(fmt::format("{} of {} exchanges would have been treated differently", replayed.different,
                       replayed.exchanges));
  if (again) {
    out.line(
        fmt::format("{} of them by their sealed texts, read again with today's detectors; {} "
                    "records are erased or sealed to others",
                    replayed.reread, again->unopened()));
  }
  if (replayed.unjudged != 0) {
    out.line(fmt::format("{} more ran when no policy was in force: nothing is recorded of them",
                         replayed.unjudged));
  }
  for (const auto& [rule, count] : replayed.undecided_rules) {
    out.line(out.style().caution(fmt::format(
        "{} asks for what the log does not hold, in {} exchanges: not counted", rule, count)));
  }
  for (const auto& [detector, count] : replayed.unknown_detectors) {
    out.line(out.style().caution(fmt::format(
        "no detector here is called {} ({} findings): its severity and countries are not known",
        detector, count)));
  }
  if (replayed.truncated != 0) {
    out.line(fmt::format("of {} exchanges the log lists not every finding by itself",
                         replayed.truncated));
  }
}

// Whose texts are read again is on record first (L8).
Result<SealedFindings> read_again(const Context& context, const PolicyOptions& options,
                                  const policy::Policy& policy) {
  TRY(admin_call(context, "POST", "/v1/replays",
                 json::Object{{"policy", to_hex(policy.digest())}, {"reason", options.reason}}));
  (void)admin_call(context, "POST", "/v1/publish");
  const Path sealed = store::DataPaths(context.data_dir()).sealed();
  return SealedFindings::read(context, sealed,
                              options.auditor_key.empty()
                                  ? default_auditor_key()
                                  : std::filesystem::path(options.auditor_key));
}

}  // namespace

int run_policy_replay(const Context& context, const PolicyOptions& options) {
  const Output& out = context.out();
  const auto since = since_us(options.since);
  if (!since) return report(out, since.error());
  std::vector<policy::Finding> findings;
  std::vector<policy::RuleFile> files;
  for (const std::string& name : options.paths) {
    if (const auto read = add_rules(name, files, findings); !read) {
      return report(out, read.error());
    }
  }
  cel::Zones zones(real_file_system());
  auto policy = findings.empty() ? policy::Policy::compile(std::move(files), &zones)
                                 : std::unexpected(findings);
  if (!policy) {
    show(out, policy.error());
    return report(out,
                  {Code::kInvalidArgument, "the rules are not usable: see candor policy check"});
  }
  const auto detectors = detectors_in_force(context);
  if (!detectors) return report(out, detectors.error());
  const gateway::NamesByPseudonym names = callers(context);
  if (options.log.empty()) (void)admin_call(context, "POST", "/v1/publish");
  std::optional<SealedFindings> again;
  if (options.content) {
    auto read = read_again(context, options, *policy);
    if (!read) return report(out, read.error());
    again = *std::move(read);
  }
  auto log = PublishedLog::open(options.log.empty() ? context.data_dir() : Path(options.log));
  if (!log) return report(out, log.error());
  gateway::Replay replay(*policy, *detectors, names, *since);
  const std::uint64_t size = log->head().size;
  for (std::uint64_t index = 0; index < size; ++index) {
    const auto text = log->entry(index);
    if (!text) return report(out, text.error());
    const auto entry = ledger::decode(*text);
    if (!entry) {
      return report(out, {Code::kDataLoss, fmt::format("entry {} is not readable; run 'candor "
                                                       "ledger verify'",
                                                       index)});
    }
    const auto found = again ? again->of(*entry) : nullptr;
    if (!found) return report(out, found.error());
    replay.take(index, *entry, *found);
    if (index % kProgressEvery == kProgressEvery - 1 && ::isatty(STDERR_FILENO) == 1) {
      out.note(fmt::format("{} of {} entries", index + 1, size));
    }
  }
  const gateway::Replayed replayed = replay.finish();
  if (out.json()) {
    out.document(to_json(replayed));
  } else {
    show_result(out, replayed, again, options.rows);
  }
  return kExitDone;
}

}  // namespace candor::cli
