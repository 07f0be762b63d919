// A list of revocations that parses is written back to the same bytes, sorted, within its bounds;
// one that no key given signed is never read out of a bundle.
#include <algorithm>
#include <cstdint>

#include "base/check.h"
#include "passport/revocation.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace candor;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  static const auto key = crypto::VerifyingKey::from_pem(
      "-----BEGIN PUBLIC KEY-----\n"
      "MCowBQYDK2VwAyEAPUAXw+hDiVqStwqnTRt+vJyYLM8uxJaMwM1V8Sr0Zgw=\n"
      "-----END PUBLIC KEY-----\n");
  CANDOR_CHECK(key.has_value());
  CANDOR_CHECK(!passport::read_signed_revocations(text, *key));
  const auto parsed = passport::parse_revocations(text);
  if (!parsed) return 0;
  const auto written = passport::format_revocations(*parsed);
  CANDOR_CHECK(written && *written == text);
  CANDOR_CHECK(parsed->revocations.size() <= passport::kMaxRevocations);
  CANDOR_CHECK(std::ranges::is_sorted(parsed->revocations, {}, &passport::Revocation::sha256));
  passport::RevocationList more = *parsed;
  if (!more.revocations.empty()) {
    passport::put_revocation(more, parsed->revocations.front());
    CANDOR_CHECK(more == *parsed);
  }
  return 0;
}
