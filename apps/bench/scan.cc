// The scanner beside one merged Vectorscan database of the same patterns, on the same text: prints
// one JSON object for benches/scan.py. The rival's matches count where the scanner would accept
// them by validator and boundary too; here it only finds candidates, which favours it.
//
// usage: bench_scan [--bytes N] [--seconds S]
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

#include <fmt/format.h>
#include <hs/hs.h>

#include "dlp/pack.h"
#include "dlp/sample_text.h"
#include "dlp/scanner.h"

namespace {

using Clock = std::chrono::steady_clock;
using namespace candor;

constexpr std::size_t kBlock = 4096;

double seconds_since(Clock::time_point begin) {
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

struct Run {
  double best = 0;  // GB/s
  std::uint64_t found = 0;
};

// The best of rounds, each over the whole text, for at least `seconds`.
template <typename Work>
Run measure(std::string_view text, double seconds, const Work& work) {
  Run run;
  const auto begin = Clock::now();
  do {
    const auto start = Clock::now();
    std::uint64_t found = 0;
    std::size_t done = 0;
    for (; done + kBlock <= text.size(); done += kBlock) found += work(text.substr(done, kBlock));
    const double speed = static_cast<double>(done) / seconds_since(start) / 1e9;
    if (speed > run.best) run.best = speed;
    run.found = found;
  } while (seconds_since(begin) < seconds);
  return run;
}

struct Merged {
  hs_database_t* database = nullptr;
  hs_scratch_t* scratch = nullptr;
};

Merged merged(const std::vector<dlp::Detector>& detectors) {
  std::vector<std::string> patterns;
  std::vector<unsigned> flags;
  std::vector<unsigned> ids;
  for (const dlp::Detector& detector : detectors) {
    for (const std::string& pattern : detector.patterns) {
      patterns.push_back(pattern);
      flags.push_back(HS_FLAG_DOTALL | (detector.ignore_case ? unsigned{HS_FLAG_CASELESS} : 0U));
      ids.push_back(static_cast<unsigned>(ids.size()));
    }
  }
  std::vector<const char*> texts;
  for (const std::string& pattern : patterns) texts.push_back(pattern.c_str());
  Merged out;
  hs_compile_error_t* error = nullptr;
  if (hs_compile_multi(texts.data(), flags.data(), ids.data(), static_cast<unsigned>(texts.size()),
                       HS_MODE_BLOCK, nullptr, &out.database, &error) != HS_SUCCESS) {
    std::fprintf(stderr, "bench_scan: %s (pattern %d)\n", error->message, error->expression);
    std::exit(1);
  }
  if (hs_alloc_scratch(out.database, &out.scratch) != HS_SUCCESS) std::exit(1);
  return out;
}

}  // namespace

int main(int argc, char** argv) {
  std::size_t bytes = 64U << 20U;
  double seconds = 3;
  for (int i = 1; i + 1 < argc; i += 2) {
    if (std::strcmp(argv[i], "--bytes") == 0) bytes = std::strtoull(argv[i + 1], nullptr, 10);
    if (std::strcmp(argv[i], "--seconds") == 0) seconds = std::strtod(argv[i + 1], nullptr);
  }
  auto packs = dlp::builtin_packs();
  if (!packs) return 1;
  auto scanner = dlp::Scanner::build(*std::move(packs));
  if (!scanner) {
    std::fprintf(stderr, "bench_scan: %s\n", scanner.error().message().c_str());
    return 1;
  }
  const std::string text = dlp::sample_text(bytes, 17, 2048);
  std::size_t digits = 0;
  for (const char c : text) digits += c >= '0' && c <= '9' ? 1U : 0U;

  const auto scratch = scanner->make_scratch();
  std::vector<dlp::Finding> findings;
  const Run ours = measure(text, seconds, [&](std::string_view block) {
    scanner->scan(block, *scratch, findings);
    return findings.size();
  });
  const Merged rival = merged(scanner->detectors());
  const Run theirs = measure(text, seconds, [&](std::string_view block) {
    std::uint64_t matches = 0;
    hs_scan(
        rival.database, block.data(), static_cast<unsigned>(block.size()), 0, rival.scratch,
        [](unsigned, unsigned long long, unsigned long long, unsigned, void* context) {
          ++*static_cast<std::uint64_t*>(context);
          return 0;
        },
        &matches);
    return matches;
  });
  // A piece of a stream: 32 bytes with the context before it that decides about them.
  const auto start = Clock::now();
  std::size_t pieces = 0;
  for (std::size_t at = 4096; at + 32 < text.size() && seconds_since(start) < seconds; at += 32) {
    const std::size_t context = 224;
    scanner->scan(std::string_view(text).substr(at - context, context + 32), *scratch, findings);
    ++pieces;
  }
  const double piece_us = seconds_since(start) * 1e6 / static_cast<double>(pieces);
  fmt::print(
      "{{\"bytes\":{},\"digits\":{:.3f},\"detectors\":{},\"findings_per_2KiB\":{:.2f},"
      "\"gigabytes_per_s\":{:.3f},\"hyperscan_gigabytes_per_s\":{:.4f},\"ratio_to_hyperscan\":{:."
      "2f},"
      "\"hyperscan_matches\":{},\"piece_us\":{:.2f}}}\n",
      text.size(), static_cast<double>(digits) / static_cast<double>(text.size()),
      scanner->detectors().size(),
      static_cast<double>(ours.found) * 2048 / static_cast<double>(text.size()), ours.best,
      theirs.best, ours.best / theirs.best, theirs.found, piece_us);
  return 0;
}
