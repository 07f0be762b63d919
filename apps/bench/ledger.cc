// bench_ledger: durable entries per second of Candor's ledger (Merkle tree, signed heads, signer
// process, publication) beside a raw group commit, RocksDB and SQLite, in turns on one disk (A21).
//
// bench_ledger --folder DIR --signer candor-signer [--seconds S] [--writers N] [--rounds R]
// Prints one JSON object. Every contestant's answer is checked after its turn; Candor's log is
// verified whole. Exit code 1 when an answer is wrong.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <map>
#include <thread>
#include <vector>

#include "json/json.h"
#include "ledger/entry.h"
#include "ledger/journal_format.h"
#include "ledger/log_verify.h"
#include "ledger_rivals.h"
#include "store/store.h"

namespace candor::bench {
namespace {

constexpr std::size_t kRecordBytes = 512;
constexpr std::size_t kMonoDigits = 12;
constexpr std::size_t kSegmentBytes = 512U << 20U;
constexpr std::string_view kMonoKey = "\"mono_us\":";
constexpr std::string_view kBootKey = "\"boot\":\"";

class DiskLog final : public ledger::LogFolder {
 public:
  explicit DiskLog(const Path& root) : paths_(root) {}
  Result<Bytes> read(const std::string& path) override {
    return read_file(real_file_system(), paths_.ledger() / path, 64U << 20U);
  }
  bool has_journal() const override { return true; }
  Result<std::vector<std::string>> segments() override {
    auto names = TRY(real_file_system().list(paths_.journal()));
    std::erase_if(names, [](const auto& name) { return !ledger::parse_segment_name(name); });
    return names;
  }
  Result<Bytes> read_segment(const std::string& name) override {
    return read_file(real_file_system(), paths_.journal() / name, 1U << 30U);
  }

 private:
  store::DataPaths paths_;
};

class Candor final : public Contestant {
 public:
  explicit Candor(std::unique_ptr<store::Store> store) : store_(std::move(store)) {
    boot_ = to_hex(store_->boot());
  }
  std::string name() const override { return "candor ledger"; }
  bool append(std::string_view record, Waiter& waiter) override {
    store::Submission submission;
    submission.entry.assign(record);
    set_record_boot(submission.entry, boot_);
    store_->ledger().submit(
        std::move(submission),
        [&waiter](const Result<store::Acknowledgement>& ack) { waiter.done(ack.has_value()); });
    return waiter.wait();
  }
  Result<void> check(std::uint64_t acknowledged) override {
    TRY(store_->close("admin"));
    const Path root = store_->paths().root();
    store_.reset();
    DiskLog folder(root);
    const auto report = TRY(ledger::verify_log(folder, {}));
    if (report.fault) return fail(Code::kDataLoss, report.fault->what);
    if (ledger::any_fails(report.findings)) return fail(Code::kDataLoss, "the log fails");
    if (report.head.size < acknowledged + 2) return fail(Code::kDataLoss, "entries are missing");
    return {};
  }

 private:
  std::unique_ptr<store::Store> store_;
  std::string boot_;
};

struct Turn {
  double per_second = 0;
  double p50_us = 0, p99_us = 0;
};

Result<Turn> take_turn(Contestant& contestant, int writers, double seconds) {
  const std::string record = TRY(record_template());
  std::atomic<bool> stop{false};
  std::atomic<std::uint64_t> next{0};
  std::atomic<std::uint64_t> acknowledged{0};
  std::atomic<bool> failed{false};
  std::vector<std::vector<float>> latencies(static_cast<std::size_t>(writers));
  const auto begin = std::chrono::steady_clock::now();
  {
    std::vector<std::jthread> threads;
    for (int w = 0; w < writers; ++w) {
      threads.emplace_back([&, w] {
        std::string mine = record;
        Waiter waiter;
        auto& times = latencies[static_cast<std::size_t>(w)];
        while (!stop.load(std::memory_order_relaxed)) {
          number_record(mine, next++);
          const auto from = std::chrono::steady_clock::now();
          if (!contestant.append(mine, waiter)) {
            failed = true;
            return;
          }
          times.push_back(
              std::chrono::duration<float, std::micro>(std::chrono::steady_clock::now() - from)
                  .count());
          ++acknowledged;
        }
      });
    }
    std::this_thread::sleep_for(std::chrono::duration<double>(seconds));
    stop = true;
  }
  const double took =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  if (failed) return fail(Code::kUnavailable, contestant.name() + " refused a record");
  TRY(contestant.check(acknowledged));
  std::vector<float> all;
  for (const auto& times : latencies) all.insert(all.end(), times.begin(), times.end());
  std::ranges::sort(all);
  Turn turn{.per_second = static_cast<double>(acknowledged) / took};
  if (!all.empty()) {
    turn.p50_us = static_cast<double>(all[all.size() / 2]);
    turn.p99_us = static_cast<double>(all[all.size() * 99 / 100]);
  }
  return turn;
}

double median(std::vector<double> values) {
  std::ranges::sort(values);
  return values.empty() ? 0 : values[values.size() / 2];
}

using Maker = std::function<Result<std::unique_ptr<Contestant>>(const Path&)>;

struct Options {
  Path folder, signer;
  double seconds = 2;
  int writers = 64, rounds = 5;
  std::string only;
};

Result<json::Object> run(const Options& options) {
  const std::vector<std::pair<std::string, Maker>> makers{
      {"raw", [](const Path& folder) { return make_raw(folder, RawMethod::kFlush); }},
      {"raw_direct", [](const Path& folder) { return make_raw(folder, RawMethod::kDirect); }},
      {"candor", [&](const Path& folder) { return make_candor(folder, options.signer); }},
      {"rocksdb", [](const Path& folder) { return make_rocksdb(folder); }},
      {"sqlite", [](const Path& folder) { return make_sqlite(folder); }}};
  std::map<std::string, std::vector<Turn>> turns;
  for (int round = 0; round < options.rounds; ++round) {
    // The order is turned each round, so that nobody always comes first.
    for (std::size_t i = 0; i < makers.size(); ++i) {
      const auto& [name, make] = makers[round % 2 == 0 ? i : makers.size() - 1 - i];
      if (!options.only.empty() && options.only.find(name) == std::string::npos) continue;
      const Path folder = options.folder / name;
      if (!name.starts_with("raw")) std::filesystem::remove_all(folder);
      auto contestant = TRY(make(folder));
      const Turn turn = TRY(take_turn(*contestant, options.writers, options.seconds));
      turns[name].push_back(turn);
      contestant.reset();
      if (!name.starts_with("raw")) std::filesystem::remove_all(folder);
      std::fprintf(stderr, "  round %d  %-10s %9.0f entries/s  p50 %6.0f us  p99 %7.0f us\n",
                   round + 1, name.c_str(), turn.per_second, turn.p50_us, turn.p99_us);
    }
  }
  const auto of = [&](const std::string& name, double Turn::* what) {
    std::vector<double> values;
    for (const Turn& turn : turns[name]) values.push_back(turn.*what);
    return median(values);
  };
  const auto ratio = [&](const std::string& rival) {
    std::vector<double> values;
    for (std::size_t i = 0; i < std::min(turns["candor"].size(), turns[rival].size()); ++i) {
      values.push_back(turns["candor"][i].per_second / turns[rival][i].per_second);
    }
    return median(values);
  };
  json::Object result;
  result["benchmark"] = "ledger";
  result["writers"] = options.writers;
  result["entry_bytes"] = kRecordBytes;
  result["rounds"] = options.rounds;
  result["seconds_a_turn"] = options.seconds;
  result["entries_per_s_64"] = of("candor", &Turn::per_second);
  result["p50_us"] = of("candor", &Turn::p50_us);
  result["p99_us"] = of("candor", &Turn::p99_us);
  for (const char* rival : {"raw", "raw_direct", "rocksdb", "sqlite"}) {
    result[std::string(rival) + "_per_s"] = of(rival, &Turn::per_second);
    result[std::string(rival) + "_p50_us"] = of(rival, &Turn::p50_us);
    result[std::string(rival) + "_p99_us"] = of(rival, &Turn::p99_us);
  }
  // Of the two ways to write, the one that is faster here is what the disk allows.
  result["ratio_to_raw_group_commit"] = std::min(ratio("raw"), ratio("raw_direct"));
  result["ratio_to_raw"] = ratio("raw");
  result["ratio_to_raw_direct"] = ratio("raw_direct");
  result["ratio_to_rocksdb"] = ratio("rocksdb");
  result["ratio_to_sqlite"] = ratio("sqlite");
  result["answers_right"] = true;
  return result;
}

}  // namespace

Result<std::string> record_template() {
  ledger::Configuration entry;
  entry.at.time_us = 1'764'000'000'000'000;
  entry.at.mono_us = 100'000'000'000;
  std::string text = TRY(ledger::encode(entry));
  // Labels of at most 128 bytes, until the entry has the wished size.
  while (text.size() < kRecordBytes) {
    const std::size_t left = kRecordBytes - text.size();
    const std::size_t overhead = entry.changed.empty() ? 2 : 3;
    std::size_t label = std::min<std::size_t>(left - overhead, 100);
    if (left - overhead - label > 0 && left - overhead - label < 4) label -= 4;
    entry.changed.emplace_back(label, 'k');
    text = TRY(ledger::encode(entry));
  }
  if (text.size() != kRecordBytes) return fail(Code::kInternal, "the record has another size");
  return text;
}

void number_record(std::string& record, std::uint64_t n) {
  std::size_t at = record.find(kMonoKey) + kMonoKey.size() + kMonoDigits;
  for (std::size_t i = 0; i + 1 < kMonoDigits; ++i) {  // the first digit stays: no leading zero
    record[--at] = static_cast<char>('0' + (n % 10));
    n /= 10;
  }
}

void set_record_boot(std::string& record, std::string_view boot_hex) {
  record.replace(record.find(kBootKey) + kBootKey.size(), boot_hex.size(), boot_hex);
}

Result<std::unique_ptr<Contestant>> make_candor(const Path& folder, const Path& signer_binary) {
  const store::DataPaths paths(folder);
  TRY(real_file_system().make_folders(paths.signer()));
  auto signer =
      TRY(store::start_signer_process({.binary = signer_binary, .folder = paths.signer()}));
  store::LedgerOptions options;
  options.segment_bytes = kSegmentBytes;
  if (const char* every = std::getenv("CANDOR_BENCH_PUBLISH_US")) {
    options.publish_every_us = std::atoll(every);
  }
  auto opened = TRY(store::Store::open(real_file_system(), folder, std::move(signer), options, {},
                                       system_random(), system_clock()));
  // As the raw file is preallocated before its turn, so are this segment and the next. Wait for the
  // spare to be whole: its name is there from its beginning, its size at the end.
  for (int i = 0; i < 600; ++i) {
    const auto names = TRY(real_file_system().list(paths.journal()));
    const auto spares = std::ranges::count_if(names, [&](const std::string& name) {
      std::error_code error;
      return name.starts_with("spare-") &&
             std::filesystem::file_size(paths.journal() / name, error) == kSegmentBytes;
    });
    if (spares >= 1) break;
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
  std::this_thread::sleep_for(std::chrono::milliseconds(500));
  return std::make_unique<Candor>(std::move(opened));
}

}  // namespace candor::bench

int main(int argc, char** argv) {
  candor::bench::Options options;
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string_view flag = argv[i];
    if (flag == "--folder") options.folder = argv[i + 1];
    if (flag == "--signer") options.signer = argv[i + 1];
    if (flag == "--seconds") options.seconds = std::atof(argv[i + 1]);
    if (flag == "--writers") options.writers = std::atoi(argv[i + 1]);
    if (flag == "--rounds") options.rounds = std::atoi(argv[i + 1]);
    if (flag == "--only") options.only = argv[i + 1];
  }
  if (options.folder.empty() || options.signer.empty()) {
    std::fputs(
        "usage: bench_ledger --folder DIR --signer PROGRAM [--seconds S] [--writers N] "
        "[--rounds R] [--only NAMES]\n",
        stderr);
    return 2;
  }
  const auto result = candor::bench::run(options);
  if (!result) {
    std::fprintf(stderr, "bench_ledger: %s\n", result.error().message().c_str());
    return 1;
  }
  std::puts(candor::json::to_text(*result).c_str());
  return 0;
}
