// Revocations, held against a list that Python's own JSON and pyca/cryptography made
// (testdata/make_revocations.py).
#include "passport/revocation.h"

#include <fstream>
#include <iterator>

#include <gtest/gtest.h>

#include "base/testing/result_matchers.h"
#include "crypto/hash.h"

namespace candor::passport {
namespace {

std::string testdata(const std::string& name) {
  std::ifstream in(CANDOR_TESTDATA "/" + name, std::ios::binary);
  EXPECT_TRUE(in) << name;
  return {std::istreambuf_iterator<char>(in), {}};
}

crypto::VerifyingKey issuer() {
  return crypto::VerifyingKey::from_pem(testdata("revocations.pub")).value();
}

// RFC 8032, section 7.1, TEST 2: a key that keeps no secret.
crypto::PemSigningKey our_key() {
  return crypto::PemSigningKey::from_pem(
             Sensitive<std::string>(
                 "-----BEGIN PRIVATE KEY-----\n"
                 "MC4CAQAwBQYDK2VwBCIEIEzNCJso/5banbbDRuwRTg9bijGfNaumJNqM9u1PuKb7\n-----END "
                 "PRIVATE KEY-----\n"))
      .value();
}

RevocationList list(std::uint64_t sequence = 1) {
  RevocationList out;
  out.issuer = "Acme";
  out.made = "2026-11-26T06:30:00Z";
  out.sequence = sequence;
  put_revocation(out, {.sha256 = crypto::sha256(as_bytes("b")),
                       .reason = "recalled",
                       .date = "2026-11-26T06:00:00Z"});
  put_revocation(out, {.sha256 = crypto::sha256(as_bytes("a")),
                       .reason = "hidden instructions",
                       .date = "2026-11-26T06:00:00Z",
                       .name = "acme-7b"});
  return out;
}

TEST(RevocationTest, D9_AListThatAnotherProgramSignedIsRead) {
  const auto read = read_signed_revocations(testdata("revocations.sig.json"), issuer());
  ASSERT_OK(read);
  EXPECT_EQ(read->list.issuer, "Acme security");
  EXPECT_EQ(read->list.sequence, 7U);
  ASSERT_EQ(read->list.revocations.size(), 2U);
  const auto& b = read->list.revocations[0];
  EXPECT_EQ(b.sha256, crypto::sha256(as_bytes("b")));
  EXPECT_EQ(b.reason, "withdrawn by its maker");
  EXPECT_EQ(read->list.revocations[1].name, "acme-7b");
  EXPECT_EQ(read->document, crypto::sha256(as_bytes(testdata("revocations.json"))));
  EXPECT_EQ(format_revocations(read->list).value(), testdata("revocations.json"));
}

TEST(RevocationTest, D9_WhatWeSignIsReadWithOurKeyAndNoOther) {
  const std::string bundle = sign_revocations(list(), our_key()).value();
  const auto read = read_signed_revocations(bundle, our_key().public_key());
  ASSERT_OK(read);
  EXPECT_EQ(read->list.revocations, list().revocations);
  EXPECT_EQ(read_signed_revocations(bundle, issuer()).error().code(), Code::kPermissionDenied);
}

TEST(RevocationTest, D9_AChangedListIsEvidence) {
  std::string bundle = sign_revocations(list(), our_key()).value();
  Bundle parsed = parse_bundle(bundle).value();
  RevocationList other = list();
  other.issuer_key = crypto::sha256(our_key().public_key().spki());
  other.revocations.pop_back();
  parsed.envelope.payload = to_bytes(as_bytes(format_revocations(other).value()));
  EXPECT_EQ(read_signed_revocations(format_bundle(parsed), our_key().public_key()).error().code(),
            Code::kDataLoss);
}

TEST(RevocationTest, D9_AnOlderListReplacesNoNewerOne) {
  const auto read = [](std::uint64_t sequence) {
    return SignedRevocations{.list = list(sequence), .document = Digest{}};
  };
  const Digest same{}, other = crypto::sha256(as_bytes("x"));
  EXPECT_TRUE(replaces(read(8), 7, other).value());
  EXPECT_FALSE(replaces(read(7), 7, same).value());
  EXPECT_EQ(replaces(read(6), 7, other).error().code(), Code::kFailedPrecondition);
  EXPECT_EQ(replaces(read(7), 7, other).error().code(), Code::kDataLoss);
}

TEST(RevocationTest, D9_OnlyTheCanonicalFormIsTaken) {
  const std::string text = testdata("revocations.json");
  ASSERT_OK(parse_revocations(text));
  const auto changed = [&text](std::string_view from, std::string_view to) {
    std::string out = text;
    const std::size_t at = out.find(from);
    EXPECT_NE(at, std::string::npos) << from;
    out.replace(at, from.size(), to);
    return parse_revocations(out).error().code();
  };
  EXPECT_EQ(changed("\"sequence\":7", "\"sequence\":0"), Code::kInvalidArgument);
  EXPECT_EQ(changed("\"sequence\":7", "\"sequence\": 7"), Code::kInvalidArgument);
  EXPECT_EQ(changed("\"sequence\":7", "\"sequence\":7,\"zeal\":1"), Code::kInvalidArgument);
  EXPECT_EQ(changed("revocations/v1", "revocations/v2"), Code::kInvalidArgument);
  EXPECT_EQ(changed("2026-11-26T06:30:00Z", "2026-11-26T06:30:0Z"), Code::kInvalidArgument);
  EXPECT_EQ(changed("withdrawn by its maker", ""), Code::kInvalidArgument);
  EXPECT_EQ(changed("withdrawn", "with\\u001bdrawn"), Code::kInvalidArgument);
  EXPECT_EQ(changed("\"name\":\"weights\"", "\"name\":\"another\""), Code::kInvalidArgument);
  RevocationList twice = list();
  twice.revocations.push_back(twice.revocations.back());
  EXPECT_FALSE(format_revocations(twice).has_value());
}

TEST(RevocationTest, D9_BoundsHold) {
  RevocationList out = list();
  out.revocations.front().reason = std::string(513, 'x');
  EXPECT_FALSE(format_revocations(out).has_value());
  out = list();
  out.revocations.clear();
  EXPECT_OK(format_revocations(out));  // an issuer takes all back
  for (std::uint32_t i = 0; i <= kMaxRevocations; ++i) {
    Bytes number;
    put_u32(number, i);
    put_revocation(
        out,
        {.sha256 = crypto::sha256(number), .reason = "recalled", .date = "2026-11-26T06:00:00Z"});
  }
  EXPECT_FALSE(format_revocations(out).has_value());
  out.revocations.pop_back();
  EXPECT_OK(format_revocations(out));
}

}  // namespace
}  // namespace candor::passport
