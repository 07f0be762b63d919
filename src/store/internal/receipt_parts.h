// What a receipt is built from, whether the exchange has just ended or is read from disk.
#pragma once

#include <optional>
#include <string>

#include "ledger/receipt.h"
#include "store/ledger.h"

namespace candor::store {

struct ReceiptParts {
  std::uint64_t intent_index = 0, outcome_index = 0;
  std::string intent, outcome;
  std::optional<ledger::ReceiptOpening> received, released;
  std::optional<std::string> nonce;
};
// Proofs at this head's size.
[[nodiscard]] Result<std::string> build_receipt(Ledger& ledger, const SignedHead& head,
                                                ReceiptParts parts);

}  // namespace candor::store
