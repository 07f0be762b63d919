// Bearer tokens of an OpenID Connect provider: JSON Web Tokens (RFC 7519) under a signature (RFC
// 7515), checked as RFC 8725 (best current practice) and RFC 9068 (access tokens) ask:
//   - the algorithm is one of those allowed, fits the key, and is the key's own if it names one; no
//     token chooses its key by anything but "kid", so "none", HS256 with a public key, "jwk",
//     "jku", "x5u" and "crit" open nothing
//   - issuer equal byte for byte, the audience among the token's, expiry needed, skew bounded
// Pure; thread-safe; hostile input is expected.
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <vector>

#include "oidc/key_set.h"

namespace candor::oidc {

inline constexpr std::size_t kMaxTokenBytes = 16U << 10U;
inline constexpr std::size_t kMaxGroups = 256;

struct Expected {
  std::string issuer;
  std::vector<std::string> audiences;  // one of them must be the token's
  std::vector<crypto::JwsAlgorithm> algorithms;
  std::int64_t skew_s = 60;             // clocks may differ by so much
  std::string user_claim = "sub";       // who: a text of 1 to 255 bytes
  std::string groups_claim = "groups";  // texts, or one text; absent: none
};

struct Claims {
  std::string user;
  std::vector<std::string> groups;
  std::int64_t expires_s = 0;  // Unix time
};

enum class Refusal : std::uint8_t {
  kMalformed,   // no JWT of the compact form, or a claim of the wrong kind
  kAlgorithm,   // not one of those allowed, or not the key's
  kUnknownKey,  // no key of this kid: newer keys may hold it
  kSignature,
  kIssuer,
  kAudience,
  kExpired,
  kNotYet,
  kNoUser,
};
// A sentence for the person who sent it; says what to do.
[[nodiscard]] std::string_view explain(Refusal refusal) noexcept;

[[nodiscard]] std::expected<Claims, Refusal> verify_token(std::string_view token,
                                                          const KeySet& keys,
                                                          const Expected& expected,
                                                          std::int64_t now_s);

}  // namespace candor::oidc
