#include "dlp/sample_text.h"

#include <array>
#include <string_view>

#include <fmt/format.h>

namespace candor::dlp {
namespace {

constexpr std::array<std::string_view, 72> kWords = {
    "the",     "of",       "and",      "to",       "in",       "request",  "model",   "answer",
    "with",    "for",      "is",       "that",     "this",     "from",     "which",   "system",
    "server",  "customer", "report",   "meeting",  "because",  "between",  "after",   "before",
    "value",   "number",   "account",  "service",  "contract", "deadline", "team",    "budget",
    "office",  "project",  "question", "please",   "thanks",   "tomorrow", "morning", "quarter",
    "network", "machine",  "language", "training", "weights",  "result",   "process", "memory",
    "was",     "were",     "has",      "have",     "not",      "but",      "their",   "would",
    "about",   "other",    "there",    "when",     "people",   "work",     "first",   "time",
    "invoice", "delivery", "review",   "release",  "version",  "error",    "update",  "table"};
constexpr std::array<std::string_view, 16> kNames = {
    "handle_request", "buffer_size", "parse_header", "nextToken", "retry_count", "user_id",
    "itemCount",      "node",        "cacheKey",     "offset",    "timeout_ms",  "index",
    "file_path",      "session",     "widthPx",      "visitor"};
constexpr std::array<std::string_view, 12> kFindings = {"maria.fernandez@example.com",
                                                        "4111 1111 1111 1111",
                                                        "DE89 3704 0044 0532 0130 00",
                                                        "+49 30 901820",
                                                        "192.0.2.146",
                                                        "ghp_2hJq8LmZ4xKv9TbN3cWd7RfY1sPa6GeUoQ5i",
                                                        "378282246310005",
                                                        "GB82 WEST 1234 5698 7654 32",
                                                        "john@mail.example.org",
                                                        "2001:db8::8a2e:370:7334",
                                                        "AKIAQ3EGRLN5XJ7D2WTB",
                                                        "jane.roe@example.net"};

class Maker {
 public:
  Maker(std::uint64_t seed, std::size_t bytes) : state_(seed * 2 + 1) { out_.reserve(bytes + 512); }

  [[nodiscard]] std::string take(std::size_t bytes, std::size_t finding_every) {
    std::size_t next_finding = finding_every;
    while (out_.size() < bytes) {
      switch (random(5)) {
        case 0: prose(); break;
        case 1: code(); break;
        case 2: log_line(); break;
        case 3: csv(); break;
        default: chat(); break;
      }
      while (finding_every != 0 && out_.size() >= next_finding) {
        out_ += fmt::format("contact {} now\n", kFindings[random(kFindings.size())]);
        next_finding += finding_every;
      }
    }
    out_.resize(bytes);
    return std::move(out_);
  }

 private:
  std::uint64_t random(std::uint64_t below) {  // xorshift64*
    state_ ^= state_ >> 12U;
    state_ ^= state_ << 25U;
    state_ ^= state_ >> 27U;
    return (state_ * 2685821657736338717ULL >> 33U) % below;
  }
  std::string_view word() { return kWords[random(kWords.size())]; }
  std::string_view name() { return kNames[random(kNames.size())]; }

  void prose() {
    for (std::uint64_t sentences = 2 + random(4); sentences-- > 0;) {
      out_ += static_cast<char>('A' + random(26));
      for (std::uint64_t words = 6 + random(14); words-- > 0;) {
        out_ += word();
        if (random(12) == 0) out_ += fmt::format(" {}", random(3000));
        out_ += words == 0 ? ". " : random(14) == 0 ? ", " : " ";
      }
    }
    out_ += '\n';
  }

  void code() {
    for (std::uint64_t lines = 3 + random(6); lines-- > 0;) {
      switch (random(4)) {
        case 0:
          out_ += fmt::format("  if ({} > {}) return {}[{}];\n", name(), random(5000), name(),
                              random(64));
          break;
        case 1:
          out_ += fmt::format("  const int {} = {} * 0x{:x};\n", name(), random(100),
                              random(1U << 30U));
          break;
        case 2:
          out_ += fmt::format("  {}.{}(\"{} {}\", {});\n", name(), name(), word(), word(),
                              random(4096));
          break;
        default: out_ += fmt::format("def {}({}, {}=None):\n", name(), name(), name()); break;
      }
    }
  }

  void log_line() {
    for (std::uint64_t lines = 2 + random(4); lines-- > 0;) {
      out_ += fmt::format(
          R"({{"time":"2026-{:02}-{:02}T{:02}:{:02}:{:02}.{:06}Z","level":"info","event":"{}.{}","id":"{:016x}","status":{},"bytes":{},"ms":{}}})"
          "\n",
          1 + random(12), 1 + random(28), random(24), random(60), random(60), random(1000000),
          word(), word(), random(1ULL << 31U) * 7919, 200 + random(300), random(100000),
          random(5000));
    }
  }

  void csv() {
    for (std::uint64_t lines = 3 + random(5); lines-- > 0;) {
      out_ += fmt::format("{},{},{},{}.{:02},{},2026-{:02}-{:02}\n", random(100000), word(), word(),
                          random(10000), random(100), random(1000), 1 + random(12), 1 + random(28));
    }
  }

  void chat() {
    for (std::uint64_t turns = 2 + random(3); turns-- > 0;) {
      out_ += fmt::format("[{:02}:{:02}] {}: ", random(24), random(60), name());
      for (std::uint64_t words = 4 + random(20); words-- > 0;) {
        out_ += word();
        out_ += ' ';
      }
      out_ += '\n';
    }
  }

  std::uint64_t state_;
  std::string out_;
};

}  // namespace

std::string sample_text(std::size_t bytes, std::uint64_t seed, std::size_t finding_every) {
  return Maker(seed, bytes).take(bytes, finding_every);
}

}  // namespace candor::dlp
