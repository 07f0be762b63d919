// C2SP signed notes (https://c2sp.org/signed-note), verifier keys and cosignature/v1
// (https://c2sp.org/tlog-cosignature). A note is a text ending in a newline, a blank line and
// signature lines "— <name> base64(key id || signature)". Pure; parsers are safe on hostile input:
// at most 64 KiB and 64 signature lines.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "crypto/sign.h"

namespace candor::ledger {

inline constexpr std::size_t kMaxNoteBytes = 65'536;
inline constexpr std::size_t kMaxNoteSignatures = 64;

enum class KeyKind : std::uint8_t {
  kEd25519 = 0x01,        // signs the note's text: logs
  kCosignatureV1 = 0x04,  // signs a time and the checkpoint: witnesses
};

struct VerifierKey {
  std::string name;
  KeyKind kind = KeyKind::kEd25519;
  crypto::PublicKey key{};
  bool operator==(const VerifierKey&) const = default;
};

// First four bytes of SHA-256(name || 0x0A || kind || key), big-endian.
[[nodiscard]] std::uint32_t key_id(const VerifierKey& key);
// name+<8 hex digits>+base64(kind || key), as Go's sumdb and Tessera read it.
[[nodiscard]] std::string format_verifier_key(const VerifierKey& key);
// Unknown kinds, a wrong id and a name with a space or plus are kInvalidArgument.
[[nodiscard]] Result<VerifierKey> parse_verifier_key(std::string_view text);
// Not empty, no plus, no Unicode white space, valid UTF-8, no control character.
[[nodiscard]] bool is_key_name(std::string_view name);

struct NoteSignature {
  std::string name;
  std::uint32_t id = 0;
  Bytes signature;  // of any length: kinds we do not know are kept
};

struct Note {
  std::string text;  // with its final newline
  std::vector<NoteSignature> signatures;
};

[[nodiscard]] Result<Note> parse_note(std::string_view note);
[[nodiscard]] std::string format_note(const Note& note);

[[nodiscard]] NoteSignature sign_note(std::string_view text, std::string_view name,
                                      const crypto::SigningKey& key);
// For tests and witnesses: a timestamped cosignature; seconds since the epoch.
[[nodiscard]] NoteSignature cosign_note(std::string_view text, std::string_view name,
                                        const crypto::SigningKey& key, std::uint64_t seconds);

// kNotFound: no line of this key (name and id). kDataLoss: a line names the key and its signature
// is wrong (evidence that text or line was changed). kInvalidArgument: the key is of the other
// kind.
[[nodiscard]] Result<void> verify_note(const Note& note, const VerifierKey& key);
// The same for a witness; gives the newest time among its valid lines, in seconds since the epoch.
[[nodiscard]] Result<std::uint64_t> verify_cosignature(const Note& note,
                                                       const VerifierKey& witness);

}  // namespace candor::ledger
