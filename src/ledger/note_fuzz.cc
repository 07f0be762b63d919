// A note, a checkpoint or a verifier key that is accepted is written back to identical bytes; no
// accepted note verifies under a key that did not sign it, and once that key signs its text it
// does, for this text alone.
#include <cstdint>

#include "base/check.h"
#include "base/testing/fake_clock.h"
#include "ledger/checkpoint.h"
#include "ledger/note.h"

namespace {

using namespace candor;

const crypto::SigningKey& fresh_key() {
  static FakeRandom random(0xF022);
  static const crypto::SigningKey key = crypto::SigningKey::generate(random);
  return key;
}

void check_signing(ledger::Note note, std::string_view name) {
  const ledger::VerifierKey key{.name = std::string(name),
                                .kind = ledger::KeyKind::kEd25519,
                                .key = fresh_key().public_key()};
  const ledger::VerifierKey witness{
      .name = key.name, .kind = ledger::KeyKind::kCosignatureV1, .key = key.key};
  CANDOR_CHECK(!ledger::verify_note(note, key));
  CANDOR_CHECK(!ledger::verify_cosignature(note, witness));
  note.signatures = {ledger::sign_note(note.text, name, fresh_key()),
                     ledger::cosign_note(note.text, name, fresh_key(), 1'800'000'000)};
  CANDOR_CHECK(ledger::verify_note(note, key).has_value());
  const auto seconds = ledger::verify_cosignature(note, witness);
  CANDOR_CHECK(seconds && *seconds == 1'800'000'000);
  note.text += '\n';
  CANDOR_CHECK(!ledger::verify_note(note, key));
  CANDOR_CHECK(!ledger::verify_cosignature(note, witness));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto key = ledger::parse_verifier_key(text)) {
    CANDOR_CHECK(ledger::is_key_name(key->name));
    CANDOR_CHECK(ledger::format_verifier_key(*key) == text);
  }
  if (const auto head = ledger::parse_checkpoint(text)) {
    CANDOR_CHECK(ledger::format_checkpoint(*head) == text);
  }
  const auto note = ledger::parse_note(text);
  const auto head = ledger::parse_signed_checkpoint(text);
  if (!note) {
    CANDOR_CHECK(!head);
    return 0;
  }
  CANDOR_CHECK(!note->signatures.empty());
  CANDOR_CHECK(note->signatures.size() <= ledger::kMaxNoteSignatures);
  CANDOR_CHECK(ledger::format_note(*note) == text);
  if (head) {
    CANDOR_CHECK(ledger::format_checkpoint(head->head) == note->text);
    CANDOR_CHECK(ledger::format_note(head->note) == text);
  }
  check_signing(*note, note->signatures.front().name);
  return 0;
}
