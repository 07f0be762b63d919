// A proof that is accepted is written back to identical bytes, holds at most 63 hashes, and is no
// proof without its first byte or without its checkpoint.
#include <cstdint>

#include "base/check.h"
#include "ledger/tlog_proof.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace candor;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto proof = ledger::parse_tlog_proof(text);
  if (!proof) return 0;
  CANDOR_CHECK(proof->hashes.size() <= 63);
  CANDOR_CHECK(!proof->checkpoint.empty() && text.ends_with(proof->checkpoint));
  CANDOR_CHECK(ledger::format_tlog_proof(*proof) == text);
  CANDOR_CHECK(!ledger::parse_tlog_proof(text.substr(1)));
  CANDOR_CHECK(!ledger::parse_tlog_proof(text.substr(0, size - proof->checkpoint.size())));
  return 0;
}
