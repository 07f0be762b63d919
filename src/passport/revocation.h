// Lists of weights that must not answer any more, signed (docs/formats/revocations.md). Pure;
// hostile input is expected; a malformed list is kInvalidArgument and names the member.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "crypto/public_key.h"
#include "passport/bundle.h"

namespace candor::passport {

inline constexpr std::string_view kRevocationsPredicate = "https://candor/revocations/v1";
inline constexpr std::size_t kMaxRevocations = 1'024;
inline constexpr std::size_t kMaxRevocationsBytes = 512U << 10U;
inline constexpr std::size_t kMaxRevocationsBundle = 900U << 10U;

struct Revocation {
  Digest sha256{};     // of the file of the weights, or of an adapter
  std::string reason;  // for people who are refused; foreign text
  std::string date;    // RFC 3339
  std::string name{};  // by which people knew it; may be empty
  bool operator==(const Revocation&) const = default;
};

struct RevocationList {
  Digest issuer_key{};  // SHA-256 of its SubjectPublicKeyInfo
  std::string issuer;   // a name for people
  std::string made;
  std::uint64_t sequence = 1;
  std::vector<Revocation> revocations{};  // sorted by sha256, none twice
  bool operator==(const RevocationList&) const = default;
};

// RFC 8785, the bytes that are signed.
[[nodiscard]] Result<std::string> format_revocations(const RevocationList& list);
// Only a document that is its own canonical form.
[[nodiscard]] Result<RevocationList> parse_revocations(std::string_view document);

// Adds one or replaces that of the same digest, in order.
void put_revocation(RevocationList& list, Revocation one);

// The signed list: issuer_key is set to the key's. Text of a bundle.
[[nodiscard]] Result<std::string> sign_revocations(RevocationList list,
                                                   const crypto::PemSigningKey& key);

struct SignedRevocations {
  RevocationList list;
  Digest document{};  // SHA-256 of the signed bytes
};
// kInvalidArgument (malformed), kFailedPrecondition (not taken here), kDataLoss (the signature is
// not that of these bytes), kPermissionDenied (another key's, or it names another issuer).
[[nodiscard]] Result<SignedRevocations> read_signed_revocations(std::string_view bundle,
                                                                const crypto::VerifyingKey& key);

// Whether a list may take the place of the one in force: kFailedPrecondition (older), kDataLoss
// (two lists under one number). True: it is newer; false: it is the one in force.
[[nodiscard]] Result<bool> replaces(const SignedRevocations& next, std::uint64_t sequence,
                                    const Digest& document);

}  // namespace candor::passport
