// The keys an identity provider signs with: a JSON Web Key Set (RFC 7517). Pure; a set is immutable
// and may be shared by threads. Hostile input is expected.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "crypto/jws.h"

namespace candor::oidc {

inline constexpr std::size_t kMaxKeySetBytes = 256U << 10U;
inline constexpr std::size_t kMaxKeys = 64;

struct SetKey {
  std::string id;                                 // "kid"; may be empty
  std::optional<crypto::JwsAlgorithm> algorithm;  // "alg": then no other may be used with it
  crypto::JwsKey key;
};

struct KeySet {
  std::vector<SetKey> keys;
};

// Keys that are not for signatures, symmetric, weak or malformed ones and kinds that are not known
// are left out (RFC 7517 section 5); none may be left, which takes all of them back.
// kInvalidArgument: no such document, or more than kMaxKeys.
[[nodiscard]] Result<KeySet> parse_key_set(std::string_view text);

}  // namespace candor::oidc
