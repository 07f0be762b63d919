// C2SP tlog-proof@v1 (https://c2sp.org/tlog-proof): one entry's inclusion in a signed tree, as
// text. Pure; the parser is safe on hostile input (at most 4 MiB, 63 hashes). Only the canonical
// spelling is read: format_tlog_proof(parse_tlog_proof(x)) == x.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/result.h"
#include "ledger/merkle.h"

namespace candor::ledger {

inline constexpr std::size_t kMaxTlogProofBytes = 4U << 20U;

struct TlogProof {
  std::optional<Bytes> extra;  // not authenticated by the proof
  std::uint64_t index = 0;
  Proof hashes;            // from the leaf up
  std::string checkpoint;  // the signed note, verbatim
};

[[nodiscard]] std::string format_tlog_proof(const TlogProof& proof);
[[nodiscard]] Result<TlogProof> parse_tlog_proof(std::string_view text);

}  // namespace candor::ledger
