// Claims that are taken make a passport that is written and read back as the same, and in which
// nothing that was claimed is measured.
#include <cstdint>

#include "base/check.h"
#include "crypto/hash.h"
#include "passport/claims.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace candor;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  passport::Passport made;
  made.name = "model";
  made.files.push_back({.name = "model.gguf", .role = passport::FileRole::kWeights});
  made.files.front().sha256 = crypto::sha256(ByteView());
  made.made_at = "2026-11-26T06:00:00Z";
  made.made_by = "candor fuzz";
  const auto hash = [](const std::string& path) -> Result<Digest> {
    return crypto::sha256(as_bytes(path));
  };
  if (!passport::add_claims(text, "claims.toml", hash, made)) return 0;
  for (const passport::DescentStep& one : made.descent) {
    CANDOR_CHECK(one.statement.evidence == passport::Evidence::kClaimed);
  }
  const auto written = passport::format_passport(made);
  if (!written) {  // too much of it, or a value that the format does not take
    CANDOR_CHECK(written.error().code() != Code::kInternal);
    return 0;
  }
  const auto again = passport::parse_passport(*written);
  CANDOR_CHECK(again && *again == made);
  return 0;
}
