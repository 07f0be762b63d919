// Whom a Sigstore verifier trusts: a trusted_root.json (sigstore's protobuf-specs, TrustedRoot v0.1
// and v0.2). It is the user's word, but parsed as if hostile. Pure.
#pragma once

#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "crypto/certificate.h"
#include "crypto/public_key.h"

namespace candor::passport {

struct Validity {  // Unix seconds, both ends included
  std::int64_t start_s = 0;
  std::int64_t end_s = std::numeric_limits<std::int64_t>::max();
  [[nodiscard]] bool holds(std::int64_t at_s) const noexcept {
    return start_s <= at_s && at_s <= end_s;
  }
};

struct LogKey {
  Bytes id;  // 32 bytes
  crypto::VerifyingKey key;
  Validity validity{};
};

struct Authority {
  std::vector<crypto::Certificate> chain;  // the root last
  Validity validity{};
};

struct TrustedRoot {
  std::vector<LogKey> logs, ct_logs;
  std::vector<Authority> authorities, timestamp_authorities;
};

// Keys of kinds that are not taken (keyDetails) are left out: a signature that needs one is refused
// later. kInvalidArgument: malformed. kFailedPrecondition: another version.
[[nodiscard]] Result<TrustedRoot> parse_trusted_root(std::string_view json);

// 2026-11-26T06:00:00Z, with or without a fraction (which is dropped). kInvalidArgument.
[[nodiscard]] Result<std::int64_t> parse_time(std::string_view text);

}  // namespace candor::passport
