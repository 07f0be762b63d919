// A trusted root, a newline, a bundle; seeds are testdata/sigstore's, whose private keys nobody
// has. Whatever is changed in either: what still holds for the right identity has the payload that
// was signed, and holds for no other identity; and nothing ends in a bug.
#include <cstdint>

#include "base/check.h"
#include "crypto/hash.h"
#include "passport/sigstore.h"

namespace {

using namespace candor;

constexpr std::string_view kIdentity = "release@acme.example";
constexpr std::string_view kIssuer = "https://accounts.acme.example";
constexpr std::string_view kPayload =  // SHA-256
    "909c2d1572b63a2cc534305000ec63a11402d602e36ab9709a42a6e664ccad95";

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const std::size_t line = text.find('\n');
  if (line == std::string_view::npos) {
    (void)passport::parse_trusted_root(text);
    return 0;
  }
  const auto root = passport::parse_trusted_root(text.substr(0, line));
  if (!root) {
    CANDOR_CHECK(root.error().code() != Code::kInternal);
    return 0;
  }
  for (const passport::LogKey& log : root->logs) CANDOR_CHECK(log.id.size() == sizeof(Digest));
  const auto bundle = passport::parse_bundle(text.substr(line + 1));
  if (!bundle) return 0;
  const auto found = passport::verify_with_sigstore(
      *bundle, *root, {.identity = std::string(kIdentity), .issuer = std::string(kIssuer)});
  if (!found) {
    CANDOR_CHECK(found.error().code() != Code::kInternal);
    return 0;
  }
  CANDOR_CHECK(to_hex(crypto::sha256(bundle->envelope.payload)) == kPayload);
  CANDOR_CHECK(!passport::verify_with_sigstore(
      *bundle, *root, {.identity = "other@acme.example", .issuer = std::string(kIssuer)}));
  return 0;
}
