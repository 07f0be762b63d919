#include "ledger/note.h"

#include <algorithm>

#include "base/text.h"
#include "crypto/hash.h"

namespace candor::ledger {
namespace {

constexpr std::string_view kDash = "\xE2\x80\x94 ";  // em dash, space
constexpr std::size_t kIdBytes = 4;
constexpr std::size_t kTimestampBytes = 8;

std::uint32_t be32(ByteView b) {
  return (std::to_integer<std::uint32_t>(b[0]) << 24U) |
         (std::to_integer<std::uint32_t>(b[1]) << 16U) |
         (std::to_integer<std::uint32_t>(b[2]) << 8U) | std::to_integer<std::uint32_t>(b[3]);
}

// Unicode's White_Space property; UTF-8 has been checked before.
bool has_space(std::string_view text) {
  for (const char c : text) {
    if (c == ' ' || (c >= '\t' && c <= '\r')) return true;
  }
  static constexpr std::string_view kWide[] = {
      "\xC2\x85",     "\xC2\xA0",     "\xE1\x9A\x80", "\xE2\x80\xA8",
      "\xE2\x80\xA9", "\xE2\x80\xAF", "\xE2\x81\x9F", "\xE3\x80\x80",
  };
  for (const std::string_view space : kWide) {
    if (text.contains(space)) return true;
  }
  for (char last = '\x80'; last <= '\x8A'; ++last) {  // U+2000 to U+200A
    const char space[] = {'\xE2', '\x80', last};
    if (text.contains(std::string_view(space, sizeof space))) return true;
  }
  return false;
}

bool has_control(std::string_view text) {
  return std::ranges::any_of(
      text, [](char c) { return static_cast<unsigned char>(c) < 0x20 && c != '\n'; });
}

std::string cosigned_message(std::string_view text, std::uint64_t seconds) {
  std::string message = "cosignature/v1\ntime ";
  message += std::to_string(seconds);
  message += '\n';
  message += text;
  return message;
}

bool is_line_of(const NoteSignature& line, const VerifierKey& key) {
  return line.id == key_id(key) && line.name == key.name;
}

}  // namespace

std::uint32_t key_id(const VerifierKey& key) {
  const std::byte middle[] = {std::byte{'\n'}, static_cast<std::byte>(key.kind)};
  return be32(crypto::sha256({as_bytes(key.name), ByteView(middle), key.key}));
}

bool is_key_name(std::string_view name) {
  return !name.empty() && is_utf8(name) && !name.contains('+') && !name.contains('\n') &&
         !has_control(name) && !has_space(name);
}

std::string format_verifier_key(const VerifierKey& key) {
  const std::uint32_t id = key_id(key);
  const std::byte id_bytes[] = {static_cast<std::byte>(id >> 24U),
                                static_cast<std::byte>(id >> 16U), static_cast<std::byte>(id >> 8U),
                                static_cast<std::byte>(id)};
  Bytes encoded{static_cast<std::byte>(key.kind)};
  put_bytes(encoded, key.key);
  return key.name + "+" + to_hex(id_bytes) + "+" + to_base64(encoded);
}

Result<VerifierKey> parse_verifier_key(std::string_view text) {
  // name+id+key: base64 may hold a plus, the name and the id may not.
  const std::size_t first = text.find('+');
  const std::size_t second =
      first == std::string_view::npos ? std::string_view::npos : text.find('+', first + 1);
  if (second == std::string_view::npos || second - first - 1 != 8) {
    return fail(Code::kInvalidArgument, "a verifier key is name+8 hex digits+base64");
  }
  VerifierKey key;
  key.name = text.substr(0, first);
  if (!is_key_name(key.name)) return fail(Code::kInvalidArgument, "not a key name");
  const Bytes id = TRY(from_hex(text.substr(first + 1, 8)));
  const Bytes encoded = TRY(from_base64(text.substr(second + 1)));
  if (encoded.size() != 1 + key.key.size()) {
    return fail(Code::kInvalidArgument, "a verifier key of an unknown kind or length");
  }
  switch (std::to_integer<unsigned>(encoded.front())) {
    case 0x01: key.kind = KeyKind::kEd25519; break;
    case 0x04: key.kind = KeyKind::kCosignatureV1; break;
    default: return fail(Code::kInvalidArgument, "a verifier key of an unknown kind");
  }
  std::ranges::copy(ByteView(encoded).subspan(1), key.key.begin());
  if (be32(id) != key_id(key)) {
    return fail(Code::kInvalidArgument, "the key's id does not belong to its name and bytes");
  }
  return key;
}

Result<Note> parse_note(std::string_view note) {
  const auto bad = [](const char* what) { return fail(Code::kInvalidArgument, what); };
  if (note.size() > kMaxNoteBytes) return bad("a note above 64 KiB");
  if (!note.ends_with('\n') || !is_utf8(note) || has_control(note)) return bad("not a signed note");
  const std::size_t split = note.rfind("\n\n");
  if (split == std::string_view::npos) return bad("a note without signatures");
  Note out;
  out.text = note.substr(0, split + 1);
  std::string_view lines = note.substr(split + 2);
  if (lines.empty()) return bad("a note without signatures");
  while (!lines.empty()) {
    if (out.signatures.size() == kMaxNoteSignatures) return bad("a note with too many signatures");
    const std::size_t end = lines.find('\n');
    std::string_view line = lines.substr(0, end);
    lines.remove_prefix(end + 1);
    if (!line.starts_with(kDash)) return bad("a signature line does not start with a dash");
    line.remove_prefix(kDash.size());
    const std::size_t space = line.find(' ');
    if (space == std::string_view::npos || !is_key_name(line.substr(0, space))) {
      return bad("a signature line without a key name");
    }
    const auto bytes = from_base64(line.substr(space + 1));
    if (!bytes || bytes->size() <= kIdBytes) return bad("a signature line without a signature");
    out.signatures.push_back({.name = std::string(line.substr(0, space)),
                              .id = be32(*bytes),
                              .signature = to_bytes(ByteView(*bytes).subspan(kIdBytes))});
  }
  return out;
}

std::string format_note(const Note& note) {
  std::string out = note.text;
  out += '\n';
  for (const NoteSignature& line : note.signatures) {
    Bytes bytes;
    bytes.reserve(kIdBytes + line.signature.size());
    put_u32(bytes, line.id);
    put_bytes(bytes, line.signature);
    out += kDash;
    out += line.name;
    out += ' ';
    out += to_base64(bytes);
    out += '\n';
  }
  return out;
}

NoteSignature sign_note(std::string_view text, std::string_view name,
                        const crypto::SigningKey& key) {
  const VerifierKey verifier{
      .name = std::string(name), .kind = KeyKind::kEd25519, .key = key.public_key()};
  const crypto::Signature signature = key.sign(as_bytes(text));
  return {.name = verifier.name, .id = key_id(verifier), .signature = to_bytes(signature)};
}

NoteSignature cosign_note(std::string_view text, std::string_view name,
                          const crypto::SigningKey& key, std::uint64_t seconds) {
  const VerifierKey verifier{
      .name = std::string(name), .kind = KeyKind::kCosignatureV1, .key = key.public_key()};
  const crypto::Signature signature = key.sign(as_bytes(cosigned_message(text, seconds)));
  Bytes bytes;
  put_u64(bytes, seconds);
  put_bytes(bytes, signature);
  return {.name = verifier.name, .id = key_id(verifier), .signature = std::move(bytes)};
}

Result<void> verify_note(const Note& note, const VerifierKey& key) {
  if (key.kind != KeyKind::kEd25519) {
    return fail(Code::kInvalidArgument, "a witness's key cannot verify a log's signature");
  }
  bool found = false;
  for (const NoteSignature& line : note.signatures) {
    if (!is_line_of(line, key)) continue;
    found = true;
    crypto::Signature signature;
    if (line.signature.size() == signature.size()) {
      std::ranges::copy(line.signature, signature.begin());
      if (crypto::verify(key.key, as_bytes(note.text), signature)) continue;
    }
    return fail(Code::kDataLoss, "the signature of " + key.name + " is wrong");
  }
  if (!found) return fail(Code::kNotFound, key.name + " has not signed");
  return {};
}

Result<std::uint64_t> verify_cosignature(const Note& note, const VerifierKey& witness) {
  if (witness.kind != KeyKind::kCosignatureV1) {
    return fail(Code::kInvalidArgument, "a log's key cannot verify a cosignature");
  }
  bool found = false;
  std::uint64_t newest = 0;
  for (const NoteSignature& line : note.signatures) {
    if (!is_line_of(line, witness)) continue;
    found = true;
    crypto::Signature signature;
    if (line.signature.size() == kTimestampBytes + signature.size()) {
      ByteReader reader(line.signature);
      const std::uint64_t seconds = TRY(reader.u64());
      std::ranges::copy(TRY(reader.bytes(signature.size())), signature.begin());
      if (seconds <= INT64_MAX &&
          crypto::verify(witness.key, as_bytes(cosigned_message(note.text, seconds)), signature)) {
        newest = std::max(newest, seconds);
        continue;
      }
    }
    return fail(Code::kDataLoss, "the cosignature of " + witness.name + " is wrong");
  }
  if (!found) return fail(Code::kNotFound, witness.name + " has not cosigned");
  return newest;
}

}  // namespace candor::ledger
