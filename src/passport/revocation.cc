#include "passport/revocation.h"

#include <algorithm>

#include <fmt/format.h>

#include "crypto/hash.h"
#include "json/json.h"
#include "passport/derivation.h"
#include "passport/internal/fields.h"
#include "passport/internal/values.h"
#include "passport/oms_manifest.h"
#include "passport/signature.h"

namespace candor::passport {
namespace {

constexpr std::size_t kMaxName = 255;
constexpr std::size_t kMaxReason = 512;
constexpr std::string_view kNoName = "weights";

std::unexpected<Error> malformed(std::string what) {
  return fail(Code::kInvalidArgument, std::move(what));
}

Result<std::string> bounded_text(const json::Object& object, std::string_view key,
                                 std::size_t most) {
  std::string out = TRY(checked_text(object, key));
  if (out.size() > most) return malformed(fmt::format("{} has at most {} bytes", key, most));
  return out;
}

Result<std::string> time_member(const json::Object& object, std::string_view key) {
  std::string out = TRY(text_member(object, key));
  if (out.empty()) return malformed(fmt::format("{} must not be empty", key));
  TRY(check_time(out, key));
  return out;
}

Result<Revocation> parse_one(const json::Object& object) {
  TRY(json::only_keys(object, {"date", "name", "reason", "sha256"}));
  Revocation out;
  out.sha256 = TRY(hex_member(object, "sha256"));
  out.reason = TRY(bounded_text(object, "reason", kMaxReason));
  out.date = TRY(time_member(object, "date"));
  if (json::find(object, "name") != nullptr) {
    out.name = TRY(bounded_text(object, "name", kMaxName));
  }
  return out;
}

std::string_view name_of(const Revocation& one) {
  return one.name.empty() ? kNoName : std::string_view(one.name);
}

Result<void> parse_predicate(const json::Object& object, RevocationList& out) {
  TRY(json::only_keys(object, {"issuer", "made", "revocations", "sequence"}));
  const json::Object& issuer = *TRY(object_member(object, "issuer"));
  TRY(json::only_keys(issuer, {"key", "name"}));
  out.issuer_key = TRY(hex_member(issuer, "key"));
  out.issuer = TRY(bounded_text(issuer, "name", kMaxName));
  out.made = TRY(time_member(object, "made"));
  const std::int64_t sequence = TRY(json::get_int(object, "sequence"));
  if (sequence < 1) return malformed("sequence must be at least 1");
  out.sequence = static_cast<std::uint64_t>(sequence);
  return each(
      object, "revocations", kMaxRevocations, [&out](const json::Object& one) -> Result<void> {
        Revocation revocation = TRY(parse_one(one));
        if (!out.revocations.empty() && out.revocations.back().sha256 >= revocation.sha256) {
          return malformed("must be sorted by sha256, none twice");
        }
        out.revocations.push_back(std::move(revocation));
        return {};
      });
}

}  // namespace

Result<RevocationList> parse_revocations(std::string_view document) {
  const json::Value value =
      TRY(json::parse_canonical(document, {.max_bytes = kMaxRevocationsBytes, .max_depth = 8}));
  const json::Object& object = *TRY(json::as_object(value, "a list of revocations"));
  const std::string type = TRY(text_member(object, "_type"));
  const std::string predicate_type = TRY(text_member(object, "predicateType"));
  if (type != kStatementType || predicate_type != kRevocationsPredicate) {
    return malformed(fmt::format("'{}' is no list of revocations: its predicate is {}",
                                 shown(predicate_type), kRevocationsPredicate));
  }
  TRY(json::only_keys(object, {"_type", "subject", "predicateType", "predicate"}));
  RevocationList out;
  const json::Object& predicate = *TRY(object_member(object, "predicate"));
  TRY(parse_predicate(predicate, out));
  std::size_t at = 0;
  TRY(each(object, "subject", kMaxRevocations, [&](const json::Object& one) -> Result<void> {
    TRY(json::only_keys(one, {"name", "digest"}));
    const Artefact subject = TRY(parse_artefact(one));
    if (at == out.revocations.size() || out.revocations[at].sha256 != subject.sha256 ||
        name_of(out.revocations[at]) != subject.name) {
      return malformed("must list the revocations of the predicate, in their order");
    }
    ++at;
    return {};
  }));
  if (at != out.revocations.size()) return malformed("subject must list every revocation");
  return out;
}

Result<std::string> format_revocations(const RevocationList& list) {
  json::Array subject, revocations;
  for (const Revocation& one : list.revocations) {
    subject.push_back(artefact_json({.name = std::string(name_of(one)), .sha256 = one.sha256}));
    json::Object item{{"date", one.date}, {"reason", one.reason}, {"sha256", to_hex(one.sha256)}};
    put_text(item, "name", one.name);
    revocations.push_back(std::move(item));
  }
  const json::Object document{
      {"_type", kStatementType},
      {"subject", std::move(subject)},
      {"predicateType", kRevocationsPredicate},
      {"predicate", json::Object{{"issuer", json::Object{{"key", to_hex(list.issuer_key)},
                                                         {"name", list.issuer}}},
                                 {"made", list.made},
                                 {"revocations", std::move(revocations)},
                                 {"sequence", list.sequence}}}};
  std::string out = TRY(json::canonical(document));
  if (out.size() > kMaxRevocationsBytes) {
    return fail(Code::kResourceExhausted, "a list of revocations has at most 512 KiB");
  }
  TRY(parse_revocations(out));  // what cannot be read back is not written
  return out;
}

void put_revocation(RevocationList& list, Revocation one) {
  const auto at = std::ranges::lower_bound(list.revocations, one.sha256, {}, &Revocation::sha256);
  if (at != list.revocations.end() && at->sha256 == one.sha256) {
    *at = std::move(one);
  } else {
    list.revocations.insert(at, std::move(one));
  }
}

Result<std::string> sign_revocations(RevocationList list, const crypto::PemSigningKey& key) {
  list.issuer_key = crypto::sha256(key.public_key().spki());
  const std::string document = TRY(format_revocations(list));
  const Bundle bundle = TRY(sign_payload(document, key, {}));
  return format_bundle(bundle);
}

Result<SignedRevocations> read_signed_revocations(std::string_view bundle,
                                                  const crypto::VerifyingKey& key) {
  if (bundle.size() > kMaxRevocationsBundle) {
    return malformed("a signed list of revocations has at most 900 KiB");
  }
  const Bundle parsed = TRY(parse_bundle(bundle));
  const Signer signer = TRY(verify_with_key(parsed, key));
  SignedRevocations out;
  out.list = TRY(parse_revocations(as_text(parsed.envelope.payload)));
  if (out.list.issuer_key != signer.key_digest) {
    return fail(Code::kPermissionDenied,
                "the list names another issuer than the key that signs it");
  }
  out.document = crypto::sha256(parsed.envelope.payload);
  return out;
}

Result<bool> replaces(const SignedRevocations& next, std::uint64_t sequence,
                      const Digest& document) {
  if (next.list.sequence > sequence) return true;
  if (next.list.sequence < sequence) {
    return fail(Code::kFailedPrecondition,
                fmt::format("the list is number {}, and number {} of this issuer is in force: an "
                            "older list replaces no newer one",
                            next.list.sequence, sequence));
  }
  if (next.document == document) return false;
  return fail(Code::kDataLoss,
              fmt::format("this issuer has signed two lists with number {}; the one that was taken "
                          "first stays in force",
                          sequence));
}

}  // namespace candor::passport
