// The verbs of candor-verify. Each gives the exit code of report.h.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "ledger/note.h"
#include "ledger/receipt.h"
#include "report.h"

namespace candor::verify {

// What a verifier brings from elsewhere.
struct TrustOptions {
  std::string log_key;                    // a verifier key, or a file that holds one; may be empty
  std::string pin;                        // a file; may be empty
  std::vector<std::string> witness_keys;  // as log_key
};
struct Trust {
  std::optional<ledger::VerifierKey> log_key;  // the pin's where none was given
  std::optional<ledger::Pin> pin;
  std::vector<ledger::VerifierKey> witnesses;
};
[[nodiscard]] Result<Trust> read_trust(const TrustOptions& options);

struct ReceiptOptions {
  std::string receipt;  // a file, "-", or empty: taken from the response
  std::string request, response, nonce;
  TrustOptions trust;
};
[[nodiscard]] int verify_receipt(const ReceiptOptions& options, const Output& output);

struct LogOptions {
  std::string folder, journal;
  TrustOptions trust;
  unsigned threads = 0;  // 0: as many as the machine has
};
[[nodiscard]] int verify_log(const LogOptions& options, const Output& output);

struct HeadsOptions {
  std::string older, newer;  // checkpoint, receipt or pin
  std::string log;
  TrustOptions trust;
};
[[nodiscard]] int verify_heads(const HeadsOptions& options, const Output& output);

}  // namespace candor::verify
