#include "ledger/checkpoint.h"

#include <algorithm>

#include "base/text.h"
#include "crypto/hash.h"

namespace candor::ledger {
namespace {

// Takes one line without its newline; false when there is none.
bool take_line(std::string_view& text, std::string_view& line) {
  const std::size_t end = text.find('\n');
  if (end == std::string_view::npos) return false;
  line = text.substr(0, end);
  text.remove_prefix(end + 1);
  return true;
}

}  // namespace

std::string log_origin(const crypto::PublicKey& first_key) {
  const Digest digest = crypto::sha256(first_key);
  return "candor/" + to_hex(ByteView(digest).first(16));
}

VerifierKey log_verifier_key(std::string origin, const crypto::PublicKey& key) {
  return {.name = std::move(origin), .kind = KeyKind::kEd25519, .key = key};
}

std::string format_checkpoint(const Checkpoint& head) {
  std::string text = head.origin;
  text += '\n';
  text += std::to_string(head.size);
  text += '\n';
  text += to_base64(head.root);
  text += '\n';
  for (const std::string& line : head.extensions) {
    text += line;
    text += '\n';
  }
  return text;
}

Result<Checkpoint> parse_checkpoint(std::string_view text) {
  const auto bad = [](const char* what) { return fail(Code::kInvalidArgument, what); };
  Checkpoint head;
  std::string_view line;
  if (!take_line(text, line) || line.empty()) return bad("a checkpoint without an origin");
  head.origin = line;
  if (!take_line(text, line)) return bad("a checkpoint without a size");
  head.size = TRY(parse_decimal(line));
  if (!take_line(text, line)) return bad("a checkpoint without a root");
  head.root = TRY(digest_from_base64(line));
  while (!text.empty()) {
    if (!take_line(text, line) || line.empty()) return bad("a checkpoint with an empty line");
    head.extensions.emplace_back(line);
  }
  return head;
}

std::string sign_checkpoint(const Checkpoint& head,
                            std::span<const crypto::SigningKey* const> keys) {
  Note note{.text = format_checkpoint(head), .signatures = {}};
  for (const crypto::SigningKey* key : keys) {
    note.signatures.push_back(sign_note(note.text, head.origin, *key));
  }
  return format_note(note);
}

Result<SignedCheckpoint> parse_signed_checkpoint(std::string_view note) {
  SignedCheckpoint out;
  out.note = TRY(parse_note(note));
  out.head = TRY(parse_checkpoint(out.note.text));
  return out;
}

Result<SignedCheckpoint> open_checkpoint(std::string_view note, const VerifierKey& log_key) {
  SignedCheckpoint out = TRY(parse_signed_checkpoint(note));
  if (out.head.origin != log_key.name) {
    return fail(Code::kFailedPrecondition, "the checkpoint is of another log");
  }
  TRY(verify_note(out.note, log_key));
  return out;
}

}  // namespace candor::ledger
