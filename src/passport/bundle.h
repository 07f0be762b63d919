// Sigstore bundles, version 0.3, with a DSSE envelope (docs/formats/model-signature.md; sigstore's
// protobuf-specs; DSSE 1.0). Parsing says what stands there, nothing of whether it holds:
// signature.h and sigstore.h do. Pure; hostile input is expected.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"

namespace candor::passport {

inline constexpr std::size_t kMaxBundleBytes = 64U << 20U;
inline constexpr std::string_view kPayloadType = "application/vnd.in-toto+json";
inline constexpr std::string_view kBundleMediaType =
    "application/vnd.dev.sigstore.bundle.v0.3+json";

struct InclusionProof {
  std::uint64_t index = 0, tree_size = 0;
  Digest root{};
  std::vector<Digest> hashes;  // from the leaf up, at most 64
  std::string checkpoint;      // a signed note; may be empty: then the proof proves nothing
};

struct LogEntry {
  std::string kind, version;
  Bytes log_id;
  std::uint64_t index = 0;
  std::optional<std::uint64_t> integrated_s;  // Unix time; only with a promise is it signed
  std::optional<Bytes> promise;               // SET: a signature in DER
  std::optional<InclusionProof> proof;
  Bytes body;
};

struct Envelope {
  std::string payload_type;
  Bytes payload, signature;
};

struct Bundle {
  enum class Method : std::uint8_t { kKey, kCertificate, kSigstore };
  Method method = Method::kKey;
  std::string key_hint;               // kKey; may be empty
  Bytes key_pem;                      // kKey, v1.0.0 alone; may be empty
  std::vector<Bytes> certificates;    // DER; the signer's first. kSigstore: one
  std::vector<LogEntry> log_entries;  // kSigstore: at least one
  std::vector<Bytes> timestamps;      // RFC 3161 responses
  Envelope envelope;
};

[[nodiscard]] std::string_view to_string(Bundle::Method method) noexcept;

// kInvalidArgument: malformed. kFailedPrecondition: well formed, but not taken here; names it.
[[nodiscard]] Result<Bundle> parse_bundle(std::string_view json);
// For kKey and kCertificate: what we sign.
[[nodiscard]] std::string format_bundle(const Bundle& bundle);

// DSSE's pre-authentication encoding: what is signed.
[[nodiscard]] Bytes pre_authentication(std::string_view payload_type, ByteView payload);

}  // namespace candor::passport
