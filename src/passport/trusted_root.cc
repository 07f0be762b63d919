#include "passport/trusted_root.h"

#include <algorithm>
#include <ctime>

#include <fmt/format.h>

#include "base/text.h"
#include "passport/internal/fields.h"

namespace candor::passport {
namespace {

constexpr std::size_t kMaxTrustedRoot = 4U << 20U;
constexpr std::size_t kMaxElements = 256;

std::unexpected<Error> malformed(std::string what) {
  return fail(Code::kInvalidArgument, std::move(what));
}

Result<int> digits(std::string_view text) {
  int out = 0;
  for (const char c : text) {
    if (c < '0' || c > '9') return malformed("a time must be RFC 3339 in UTC");
    out = out * 10 + (c - '0');
  }
  return out;
}

Result<Validity> parse_validity(const json::Object& object) {
  Validity out;
  if (member(object, "validFor") == nullptr) return out;
  const json::Object& validity = *TRY(object_member(object, "validFor"));
  if (member(validity, "start") != nullptr) {
    const std::string text = TRY(text_member(validity, "start"));
    out.start_s = TRY(parse_time(text));
  }
  if (member(validity, "end") != nullptr) {
    const std::string text = TRY(text_member(validity, "end"));
    out.end_s = TRY(parse_time(text));
  }
  return out;
}

Result<void> parse_log(const json::Object& object, std::vector<LogKey>& out) {
  const json::Object& key = *TRY(object_member(object, "publicKey"));
  const std::string details = TRY(text_member(key, "keyDetails"));
  if (details != "PKIX_ECDSA_P256_SHA_256" && details != "PKIX_ECDSA_P384_SHA_384" &&
      details != "PKIX_ED25519") {
    return {};
  }
  const json::Object& id = *TRY(object_member(object, "logId"));
  const Bytes spki = TRY(bytes_member(key, "rawBytes"));
  Bytes log_id = TRY(bytes_member(id, "keyId"));
  if (log_id.size() != sizeof(Digest)) return malformed("a log's keyId must be 32 bytes");
  crypto::VerifyingKey parsed = TRY(crypto::VerifyingKey::from_spki(spki));
  const Validity validity = TRY(parse_validity(key));
  out.push_back({.id = std::move(log_id), .key = std::move(parsed), .validity = validity});
  return {};
}

Result<void> parse_authority(const json::Object& object, std::vector<Authority>& out) {
  const json::Object& chain = *TRY(object_member(object, "certChain"));
  const json::Array& list = *TRY(array_member(chain, "certificates"));
  if (list.empty() || list.size() > 16) {
    return malformed("certChain must hold 1 to 16 certificates");
  }
  Authority authority;
  for (const json::Value& one : list) {
    if (!one.is_object()) return malformed("a certificate must be an object");
    const Bytes der = TRY(bytes_member(one.get_object(), "rawBytes"));
    authority.chain.push_back(TRY(crypto::Certificate::from_der(der)));
  }
  authority.validity = TRY(parse_validity(object));
  out.push_back(std::move(authority));
  return {};
}

template <typename T>
Result<void> parse_list(const json::Object& object, std::string_view key, std::vector<T>& out,
                        Result<void> (*parse_one)(const json::Object&, std::vector<T>&)) {
  if (member(object, key) == nullptr) return {};
  const json::Array& list = *TRY(array_member(object, key));
  if (list.size() > kMaxElements) return malformed(fmt::format("member '{}' is too long", key));
  for (const json::Value& one : list) {
    if (!one.is_object()) return malformed(fmt::format("member '{}' must hold objects", key));
    if (auto parsed = parse_one(one.get_object(), out); !parsed) {
      return std::unexpected(std::move(parsed).error().with_context(key));
    }
  }
  return {};
}

}  // namespace

Result<std::int64_t> parse_time(std::string_view text) {
  constexpr std::string_view kForm = "0000-00-00T00:00:00";
  if (text.size() <= kForm.size() || text.size() > 40 || !text.ends_with('Z') || text[4] != '-' ||
      text[7] != '-' || text[10] != 'T' || text[13] != ':' || text[16] != ':') {
    return malformed("a time must be RFC 3339 in UTC, such as 2026-11-26T06:00:00Z");
  }
  const std::string_view fraction = text.substr(kForm.size(), text.size() - kForm.size() - 1);
  if (!fraction.empty()) {
    if (fraction.front() != '.' || fraction.size() < 2) return malformed("a time's fraction");
    if (!std::ranges::all_of(fraction.substr(1), [](char c) { return c >= '0' && c <= '9'; })) {
      return malformed("a time's fraction must be digits");
    }
  }
  std::tm parts{};
  parts.tm_year = TRY(digits(text.substr(0, 4))) - 1900;
  parts.tm_mon = TRY(digits(text.substr(5, 2))) - 1;
  parts.tm_mday = TRY(digits(text.substr(8, 2)));
  parts.tm_hour = TRY(digits(text.substr(11, 2)));
  parts.tm_min = TRY(digits(text.substr(14, 2)));
  parts.tm_sec = TRY(digits(text.substr(17, 2)));
  std::tm normal = parts;
  const std::time_t out = timegm(&normal);
  // A date that there is not comes back as another.
  if (normal.tm_mon != parts.tm_mon || normal.tm_mday != parts.tm_mday ||
      normal.tm_hour != parts.tm_hour || normal.tm_min != parts.tm_min ||
      normal.tm_sec != parts.tm_sec) {
    return malformed("there is no such time");
  }
  return out;
}

Result<TrustedRoot> parse_trusted_root(std::string_view text) {
  const json::Value value = TRY(json::parse(text, {.max_bytes = kMaxTrustedRoot, .max_depth = 16}));
  if (!value.is_object()) return malformed("a trusted root must be an object");
  const json::Object& object = value.get_object();
  const std::string type = TRY(text_member(object, "mediaType"));
  if (type != "application/vnd.dev.sigstore.trustedroot+json;version=0.1" &&
      type != "application/vnd.dev.sigstore.trustedroot.v0.2+json") {
    return fail(Code::kFailedPrecondition,
                fmt::format("a trusted root of type '{}' is not taken: versions 0.1 and 0.2 are",
                            shown(type)));
  }
  TrustedRoot out;
  TRY(parse_list(object, "tlogs", out.logs, parse_log));
  TRY(parse_list(object, "ctlogs", out.ct_logs, parse_log));
  TRY(parse_list(object, "certificateAuthorities", out.authorities, parse_authority));
  TRY(parse_list(object, "timestampAuthorities", out.timestamp_authorities, parse_authority));
  return out;
}

}  // namespace candor::passport
