// Whatever the bytes: a bundle of our two kinds that parses is written back to one that parses to
// the same; none verifies under a key that did not sign it, and once that key signs its payload it
// does, for that payload alone; no Sigstore rule ends in a bug, and none holds without a trusted
// root.
#include <cstdint>

#include "base/check.h"
#include "passport/sigstore.h"

namespace {

using namespace candor;

// RFC 8410, section 10: a published pair of keys.
const crypto::PemSigningKey& fresh_key() {
  static const crypto::PemSigningKey key =
      crypto::PemSigningKey::from_pem(
          Sensitive<std::string>(
              std::string("-----BEGIN PRIVATE KEY-----\n"
                          "MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n"
                          "-----END PRIVATE KEY-----\n")))
          .value();
  return key;
}

void check_signing(const passport::Bundle& bundle) {
  CANDOR_CHECK(!passport::verify_envelope(bundle.envelope, fresh_key().public_key()));
  auto made = passport::sign_payload(as_text(bundle.envelope.payload), fresh_key(), {});
  CANDOR_CHECK(made && passport::verify_with_key(*made, fresh_key().public_key()));
  made->envelope.payload.push_back(std::byte{0});
  CANDOR_CHECK(!passport::verify_with_key(*made, fresh_key().public_key()));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto bundle = passport::parse_bundle({reinterpret_cast<const char*>(data), size});
  if (!bundle) {
    CANDOR_CHECK(bundle.error().code() != Code::kInternal);
    return 0;
  }
  check_signing(*bundle);
  const auto by_roots = passport::verify_with_roots(*bundle, {}, 1'800'000'000);
  CANDOR_CHECK(!by_roots);
  const auto by_sigstore =
      passport::verify_with_sigstore(*bundle, {}, {.identity = "a", .issuer = "b"});
  CANDOR_CHECK(!by_sigstore && by_sigstore.error().code() != Code::kInternal);
  if (bundle->method == passport::Bundle::Method::kSigstore) return 0;
  const auto again = passport::parse_bundle(passport::format_bundle(*bundle));
  CANDOR_CHECK(again && again->key_hint == bundle->key_hint &&
               again->certificates == bundle->certificates &&
               again->envelope.payload == bundle->envelope.payload &&
               again->envelope.signature == bundle->envelope.signature);
  return 0;
}
