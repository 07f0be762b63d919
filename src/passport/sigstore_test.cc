// Sigstore bundles of the published vectors, verified offline with the public-good instance's
// trusted root; and each of the ten checks failing alone.
#include "passport/sigstore.h"

#include <array>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

#include <gtest/gtest.h>

#include "base/testing/result_matchers.h"
#include "json/json.h"
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

// A Sigstore of its own (testdata/make_sigstore.py): Rekor v1 with and without a timestamp, Rekor
// v2. Sigstore's own verifier took these bundles.
const fs::path& own_folder() {
  static const fs::path folder = fs::path(CANDOR_TESTDATA) / "sigstore";
  return folder;
}
constexpr std::array<const char*, 3> kOwn{"rekor1.bundle.json", "rekor1_timestamp.bundle.json",
                                          "rekor2.bundle.json"};
Result<Signer> verify_own(std::string_view text) {
  static const TrustedRoot root =
      parse_trusted_root(slurp(own_folder() / "trusted_root.json")).value();
  const Bundle bundle = TRY(parse_bundle(text));
  return verify_with_sigstore(
      bundle, root,
      {.identity = "release@acme.example", .issuer = "https://accounts.acme.example"});
}

TEST(OwnSigstoreTest, D6_RekorV1AndV2AndTimestampsHold) {
  for (const char* name : kOwn) {
    const std::string text = slurp(own_folder() / name);
    const auto found = verify_own(text);
    ASSERT_OK(found) << name;
    EXPECT_EQ(found->times_s.size(), std::string_view(name).contains("timestamp") ? 2U : 1U);
    const Bundle bundle = parse_bundle(text).value();
    EXPECT_EQ(parse_oms_statement(bundle.envelope.payload).value().resources.size(), 1U);
  }
}

// Changes one character of the n-th string below value; false when there are fewer.
bool change(json::Value& value, std::size_t& n, std::string& key) {
  if (value.is_object()) {
    for (auto& one : value.get_object()) {
      key = one.key();
      if (change(one.value(), n, key)) return true;
    }
  } else if (value.is_array()) {
    for (auto& one : value.get_array()) {
      if (change(one, n, key)) return true;
    }
  } else if (value.is_string()) {
    if (n-- != 0) return false;
    auto& text = value.get_string();
    char& middle = text[text.size() / 2];
    middle = middle == 'A' || middle == '1' ? 'B' : middle >= '0' && middle <= '9' ? '1' : 'A';
    return true;
  }
  return false;
}

TEST(OwnSigstoreTest, D6_NoTextOfABundleCanBeChanged) {
  for (const char* name : kOwn) {
    std::size_t changed = 0;
    for (std::size_t n = 0;; ++n) {
      json::Value value = json::parse(slurp(own_folder() / name)).value();
      std::size_t left = n;
      std::string key;
      if (!change(value, left, key)) break;
      ++changed;
      const auto found = verify_own(json::to_text(value));
      // Of Rekor v2's entries the index in the whole log is signed by nobody, and shown nowhere.
      if (found && key == "logIndex" && std::string_view(name).starts_with("rekor2")) continue;
      EXPECT_FALSE(found) << name << ": " << key;
    }
    EXPECT_GT(changed, 15U);
  }
}

TEST(OwnSigstoreTest, D6_AnEntryOfRekorV2NeedsATimestamp) {
  json::Value value = json::parse(slurp(own_folder() / "rekor2.bundle.json")).value();
  value.get_object()["verificationMaterial"].get_object().erase("timestampVerificationData");
  EXPECT_THAT(verify_own(json::to_text(value)), HasCode(Code::kPermissionDenied));
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
