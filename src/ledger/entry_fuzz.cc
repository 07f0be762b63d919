// An entry that decodes encodes to identical bytes, within its bound and in canonical JSON; its
// text with anything before or after it is no entry.
#include <cstdint>

#include "base/check.h"
#include "json/json.h"
#include "ledger/entry.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace candor;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto entry = ledger::decode(text);
  if (!entry) return 0;
  CANDOR_CHECK(size <= ledger::kMaxEntryBytes);
  CANDOR_CHECK(json::parse_canonical(text).has_value());
  const auto again = ledger::encode(*entry);
  CANDOR_CHECK(again && *again == text);
  CANDOR_CHECK(!ledger::decode(*again + " ") && !ledger::decode(" " + *again));
  return 0;
}
