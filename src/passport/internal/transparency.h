// The two logs of Sigstore: what a Rekor entry proves, and what a CT log signed.
#pragma once

#include <cstdint>

#include "base/result.h"
#include "crypto/certificate.h"
#include "passport/bundle.h"
#include "passport/trusted_root.h"

namespace candor::passport {

// SET over {body, integratedTime, logID, logIndex}. kDataLoss.
[[nodiscard]] Result<void> verify_promise(const LogEntry& entry, const LogKey& log);
// The proof leads to its root, and the log signed that root and size. kInvalidArgument,
// kPermissionDenied (no signature of this log), kDataLoss.
[[nodiscard]] Result<void> verify_proof(const LogEntry& entry, const LogKey& log);
// The entry is about this envelope and certificate. kDataLoss; kFailedPrecondition (another kind).
[[nodiscard]] Result<void> verify_body(const LogEntry& entry, const Envelope& envelope,
                                       const crypto::Certificate& signer);
// The certificate's one SCT (RFC 6962 section 3.2), by one of ct_logs. kPermissionDenied and
// others.
[[nodiscard]] Result<void> verify_sct(const crypto::Certificate& signer,
                                      const crypto::Certificate& issuer,
                                      const std::vector<LogKey>& ct_logs);

// Content of a DER value of this tag (one byte) that fills der. kInvalidArgument.
[[nodiscard]] Result<ByteView> der_content(ByteView der, std::byte tag);

}  // namespace candor::passport
