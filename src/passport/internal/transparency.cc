#include "passport/internal/transparency.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/text.h"
#include "crypto/hash.h"
#include "json/json.h"
#include "ledger/merkle.h"
#include "ledger/note.h"
#include "passport/internal/fields.h"

namespace candor::passport {
namespace {

constexpr std::size_t kNoteIdBytes = 4;

std::unexpected<Error> malformed(std::string what) {
  return fail(Code::kInvalidArgument, std::move(what));
}

std::unexpected<Error> other_body(std::string_view what) {
  return fail(Code::kDataLoss, fmt::format("the log's entry is about another {}", what));
}

// Origin, size, root; what follows is not read.
Result<void> check_checkpoint(std::string_view text, const InclusionProof& proof) {
  std::array<std::string_view, 3> lines;
  for (std::string_view& line : lines) {
    const std::size_t end = text.find('\n');
    if (end == std::string_view::npos) return malformed("a checkpoint has three lines");
    line = text.substr(0, end);
    text.remove_prefix(end + 1);
  }
  const auto size = parse_decimal(lines[1]);
  const auto root = digest_from_base64(lines[2]);
  if (lines[0].empty() || !size || !root) return malformed("not a checkpoint");
  if (*size != proof.tree_size || *root != proof.root) {
    return fail(Code::kDataLoss, "the checkpoint is of another tree than the inclusion proof");
  }
  return {};
}

Result<const json::Object*> spec_of(const json::Value& value, const LogEntry& entry) {
  if (!value.is_object()) return malformed("a log entry's body must be an object");
  const json::Object& object = value.get_object();
  const std::string kind = TRY(text_member(object, "kind"));
  const std::string version = TRY(text_member(object, "apiVersion"));
  if (kind != entry.kind || version != entry.version) {
    return malformed("a log entry's body is of another kind than it says");
  }
  return object_member(object, "spec");
}

Result<void> verify_dsse(const json::Object& spec, const Envelope& envelope,
                         const crypto::Certificate& signer) {
  const json::Object& hash = *TRY(object_member(spec, "payloadHash"));
  const std::string algorithm = TRY(text_member(hash, "algorithm"));
  if (algorithm != "sha256") {
    return fail(Code::kFailedPrecondition,
                fmt::format("a log entry with the hash '{}' is not taken", shown(algorithm)));
  }
  const Digest payload = TRY(hex_member(hash, "value"));
  if (payload != crypto::sha256(envelope.payload)) return other_body("statement");
  const json::Array& list = *TRY(array_member(spec, "signatures"));
  if (list.size() != 1 || !list.front().is_object()) return other_body("signature");
  const json::Object& signature = list.front().get_object();
  const Bytes content = TRY(bytes_member(signature, "signature"));
  if (content != envelope.signature) return other_body("signature");
  const Bytes pem = TRY(bytes_member(signature, "verifier"));
  const auto certificates = TRY(crypto::Certificate::list_from_pem(as_text(pem)));
  if (certificates.size() != 1 || certificates.front().der() != signer.der()) {
    return other_body("certificate");
  }
  return {};
}

// Rekor v2 (rekor-tiles): the hash is over the envelope's pre-authentication encoding.
Result<void> verify_hashedrekord(const json::Object& spec, const Envelope& envelope,
                                 const crypto::Certificate& signer) {
  const json::Object& inner = *TRY(object_member(spec, "hashedRekordV002"));
  const json::Object& data = *TRY(object_member(inner, "data"));
  const std::string algorithm = TRY(text_member(data, "algorithm"));
  if (algorithm != "SHA2_256") {
    return fail(Code::kFailedPrecondition,
                fmt::format("a log entry with the hash '{}' is not taken", shown(algorithm)));
  }
  const Digest digest = TRY(digest_member(data, "digest"));
  if (digest != crypto::sha256(pre_authentication(envelope.payload_type, envelope.payload))) {
    return other_body("statement");
  }
  const json::Object& signature = *TRY(object_member(inner, "signature"));
  const Bytes content = TRY(bytes_member(signature, "content"));
  if (content != envelope.signature) return other_body("signature");
  const json::Object& verifier = *TRY(object_member(signature, "verifier"));
  const json::Object& certificate = *TRY(object_member(verifier, "x509Certificate"));
  const Bytes der = TRY(bytes_member(certificate, "rawBytes"));
  if (der != signer.der()) return other_body("certificate");
  return {};
}

struct Sct {
  Digest log_id{};
  std::uint64_t timestamp_ms = 0;
  ByteView extensions, signature;
};

// RFC 6962 section 3.3: a list with one element, in TLS encoding, in a DER octet string.
Result<Sct> parse_sct(ByteView extension) {
  ByteReader list(TRY(der_content(extension, std::byte{0x04})));
  const std::uint16_t list_bytes = TRY(list.u16());
  if (list_bytes != list.remaining()) return malformed("the list of certificate timestamps");
  const std::uint16_t bytes = TRY(list.u16());
  ByteReader reader(TRY(list.bytes(bytes)));
  if (list.remaining() != 0) {
    return fail(Code::kFailedPrecondition,
                "a certificate with more than one signed certificate timestamp is not taken");
  }
  if (TRY(reader.u8()) != 0) {
    return fail(Code::kFailedPrecondition, "a certificate timestamp of another version than 1");
  }
  Sct out;
  out.log_id = TRY(reader.digest());
  out.timestamp_ms = TRY(reader.u64());
  const std::uint16_t extensions = TRY(reader.u16());
  out.extensions = TRY(reader.bytes(extensions));
  const std::uint8_t hash = TRY(reader.u8());
  const std::uint8_t algorithm = TRY(reader.u8());
  if (hash != 4 || algorithm != 3) {  // RFC 5246 section 7.4.1.4.1
    return fail(Code::kFailedPrecondition,
                "a certificate timestamp that is not signed by ECDSA with SHA-256 is not taken");
  }
  const std::uint16_t signature = TRY(reader.u16());
  out.signature = TRY(reader.bytes(signature));
  if (reader.remaining() != 0) return malformed("a certificate timestamp is longer than it says");
  return out;
}

}  // namespace

Result<ByteView> der_content(ByteView der, std::byte tag) {
  if (der.size() < 2 || der[0] != tag) return malformed("not the DER value that belongs here");
  std::size_t at = 2;
  auto size = std::to_integer<std::size_t>(der[1]);
  if (size >= 0x80) {
    const std::size_t more = size - 0x80;
    if (more == 0 || more > 3 || der.size() < at + more) return malformed("a DER length");
    size = 0;
    for (std::size_t i = 0; i < more; ++i) {
      size = (size << 8U) | std::to_integer<std::size_t>(der[at++]);
    }
  }
  if (der.size() - at != size) return malformed("a DER value is not as long as it says");
  return der.subspan(at);
}

Result<void> verify_promise(const LogEntry& entry, const LogKey& log) {
  if (!entry.promise || !entry.integrated_s) {
    return malformed("an inclusion promise needs an integrated time");
  }
  json::Object promised;
  promised["body"] = to_base64(entry.body);
  promised["integratedTime"] = *entry.integrated_s;
  promised["logID"] = to_hex(entry.log_id);
  promised["logIndex"] = entry.index;
  const std::string text = TRY(json::canonical(promised));
  if (log.key.verify(as_bytes(text), *entry.promise)) return {};
  return fail(Code::kDataLoss, "the log's promise (SET) is not of this entry at this time");
}

Result<void> verify_proof(const LogEntry& entry, const LogKey& log) {
  if (!entry.proof || entry.proof->checkpoint.empty()) {
    return malformed("an inclusion proof needs a checkpoint");
  }
  const InclusionProof& proof = *entry.proof;
  TRY(ledger::verify_inclusion(proof.index, proof.tree_size, ledger::hash_leaf(entry.body),
                               proof.hashes, proof.root));
  const ledger::Note note = TRY(ledger::parse_note(proof.checkpoint));
  TRY(check_checkpoint(note.text, proof));
  const std::uint32_t id = TRY(ByteReader(ByteView(log.id).first(kNoteIdBytes)).u32());
  bool named = false;
  for (const ledger::NoteSignature& line : note.signatures) {
    // The line's name is signed by nobody: it must be the origin that is (Rekor v1 adds a number).
    const bool ours = note.text.starts_with(line.name) &&
                      (note.text[line.name.size()] == '\n' || note.text[line.name.size()] == ' ');
    if (line.id != id) continue;
    named = true;
    if (ours && log.key.verify(as_bytes(note.text), line.signature)) return {};
  }
  if (named) return fail(Code::kDataLoss, "the checkpoint's signature is not that of its text");
  return fail(Code::kPermissionDenied, "the checkpoint is not signed by the entry's log");
}

Result<void> verify_body(const LogEntry& entry, const Envelope& envelope,
                         const crypto::Certificate& signer) {
  const json::Value value =
      TRY(json::parse(as_text(entry.body), {.max_bytes = 1U << 20U, .max_depth = 16}));
  const json::Object& spec = *TRY(spec_of(value, entry));
  if (entry.kind == "dsse" && entry.version == "0.0.1") return verify_dsse(spec, envelope, signer);
  if (entry.kind == "hashedrekord" && entry.version == "0.0.2") {
    return verify_hashedrekord(spec, envelope, signer);
  }
  return fail(Code::kFailedPrecondition, fmt::format("a log entry of kind '{}' {} is not taken",
                                                     shown(entry.kind), shown(entry.version)));
}

Result<void> verify_sct(const crypto::Certificate& signer, const crypto::Certificate& issuer,
                        const std::vector<LogKey>& ct_logs) {
  const auto extension = signer.extension("1.3.6.1.4.1.11129.2.4.2");
  if (!extension) {
    return fail(Code::kPermissionDenied,
                "the certificate holds no signed certificate timestamp (SCT)");
  }
  const Sct sct = TRY(parse_sct(*extension));
  const Bytes tbs = TRY(signer.precertificate());
  const crypto::VerifyingKey issuer_key = TRY(issuer.key());
  Bytes message{std::byte{0}, std::byte{0}};  // version 1, certificate_timestamp
  put_u64(message, sct.timestamp_ms);
  put_u16(message, 1);  // precert_entry
  put_bytes(message, crypto::sha256(issuer_key.spki()));
  message.push_back(static_cast<std::byte>(tbs.size() >> 16U));
  put_u16(message, static_cast<std::uint16_t>(tbs.size() & 0xFFFFU));
  put_bytes(message, tbs);
  put_u16(message, static_cast<std::uint16_t>(sct.extensions.size()));
  put_bytes(message, sct.extensions);
  bool known = false;
  for (const LogKey& log : ct_logs) {
    if (!std::ranges::equal(log.id, sct.log_id)) continue;
    if (!log.validity.holds(static_cast<std::int64_t>(
            std::min<std::uint64_t>(sct.timestamp_ms / 1'000, 1ULL << 50U)))) {
      continue;
    }
    known = true;
    if (log.key.verify(message, sct.signature)) return {};
  }
  if (known) {
    return fail(Code::kDataLoss, "the certificate's SCT is not of this certificate");
  }
  return fail(Code::kPermissionDenied, "the certificate's SCT is by no CT log of the trusted root");
}

}  // namespace candor::passport
