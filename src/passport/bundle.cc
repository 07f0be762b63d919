#include "passport/bundle.h"

#include <fmt/format.h>

#include "passport/internal/fields.h"

namespace candor::passport {
namespace {

constexpr std::size_t kMaxCertificates = 16;
constexpr std::size_t kMaxLogEntries = 16;
constexpr std::size_t kMaxTimestamps = 32;
constexpr std::size_t kMaxProof = 64;

std::unexpected<Error> malformed(std::string what) {
  return fail(Code::kInvalidArgument, std::move(what));
}

Result<const json::Object*> as_object(const json::Value& value, std::string_view what) {
  if (!value.is_object()) return malformed(fmt::format("{} must be an object", what));
  return &value.get_object();
}

Result<InclusionProof> parse_proof(const json::Object& object) {
  TRY(known_members(object, "inclusionProof",
                    {"logIndex", "rootHash", "treeSize", "hashes", "checkpoint"}));
  InclusionProof out;
  out.index = TRY(number_member(object, "logIndex"));
  out.root = TRY(digest_member(object, "rootHash"));
  out.tree_size = TRY(number_member(object, "treeSize"));
  if (member(object, "hashes") != nullptr) {
    const json::Array& hashes = *TRY(array_member(object, "hashes"));
    if (hashes.size() > kMaxProof) return malformed("an inclusion proof has at most 64 hashes");
    for (const json::Value& hash : hashes) {
      const auto digest = digest_from_base64(hash.is_string() ? hash.get_string() : "");
      if (!digest) return malformed("a hash of the inclusion proof is not 32 bytes in base64");
      out.hashes.push_back(*digest);
    }
  }
  if (member(object, "checkpoint") != nullptr) {
    const json::Object& checkpoint = *TRY(object_member(object, "checkpoint"));
    TRY(known_members(checkpoint, "checkpoint", {"envelope"}));
    out.checkpoint = TRY(text_member(checkpoint, "envelope"));
  }
  return out;
}

Result<LogEntry> parse_entry(const json::Value& value) {
  const json::Object& object = *TRY(as_object(value, "an element of tlogEntries"));
  TRY(known_members(object, "an element of tlogEntries",
                    {"logIndex", "logId", "kindVersion", "integratedTime", "inclusionPromise",
                     "inclusionProof", "canonicalizedBody"}));
  LogEntry out;
  // Zero is written as nothing by protobuf's JSON.
  if (member(object, "logIndex") != nullptr) out.index = TRY(number_member(object, "logIndex"));
  const json::Object& log = *TRY(object_member(object, "logId"));
  TRY(known_members(log, "logId", {"keyId"}));
  out.log_id = TRY(bytes_member(log, "keyId"));
  const json::Object& kind = *TRY(object_member(object, "kindVersion"));
  TRY(known_members(kind, "kindVersion", {"kind", "version"}));
  out.kind = TRY(text_member(kind, "kind"));
  out.version = TRY(text_member(kind, "version"));
  if (member(object, "integratedTime") != nullptr) {
    const std::uint64_t at = TRY(number_member(object, "integratedTime"));
    if (at > 253'402'300'799) return malformed("integratedTime is past the year 9999");
    if (at != 0) out.integrated_s = at;
  }
  if (member(object, "inclusionPromise") != nullptr) {
    const json::Object& promise = *TRY(object_member(object, "inclusionPromise"));
    TRY(known_members(promise, "inclusionPromise", {"signedEntryTimestamp"}));
    out.promise = TRY(bytes_member(promise, "signedEntryTimestamp"));
  }
  if (member(object, "inclusionProof") != nullptr) {
    const json::Object* proof = TRY(object_member(object, "inclusionProof"));
    out.proof = TRY(parse_proof(*proof));
  }
  out.body = TRY(bytes_member(object, "canonicalizedBody"));
  return out;
}

Result<Bytes> parse_raw(const json::Value& value, std::string_view what) {
  const json::Object& object = *TRY(as_object(value, what));
  TRY(known_members(object, what, {"rawBytes"}));
  return TRY(bytes_member(object, "rawBytes"));
}

Result<void> parse_times(const json::Object& material, Bundle& out) {
  if (member(material, "timestampVerificationData") == nullptr) return {};
  const json::Object& data = *TRY(object_member(material, "timestampVerificationData"));
  TRY(known_members(data, "timestampVerificationData", {"rfc3161Timestamps"}));
  if (member(data, "rfc3161Timestamps") == nullptr) return {};
  const json::Array& list = *TRY(array_member(data, "rfc3161Timestamps"));
  if (list.size() > kMaxTimestamps) return malformed("a bundle has at most 32 timestamps");
  for (const json::Value& one : list) {
    const json::Object& object = *TRY(as_object(one, "an element of rfc3161Timestamps"));
    TRY(known_members(object, "an element of rfc3161Timestamps", {"signedTimestamp"}));
    out.timestamps.push_back(TRY(bytes_member(object, "signedTimestamp")));
  }
  return {};
}

Result<void> parse_signer(const json::Object& material, Bundle& out) {
  const bool key = member(material, "publicKey") != nullptr;
  const bool chain = member(material, "x509CertificateChain") != nullptr;
  const bool certificate = member(material, "certificate") != nullptr;
  if (static_cast<int>(key) + static_cast<int>(chain) + static_cast<int>(certificate) != 1) {
    return malformed(
        "verificationMaterial must hold one of publicKey, x509CertificateChain and certificate");
  }
  if (key) {
    out.method = Bundle::Method::kKey;
    const json::Object& object = *TRY(object_member(material, "publicKey"));
    TRY(known_members(object, "publicKey", {"hint", "rawBytes", "keyDetails"}));
    if (member(object, "hint") != nullptr) out.key_hint = TRY(text_member(object, "hint"));
    if (member(object, "rawBytes") != nullptr) out.key_pem = TRY(bytes_member(object, "rawBytes"));
    return {};
  }
  if (certificate) {
    out.method = Bundle::Method::kSigstore;
    out.certificates.push_back(TRY(parse_raw(*member(material, "certificate"), "certificate")));
    return {};
  }
  out.method = Bundle::Method::kCertificate;
  const json::Object& object = *TRY(object_member(material, "x509CertificateChain"));
  TRY(known_members(object, "x509CertificateChain", {"certificates"}));
  const json::Array& list = *TRY(array_member(object, "certificates"));
  if (list.empty() || list.size() > kMaxCertificates) {
    return malformed("x509CertificateChain must hold 1 to 16 certificates");
  }
  for (const json::Value& one : list) {
    out.certificates.push_back(TRY(parse_raw(one, "an element of certificates")));
  }
  return {};
}

Result<void> parse_material(const json::Object& material, Bundle& out) {
  TRY(known_members(material, "verificationMaterial",
                    {"publicKey", "x509CertificateChain", "certificate", "tlogEntries",
                     "timestampVerificationData"}));
  TRY(parse_signer(material, out));
  if (member(material, "tlogEntries") != nullptr) {
    const json::Array& entries = *TRY(array_member(material, "tlogEntries"));
    if (entries.size() > kMaxLogEntries) return malformed("a bundle has at most 16 log entries");
    for (const json::Value& entry : entries) out.log_entries.push_back(TRY(parse_entry(entry)));
  }
  if (out.method == Bundle::Method::kSigstore && out.log_entries.empty()) {
    return malformed("a sigstore bundle must hold tlogEntries");
  }
  return parse_times(material, out);
}

Result<Envelope> parse_envelope(const json::Object& object) {
  TRY(known_members(object, "dsseEnvelope", {"payload", "payloadType", "signatures"}));
  Envelope out;
  out.payload_type = TRY(text_member(object, "payloadType"));
  if (out.payload_type != kPayloadType) {
    return fail(Code::kFailedPrecondition, fmt::format("a payload of type '{}' is not taken: {} is",
                                                       shown(out.payload_type), kPayloadType));
  }
  out.payload = TRY(bytes_member(object, "payload"));
  if (out.payload.empty()) return malformed("the envelope's payload is empty");
  const json::Array& list = *TRY(array_member(object, "signatures"));
  if (list.empty()) return malformed("the envelope holds no signature");
  if (list.size() > 1) {
    return fail(Code::kFailedPrecondition, "an envelope with more than one signature is not taken");
  }
  const json::Object& signature = *TRY(as_object(list.front(), "an element of signatures"));
  TRY(known_members(signature, "an element of signatures", {"sig", "keyid"}));
  out.signature = TRY(bytes_member(signature, "sig"));
  if (out.signature.empty()) return malformed("the envelope's signature is empty");
  return out;
}

}  // namespace

std::string_view to_string(Bundle::Method method) noexcept {
  switch (method) {
    case Bundle::Method::kKey: return "key";
    case Bundle::Method::kCertificate: return "certificate";
    case Bundle::Method::kSigstore: return "sigstore";
  }
  return "";
}

Result<Bundle> parse_bundle(std::string_view text) {
  const json::Value value = TRY(json::parse(text, {.max_bytes = kMaxBundleBytes, .max_depth = 16}));
  const json::Object& object = *TRY(as_object(value, "a bundle"));
  const std::string type = TRY(text_member(object, "mediaType"));
  if (type != kBundleMediaType && type != "application/vnd.dev.sigstore.bundle+json;version=0.3") {
    return fail(Code::kFailedPrecondition,
                fmt::format("a bundle of type '{}' is not taken: version 0.3 is", shown(type)));
  }
  if (member(object, "messageSignature") != nullptr) {
    return fail(Code::kFailedPrecondition,
                "a bundle with messageSignature is not taken: dsseEnvelope is");
  }
  TRY(known_members(object, "the bundle",
                    {"mediaType", "verificationMaterial", "dsseEnvelope", "messageSignature"}));
  Bundle out;
  const json::Object* material = TRY(object_member(object, "verificationMaterial"));
  TRY(parse_material(*material, out));
  const json::Object* envelope = TRY(object_member(object, "dsseEnvelope"));
  out.envelope = TRY(parse_envelope(*envelope));
  return out;
}

Bytes pre_authentication(std::string_view payload_type, ByteView payload) {
  const std::string head =
      fmt::format("DSSEv1 {} {} {} ", payload_type.size(), payload_type, payload.size());
  Bytes out = to_bytes(as_bytes(head));
  out.insert(out.end(), payload.begin(), payload.end());
  return out;
}

}  // namespace candor::passport
