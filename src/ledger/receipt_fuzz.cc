// A receipt that is accepted is written back to identical bytes, and never holds for a log whose
// key did not sign it. A pin that is accepted is written to the one spelling that is read back as
// the same pin.
#include <cstdint>

#include "base/check.h"
#include "base/testing/fake_clock.h"
#include "ledger/receipt.h"

namespace {

using namespace candor;

void check_receipt(std::string_view text) {
  const auto receipt = ledger::parse_receipt(text);
  if (!receipt) return;
  const auto again = ledger::format_receipt(*receipt);
  CANDOR_CHECK(again && *again == text);
  static FakeRandom random(0xF022);
  static const crypto::SigningKey key = crypto::SigningKey::generate(random);
  const auto checkpoint = ledger::parse_signed_checkpoint(receipt->checkpoint);
  const Transcript nothing;
  ledger::ReceiptQuestion question;
  question.request = &nothing;
  question.answer = &nothing;
  question.nonce = "nonce";
  (void)ledger::verify_receipt(*receipt, question);
  question.log_key = ledger::log_verifier_key(
      checkpoint ? checkpoint->head.origin : std::string("candor/none"), key.public_key());
  const auto report = ledger::verify_receipt(*receipt, question);
  CANDOR_CHECK(!report || ledger::any_fails(report->findings));
}

void check_pin(std::string_view text) {
  const auto pin = ledger::parse_pin(text);
  if (!pin) return;
  const std::string written = ledger::format_pin(*pin);
  const auto again = ledger::parse_pin(written);
  CANDOR_CHECK(again && again->origin == pin->origin && again->size == pin->size &&
               again->root == pin->root && again->log_key == pin->log_key);
  CANDOR_CHECK(ledger::format_pin(*again) == written);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  check_receipt(text);
  check_pin(text);
  // Without its base64, the extra line's JSON is within a mutation's reach.
  check_receipt(ledger::format_tlog_proof({.extra = to_bytes(as_bytes(text)),
                                           .index = 1,
                                           .hashes = {},
                                           .checkpoint = "candor/none\n0\n\n"}));
  return 0;
}
