#include "store/testing/store_harness.h"

#include <algorithm>
#include <future>

#include "ledger/journal_format.h"

namespace candor::store {

Result<Bytes> FolderOfLog::read(const std::string& path) {
  return read_file(files_, paths_.ledger() / path, 64U << 20U);
}

Result<std::vector<std::string>> FolderOfLog::segments() {
  auto names = files_.list(paths_.journal());
  if (!names) {
    if (names.error().code() == Code::kNotFound) return std::vector<std::string>();
    return names;
  }
  std::erase_if(*names, [](const std::string& name) { return !ledger::parse_segment_name(name); });
  return names;
}

Result<Bytes> FolderOfLog::read_segment(const std::string& name) {
  return read_file(files_, paths_.journal() / name, 1U << 30U);
}

Result<std::uint64_t> verify_folder(FileSystem& files, const Path& root) {
  FolderOfLog folder(files, root);
  const ledger::LogReport report = TRY(ledger::verify_log(folder, {}));
  if (report.fault) {
    return fail(Code::kDataLoss, report.fault->promise + " at entry " +
                                     std::to_string(report.fault->index) + ": " +
                                     report.fault->what);
  }
  for (const ledger::Finding& finding : report.findings) {
    if (finding.standing == ledger::Standing::kFails) {
      return fail(Code::kDataLoss, finding.promise + ": " + finding.what);
    }
  }
  return report.head.size;
}

LedgerOptions small_options() {
  LedgerOptions options;
  options.paced = false;
  options.segment_bytes = 256U << 10U;
  options.reserve_bytes = 16U << 10U;
  options.outcome_bytes = 8U << 10U;
  options.min_free_bytes = 0;
  options.publish_every_us = 0;
  options.state_in_memory = true;
  options.recent_leaves = 8;  // so that each log is a long one
  return options;
}

Result<std::unique_ptr<Store>> open_store(FileSystem& files, const Path& root, Clock& clock,
                                          const LedgerOptions& options,
                                          const KeyRing::Options& keys) {
  auto signer = TRY(open_local_signer(files, DataPaths(root).signer(), system_random(), clock));
  return Store::open(files, root, std::move(signer), options, keys, system_random(), clock);
}

Result<Acknowledgement> submit_and_wait(Ledger& ledger, Submission submission) {
  std::promise<Result<Acknowledgement>> promise;
  auto future = promise.get_future();
  ledger.submit(std::move(submission), [&promise](Result<Acknowledgement> result) {
    promise.set_value(std::move(result));
  });
  return future.get();
}

namespace {

ledger::Provenance some_provenance() {
  ledger::Provenance provenance;
  provenance.model = "test-model";
  provenance.weights.fill(std::byte{1});
  provenance.engine.fill(std::byte{2});
  return provenance;
}

}  // namespace

Result<Id128> add_load(Store& store) {
  ledger::Load load;
  load.at = store.stamp();
  load.load = make_id(system_random());
  load.provenance = some_provenance();
  load.weights_bytes = 1;
  load.engine_build = "test";
  load.kernel_probe = "skipped";
  load.model_probe_result = "skipped";
  TRY(store.append(load));
  return load.load;
}

ledger::Intent intent_entry(Store& store, const Subject& subject, const Id128& load) {
  ledger::Intent intent;
  intent.at = store.stamp();
  intent.caller = subject.pseudonym;
  intent.caller_known_by = "api_key";
  intent.api = "openai.chat";
  intent.load = load;
  intent.provenance = some_provenance();
  intent.repeatable = "best_effort";
  return intent;
}

ledger::Outcome outcome_entry(Store& store) {
  ledger::Outcome outcome;
  outcome.at = store.stamp();
  outcome.result = "complete";
  outcome.finish = "stop";
  return outcome;
}

Transcript request_transcript(std::string_view prompt) {
  Transcript transcript;
  transcript.push_back({.path = "messages/0/role", .text = Sensitive<std::string>("user")});
  transcript.push_back(
      {.path = "messages/0/parts/0/text", .text = Sensitive<std::string>(std::string(prompt))});
  return transcript;
}

Transcript answer_transcript(std::string_view text) {
  Transcript transcript;
  transcript.push_back({.path = "choices/0/role", .text = Sensitive<std::string>("assistant")});
  transcript.push_back(
      {.path = "choices/0/parts/0/text", .text = Sensitive<std::string>(std::string(text))});
  transcript.push_back({.path = "choices/0/finish", .text = Sensitive<std::string>("stop")});
  return transcript;
}

Result<Said> say(Store& store, const Id128& load, std::string_view caller, std::string_view prompt,
                 std::string_view answer) {
  Said said;
  said.exchange = make_id(system_random());
  const Subject subject = TRY(store.keys().subject(caller));
  auto record = ExchangeRecord::begin(store.keys(), said.exchange, subject.id);
  const Transcript request = request_transcript(prompt);
  auto intent = TRY(record.intent(intent_entry(store, subject, load), request, request, {}));
  said.intent = TRY(submit_and_wait(store.ledger(), std::move(intent)));
  const Transcript said_text = answer_transcript(answer);
  auto outcome = TRY(record.outcome(outcome_entry(store), said.intent, said_text, said_text));
  said.outcome = TRY(submit_and_wait(store.ledger(), std::move(outcome)));
  said.receipt = TRY(record.receipt(store.ledger(), said.intent, said.outcome));
  return said;
}

}  // namespace candor::store
