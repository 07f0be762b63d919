// How candor-verify says what it found: sentences on a terminal, one JSON object with --json, and
// an exit code.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "ledger/finding.h"

namespace candor::verify {

inline constexpr int kVerified = 0;
inline constexpr int kFailed = 1;       // a promise failed: evidence of tampering
inline constexpr int kMalformed = 2;    // bad usage, an unreadable file, not such a document
inline constexpr int kNotExcluded = 3;  // verified, but something is not excluded (with --strict)

struct Output {
  bool json = false;
  bool strict = false;
};

struct Report {
  std::string kind;                                        // "receipt", "log", "heads"
  std::string title;                                       // one line
  std::vector<std::pair<std::string, std::string>> facts;  // shown in order
  std::vector<ledger::Finding> findings;
};

// Prints to standard output and gives the exit code.
[[nodiscard]] int print(const Report& report, const Output& output);
// Prints what went wrong and gives kMalformed.
[[nodiscard]] int print(const Error& error, const Output& output);

}  // namespace candor::verify
