// Timestamps of others (RFC 3161), from OpenSSL. Pure; thread-safe; hostile input is expected.
#pragma once

#include <cstdint>
#include <span>

#include "base/bytes.h"
#include "base/result.h"
#include "crypto/certificate.h"

namespace candor::crypto {

// The time (Unix seconds) at which the authority of chain (its certificate first, its root last, at
// least two) signed a hash of message (SHA-256, SHA-384 or SHA-512). response: a TimeStampResp in
// DER, at most 64 KiB. The chain must hold at that time. kInvalidArgument: malformed. kDataLoss: it
// is for other bytes. kPermissionDenied: not signed by this authority, or its chain does not hold.
[[nodiscard]] Result<std::int64_t> verify_timestamp(ByteView response, ByteView message,
                                                    std::span<const Certificate> chain);

}  // namespace candor::crypto
