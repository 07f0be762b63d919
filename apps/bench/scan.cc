// The scanner beside one merged Vectorscan database of the same patterns, on the same text in
// blocks of 4 KiB: prints one JSON object for benches/scan.py.
//
// Equal findings: before anything is timed, PlainScan (dlp/testing), asked for each block only
// about those detectors that the rival's database reports there, must find what the scanner finds.
// What is timed of the rival is its search alone, on the block as it stands: no validator,
// boundary, context or encoding, which favours it.
//
// A piece is 32 bytes of a stream through StreamGuard, of a text that goes on for 64 KiB.
//
// usage: bench_scan [--bytes N] [--seconds S] [--only scanner|pieces]
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
#include "dlp/stream_guard.h"
#include "dlp/testing/plain_scan.h"

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
  std::vector<std::uint32_t> detectors;  // of each pattern
};

Merged merged(const std::vector<dlp::Detector>& detectors) {
  std::vector<std::string> patterns;
  std::vector<unsigned> flags;
  std::vector<unsigned> ids;
  Merged out;
  for (std::uint32_t index = 0; index < detectors.size(); ++index) {
    const dlp::Detector& detector = detectors[index];
    for (const std::string& pattern : detector.patterns) {
      out.detectors.push_back(index);
      patterns.push_back(pattern);
      flags.push_back(HS_FLAG_DOTALL | (detector.ignore_case ? unsigned{HS_FLAG_CASELESS} : 0U));
      ids.push_back(static_cast<unsigned>(ids.size()));
    }
  }
  std::vector<const char*> texts;
  for (const std::string& pattern : patterns) texts.push_back(pattern.c_str());
  hs_compile_error_t* error = nullptr;
  if (hs_compile_multi(texts.data(), flags.data(), ids.data(), static_cast<unsigned>(texts.size()),
                       HS_MODE_BLOCK, nullptr, &out.database, &error) != HS_SUCCESS) {
    std::fprintf(stderr, "bench_scan: %s (pattern %d)\n", error->message, error->expression);
    std::exit(1);
  }
  if (hs_alloc_scratch(out.database, &out.scratch) != HS_SUCCESS) std::exit(1);
  return out;
}

// Ends the program where the rival would not have led to the same findings.
void check_equal(const dlp::Scanner& scanner, const Merged& rival, std::string_view text) {
  auto plain = dlp::PlainScan::build(*dlp::builtin_packs());
  if (!plain) std::exit(1);
  struct Seen {
    const Merged& rival;
    std::vector<char>& by_detector;
  };
  const auto wanted = [&rival](std::string_view view, std::vector<char>& by_detector) {
    Seen seen{rival, by_detector};
    hs_scan(
        rival.database, view.data(), static_cast<unsigned>(view.size()), 0, rival.scratch,
        [](unsigned id, unsigned long long, unsigned long long, unsigned, void* context) {
          const auto* of = static_cast<Seen*>(context);
          of->by_detector[of->rival.detectors[id]] = 1;
          return 0;
        },
        &seen);
  };
  for (std::size_t at = 0; at + kBlock <= text.size(); at += kBlock) {
    const std::string_view block = text.substr(at, kBlock);
    if (scanner.scan(block) == plain->scan(block, dlp::kDefaultMinConfidence, wanted)) continue;
    std::fprintf(stderr, "bench_scan: other findings in the block at %zu\n", at);
    std::exit(1);
  }
}

// Microseconds a piece, and the bytes found, of which there must be some.
double piece_us(const dlp::Scanner& scanner, std::string_view text, double seconds) {
  constexpr std::size_t kPiece = 32;
  constexpr std::size_t kStream = 65536;
  const auto scratch = scanner.make_scratch();
  std::vector<dlp::Part> parts;
  std::size_t pieces = 0;
  std::size_t findings = 0;
  const auto begin = Clock::now();
  do {
    dlp::StreamGuard guard(scanner);
    for (std::size_t at = 0; at + kPiece <= std::min(kStream, text.size()); at += kPiece) {
      guard.feed(text.substr(at, kPiece), *scratch, parts);
      for (const dlp::Part& part : parts) {
        findings += part.kind == dlp::Part::Kind::kFinding ? 1 : 0;
      }
      parts.clear();
      ++pieces;
    }
    guard.finish(*scratch, parts);
    parts.clear();
  } while (seconds_since(begin) < seconds);
  if (findings == 0) std::exit(1);
  return seconds_since(begin) * 1e6 / static_cast<double>(pieces);
}

}  // namespace

int main(int argc, char** argv) {
  std::size_t bytes = 64U << 20U;
  double seconds = 3;
  std::string_view only;
  for (int i = 1; i + 1 < argc; i += 2) {
    if (std::strcmp(argv[i], "--bytes") == 0) bytes = std::strtoull(argv[i + 1], nullptr, 10);
    if (std::strcmp(argv[i], "--seconds") == 0) seconds = std::strtod(argv[i + 1], nullptr);
    if (std::strcmp(argv[i], "--only") == 0) only = argv[i + 1];
  }
  auto packs = dlp::builtin_packs();
  if (!packs) return 1;
  auto scanner = dlp::Scanner::build(*std::move(packs));
  if (!scanner) {
    std::fprintf(stderr, "bench_scan: %s\n", scanner.error().message().c_str());
    return 1;
  }
  const std::string text = dlp::sample_text(bytes, 17, 1900);
  std::size_t digits = 0;
  for (const char c : text) digits += c >= '0' && c <= '9' ? 1U : 0U;

  const auto scratch = scanner->make_scratch();
  std::vector<dlp::Finding> findings;
  const auto scan = [&](std::string_view block) {
    scanner->scan(block, *scratch, findings);
    return findings.size();
  };
  if (only == "pieces") {
    fmt::print("{{\"piece_us\":{:.2f}}}\n", piece_us(*scanner, text, seconds));
    return 0;
  }
  if (only == "scanner") {
    fmt::print("{{\"gigabytes_per_s\":{:.4f}}}\n", measure(text, seconds, scan).best);
    return 0;
  }
  const Merged rival = merged(scanner->detectors());
  check_equal(*scanner, rival,
              std::string_view(text).substr(0, std::min(bytes, std::size_t{1} << 20U)));
  const Run ours = measure(text, seconds, scan);
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
  const double piece = piece_us(*scanner, text, seconds);
  fmt::print(
      "{{\"bytes\":{},\"digits\":{:.3f},\"detectors\":{},\"findings_per_2KiB\":{:.2f},"
      "\"gigabytes_per_s\":{:.3f},\"hyperscan_gigabytes_per_s\":{:.4f},\"ratio_to_hyperscan\":{:."
      "2f},"
      "\"hyperscan_matches\":{},\"piece_us\":{:.2f}}}\n",
      text.size(), static_cast<double>(digits) / static_cast<double>(text.size()),
      scanner->detectors().size(),
      static_cast<double>(ours.found) * 2048 / static_cast<double>(text.size()), ours.best,
      theirs.best, ours.best / theirs.best, theirs.found, piece);
  return 0;
}
