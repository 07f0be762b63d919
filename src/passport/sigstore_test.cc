// Sigstore bundles of the published vectors, verified offline with the public-good instance's
// trusted root; and each of the ten checks failing alone.
#include "passport/sigstore.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

#include <gtest/gtest.h>

#include "base/testing/result_matchers.h"
#include "passport/hash_model.h"
#include "passport/oms_manifest.h"

namespace candor::passport {
namespace {

namespace fs = std::filesystem;

fs::path vectors() {
  const char* const folder = std::getenv("CANDOR_DATA");
  return fs::path(folder != nullptr ? folder : CANDOR_SHARED_DATA) / "vectors" / "model-signing";
}

std::string slurp(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  EXPECT_TRUE(in) << path;
  return {std::istreambuf_iterator<char>(in), {}};
}

TrustedRoot trusted_root() {
  return parse_trusted_root(slurp(fs::path(CANDOR_TESTDATA) / "trusted_root.json")).value();
}

const Identity& signer() {
  static const Identity who{.identity = "stefanb@us.ibm.com",
                            .issuer = "https://sigstore.verify.ibm.com/oauth2"};
  return who;
}

class SigstoreTest : public testing::Test {
 protected:
  void SetUp() override {
    if (!fs::exists(vectors())) GTEST_SKIP() << vectors() << " is not here";
    first_ = parse_bundle(slurp(vectors() / "signed-models/v1.0.1-sigstore/model.sig")).value();
    timed_ = parse_bundle(slurp(vectors() / "spec-v1.0/valid/sigstore.bundle.json")).value();
  }
  Bundle first_;  // with a SET
  Bundle timed_;  // with a SET and an RFC 3161 timestamp
  TrustedRoot root_ = trusted_root();
};

TEST_F(SigstoreTest, D6_ThePublishedBundlesHoldOffline) {
  for (const Bundle& bundle : {first_, timed_}) {
    const auto found = verify_with_sigstore(bundle, root_, signer());
    ASSERT_OK(found);
    EXPECT_EQ(found->times_s.size(), 1 + bundle.timestamps.size());
    EXPECT_EQ(found->root, "CN=sigstore,O=sigstore.dev");
    EXPECT_OK(check_model(vectors() / "signed-models/v1.0.1-sigstore",
                          parse_oms_statement(bundle.envelope.payload).value(),
                          {"model.sig", "ignore-me"}));
  }
  EXPECT_EQ(timed_.timestamps.size(), 1U);
}

TEST_F(SigstoreTest, D6_IdentityAndIssuerAreThoseAskedForByteForByte) {
  for (const Identity& who :
       {Identity{.identity = "someone@us.ibm.com", .issuer = signer().issuer},
        Identity{.identity = "stefanb@us.ibm.co", .issuer = signer().issuer},
        Identity{.identity = signer().identity, .issuer = "https://accounts.google.com"},
        Identity{.identity = "", .issuer = signer().issuer},
        Identity{.identity = signer().identity, .issuer = ""}}) {
    EXPECT_THAT(verify_with_sigstore(first_, root_, who), HasCode(Code::kPermissionDenied));
  }
}

TEST_F(SigstoreTest, D6_AChangedStatementIsTampered) {
  first_.envelope.payload[30] ^= std::byte{1};
  EXPECT_THAT(verify_with_sigstore(first_, root_, signer()), HasCode(Code::kDataLoss));
}

TEST_F(SigstoreTest, D6_AnotherBundlesLogEntryProvesNothing) {
  // The envelope and its signature hold, and so does the entry: but it is about another envelope.
  timed_.timestamps.clear();
  std::swap(first_.log_entries, timed_.log_entries);
  EXPECT_THAT(verify_with_sigstore(timed_, root_, signer()), HasCode(Code::kPermissionDenied));
  std::swap(first_.certificates, timed_.certificates);
  EXPECT_THAT(verify_with_sigstore(timed_, root_, signer()), HasCode(Code::kDataLoss));
}

TEST_F(SigstoreTest, D6_TheSetHoldsTimeBodyAndIndex) {
  for (int i = 0; i < 3; ++i) {
    Bundle changed = first_;
    LogEntry& entry = changed.log_entries.front();
    if (i == 0) ++*entry.integrated_s;
    if (i == 1) ++entry.index;
    if (i == 2) entry.promise->back() ^= std::byte{1};
    EXPECT_THAT(verify_with_sigstore(changed, root_, signer()), HasCode(Code::kDataLoss)) << i;
  }
}

TEST_F(SigstoreTest, D6_TheProofLeadsToASignedCheckpoint) {
  const auto with = [this](auto change) {
    Bundle changed = first_;
    change(*changed.log_entries.front().proof);
    return verify_with_sigstore(changed, root_, signer());
  };
  EXPECT_THAT(with([](InclusionProof& p) { p.hashes[0][0] ^= std::byte{1}; }),
              HasCode(Code::kDataLoss));
  EXPECT_THAT(with([](InclusionProof& p) { p.hashes.pop_back(); }),
              HasCode(Code::kInvalidArgument));
  EXPECT_THAT(with([](InclusionProof& p) { p.root[0] ^= std::byte{1}; }), HasCode(Code::kDataLoss));
  EXPECT_THAT(with([](InclusionProof& p) { p.checkpoint.replace(0, 5, "recor"); }),
              HasCode(Code::kDataLoss));
  EXPECT_THAT(with([](InclusionProof& p) { p.checkpoint.clear(); }),
              HasCode(Code::kInvalidArgument));
  // A checkpoint of another tree, with a good signature.
  const std::string other = timed_.log_entries.front().proof->checkpoint;
  EXPECT_THAT(with([&other](InclusionProof& p) { p.checkpoint = other; }),
              HasCode(Code::kDataLoss));
}

TEST_F(SigstoreTest, D6_ASetAloneIsEnoughAndNeitherIsNot) {
  first_.log_entries.front().proof.reset();
  EXPECT_OK(verify_with_sigstore(first_, root_, signer()));
  first_.log_entries.front().promise.reset();
  EXPECT_THAT(verify_with_sigstore(first_, root_, signer()), HasCode(Code::kPermissionDenied));
}

TEST_F(SigstoreTest, D6_AnRfc3161TimestampIsATimeOfItsOwn) {
  timed_.log_entries.front().promise.reset();
  const auto found = verify_with_sigstore(timed_, root_, signer());
  ASSERT_OK(found);
  EXPECT_EQ(found->times_s.size(), 1U);
  Bundle moved = timed_;  // to another signature
  moved.envelope = first_.envelope;
  EXPECT_THAT(verify_with_sigstore(moved, root_, signer()), HasCode(Code::kDataLoss));
  Bundle broken = timed_;
  broken.timestamps[0][200] ^= std::byte{1};
  EXPECT_FALSE(verify_with_sigstore(broken, root_, signer()));
  Bundle twice = timed_;
  twice.timestamps.push_back(twice.timestamps[0]);
  EXPECT_THAT(verify_with_sigstore(twice, root_, signer()), HasCode(Code::kInvalidArgument));
  root_.timestamp_authorities.clear();
  EXPECT_THAT(verify_with_sigstore(timed_, root_, signer()), HasCode(Code::kPermissionDenied));
}

TEST_F(SigstoreTest, D6_LogsAndAuthoritiesAreTheRootsInTheirTime) {
  const auto with = [this](auto change) {
    TrustedRoot changed = root_;
    change(changed);
    return verify_with_sigstore(first_, changed, signer());
  };
  EXPECT_THAT(with([](TrustedRoot& r) { r.logs.clear(); }), HasCode(Code::kPermissionDenied));
  EXPECT_THAT(with([](TrustedRoot& r) { r.logs[0].validity.end_s = 1'700'000'000; }),
              HasCode(Code::kPermissionDenied));
  EXPECT_THAT(with([](TrustedRoot& r) { r.ct_logs.clear(); }), HasCode(Code::kPermissionDenied));
  EXPECT_THAT(with([](TrustedRoot& r) { r.ct_logs[1].validity.end_s = 1'700'000'000; }),
              HasCode(Code::kPermissionDenied));
  EXPECT_THAT(with([](TrustedRoot& r) { r.authorities.clear(); }),
              HasCode(Code::kPermissionDenied));
  EXPECT_THAT(with([](TrustedRoot& r) { r.authorities[1].validity.end_s = 1'700'000'000; }),
              HasCode(Code::kPermissionDenied));
  // A key under the right id that is not the log's.
  EXPECT_THAT(with([](TrustedRoot& r) { r.logs[0].key = r.ct_logs[0].key; }),
              HasCode(Code::kDataLoss));
  EXPECT_THAT(with([](TrustedRoot& r) { r.ct_logs[1].key = r.ct_logs[0].key; }),
              HasCode(Code::kDataLoss));
}

TEST_F(SigstoreTest, D6_OtherKindsOfEntriesAreRefusedByName) {
  first_.log_entries.front().kind = "intoto";
  const auto found = verify_with_sigstore(first_, root_, signer());
  ASSERT_THAT(found, HasCode(Code::kFailedPrecondition));
  EXPECT_THAT(found.error().message(), testing::HasSubstr("intoto"));
}

TEST(TrustedRootTest, WhatItHoldsIsReadAndOtherVersionsAreRefused) {
  const TrustedRoot root = trusted_root();
  EXPECT_EQ(root.logs.size(), 2U);
  EXPECT_EQ(root.logs[1].key.kind(), crypto::KeyKind::kEd25519);
  EXPECT_EQ(root.ct_logs.size(), 2U);
  EXPECT_EQ(root.authorities.size(), 2U);
  EXPECT_EQ(root.timestamp_authorities.size(), 1U);
  EXPECT_THAT(parse_trusted_root(R"({"mediaType":"x"})"), HasCode(Code::kFailedPrecondition));
  EXPECT_THAT(parse_trusted_root("{}"), HasCode(Code::kInvalidArgument));
}

TEST(TimeTest, OnlyTimesThatThereAre) {
  EXPECT_EQ(parse_time("1970-01-01T00:00:00Z").value(), 0);
  EXPECT_EQ(parse_time("2022-12-31T23:59:59.999Z").value(), 1'672'531'199);
  for (const char* text :
       {"2022-02-30T00:00:00Z", "2022-12-31T23:59:59", "2022-12-31", "", "2022-12-31T23:59:59.Z",
        "2022-12-31T25:00:00Z", "2022-12-31 23:59:59Z"}) {
    EXPECT_THAT(parse_time(text), HasCode(Code::kInvalidArgument)) << text;
  }
}

}  // namespace
}  // namespace candor::passport
