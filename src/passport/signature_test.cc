// The published vectors of model signing (signed by the reference implementation and others), and
// what our own signatures are held against.
#include "passport/signature.h"

#include <cstdlib>
#include <fstream>
#include <iterator>

#include <gtest/gtest.h>

#include "base/testing/result_matchers.h"
#include "base/testing/temporary_folder.h"
#include "crypto/hash.h"
#include "passport/hash_model.h"
#include "passport/oms_manifest.h"

namespace candor::passport {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kSummer2025 = 1'750'000'000;
constexpr std::int64_t kIn2040 = 2'208'988'800;

fs::path vectors() {
  const char* const folder = std::getenv("CANDOR_DATA");
  return fs::path(folder != nullptr ? folder : CANDOR_SHARED_DATA) / "vectors" / "model-signing";
}

std::string slurp(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  EXPECT_TRUE(in) << path;
  return {std::istreambuf_iterator<char>(in), {}};
}

class VectorsTest : public testing::Test {
 protected:
  void SetUp() override {
    if (!fs::exists(vectors())) GTEST_SKIP() << vectors() << " is not here";
  }
  static crypto::VerifyingKey key() {
    return crypto::VerifyingKey::from_pem(slurp(vectors() / "keys/signing-key-pub.pem")).value();
  }
  static std::vector<crypto::Certificate> roots() {
    return crypto::Certificate::list_from_pem(slurp(vectors() / "keys/ca-cert.pem")).value();
  }
  static Bundle bundle(const std::string& name) {
    return parse_bundle(slurp(vectors() / name)).value();
  }
  static OmsManifest manifest(const Bundle& bundle) {
    return parse_oms_statement(bundle.envelope.payload).value();
  }
};

TEST_F(VectorsTest, D6_SignaturesByKeyHold) {
  const struct {
    std::string bundle, model;
  } cases[] = {{"signed-models/v1.0.0-elliptic-key/model.sig", "v1.0.0-elliptic-key/signme-1"},
               {"signed-models/v1.0.1-elliptic-key/model.sig", "v1.0.1-elliptic-key"},
               {"spec-v1.0/valid/key.bundle.json", "v1.0.1-elliptic-key"}};
  for (const auto& one : cases) {
    const Bundle signature = bundle(one.bundle);
    const auto signer = verify_with_key(signature, key());
    ASSERT_OK(signer) << one.bundle;
    EXPECT_EQ(signer->key, crypto::KeyKind::kP384);
    EXPECT_OK(check_model(vectors() / "signed-models" / one.model, manifest(signature),
                          {"model.sig", "ignore-me"}))
        << one.bundle;
  }
}

TEST_F(VectorsTest, D6_SignaturesByCertificateHold) {
  const struct {
    std::string bundle, model;
  } cases[] = {{"signed-models/v1.0.0-certificate/model.sig", "v1.0.0-certificate"},
               {"signed-models/v1.0.1-certificate/model.sig", "v1.0.1-certificate"},
               {"spec-v1.0/valid/certificate.bundle.json", "v1.0.1-elliptic-key"}};
  for (const auto& one : cases) {
    const Bundle signature = bundle(one.bundle);
    const auto signer = verify_with_roots(signature, roots(), kSummer2025);
    ASSERT_OK(signer) << one.bundle;
    EXPECT_EQ(signer->subject, "CN=intermediate-ca");
    EXPECT_EQ(signer->root, "CN=root-ca");
    EXPECT_OK(check_model(vectors() / "signed-models" / one.model, manifest(signature),
                          {"model.sig", "ignore-me"}))
        << one.bundle;
  }
}

TEST_F(VectorsTest, D6_InvalidVectorsAreMalformed) {
  for (const char* name :
       {"empty", "missing-envelope", "missing-tlog-entries", "missing-verification-material"}) {
    const fs::path file = vectors() / "spec-v1.0/invalid" / (std::string(name) + ".bundle.json");
    EXPECT_THAT(parse_bundle(slurp(file)), HasCode(Code::kInvalidArgument)) << name;
  }
}

TEST_F(VectorsTest, D6_AnotherPredicateIsNoModelSignature) {
  const Bundle signature = bundle("spec-v1.0/invalid-payload/wrong-predicate.bundle.json");
  EXPECT_THAT(parse_oms_statement(signature.envelope.payload), HasCode(Code::kInvalidArgument));
}

TEST_F(VectorsTest, D6_TamperedIsToldApartFromMalformed) {
  Bundle signature = bundle("spec-v1.0/valid/key.bundle.json");
  signature.envelope.payload[100] ^= std::byte{1};
  EXPECT_THAT(verify_with_key(signature, key()), HasCode(Code::kDataLoss));
  signature = bundle("spec-v1.0/valid/certificate.bundle.json");
  signature.envelope.signature.back() ^= std::byte{1};
  EXPECT_THAT(verify_with_roots(signature, roots(), kSummer2025), HasCode(Code::kDataLoss));
}

TEST_F(VectorsTest, D6_ChainsHoldInTheirTimeAndToTheirRootAlone) {
  const Bundle signature = bundle("spec-v1.0/valid/certificate.bundle.json");
  EXPECT_THAT(verify_with_roots(signature, roots(), kIn2040), HasCode(Code::kPermissionDenied));
  EXPECT_THAT(verify_with_roots(signature, roots(), 1'000'000'000),
              HasCode(Code::kPermissionDenied));
  // Its own leaf, a CA by its constraints, is no root of another bundle; nor is no root at all.
  EXPECT_THAT(verify_with_roots(signature, {}, kSummer2025), HasCode(Code::kPermissionDenied));
  Bundle without = signature;
  without.certificates.resize(1);
  EXPECT_THAT(verify_with_roots(without, roots(), kSummer2025), HasCode(Code::kPermissionDenied));
}

TEST_F(VectorsTest, D6_TheMethodAskedForMustBeTheBundles) {
  EXPECT_THAT(verify_with_key(bundle("spec-v1.0/valid/certificate.bundle.json"), key()),
              HasCode(Code::kFailedPrecondition));
  EXPECT_THAT(verify_with_roots(bundle("spec-v1.0/valid/key.bundle.json"), roots(), kSummer2025),
              HasCode(Code::kFailedPrecondition));
}

constexpr std::string_view kOurKey = R"(-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgPyCPSNEfftg2rV6q
HZtMeGXv9joRikcshsvNtwKYGX6hRANCAASVYuc+FQVABZXAqKX1hnO73VeLeds3
cYqpRCFrX+YW2VRtWKvUr9vUQke7kHCYa1YFesSwwf6uk+YE68iTXJpa
-----END PRIVATE KEY-----
)";

// A model of three files, one in a folder.
void make_model(const fs::path& folder) {
  fs::create_directories(folder / "a");
  std::ofstream(folder / "a" / "x.bin") << "weights";
  std::ofstream(folder / "a-b.bin") << "more weights";
  std::ofstream(folder / "empty");
}

TEST(HashModelTest, ResourcesStandInTheReferencesOrder) {
  const TemporaryFolder folder;
  make_model(folder.path());
  const auto files = list_model(folder.path(), {});
  ASSERT_OK(files);
  // pathlib compares part by part: "a" < "a-b.bin", though "a-b.bin" < "a/x.bin" as text.
  EXPECT_THAT(*files, testing::ElementsAre(ModelFile{"a/x.bin", 7}, ModelFile{"a-b.bin", 12},
                                           ModelFile{"empty", 0}));
}

TEST(HashModelTest, ShardsCoverEveryByteOnce) {
  const TemporaryFolder folder;
  make_model(folder.path());
  const auto shards = hash_resources(folder.path(), {.shards = true, .shard_bytes = 5});
  ASSERT_OK(shards);
  ASSERT_EQ(shards->size(), 5U);  // 7 and 12 bytes; the empty file has none
  EXPECT_EQ((*shards)[0].digest, crypto::sha256(as_bytes("weigh")));
  EXPECT_EQ((*shards)[1].digest, crypto::sha256(as_bytes("ts")));
  EXPECT_EQ((*shards)[4].digest, crypto::sha256(as_bytes("ts")));
}

TEST(HashModelTest, L12_LinksAreRefusedNotFollowed) {
  const TemporaryFolder folder;
  make_model(folder.path());
  fs::create_symlink("/etc/passwd", folder / "link");
  EXPECT_THAT(list_model(folder.path(), {}), HasCode(Code::kInvalidArgument));
  EXPECT_OK(list_model(folder.path(), {"link"}));
  fs::remove(folder / "link");
  fs::create_directory_symlink("/etc", folder / "link");
  EXPECT_THAT(list_model(folder.path(), {}), HasCode(Code::kInvalidArgument));
  const std::vector<Piece> through{{.path = "link/passwd", .start = 0, .end = 1}};
  EXPECT_THAT(hash_pieces(folder.path(), through), HasCode(Code::kInvalidArgument));
}

TEST(CheckModelTest, WhatChangedIsNamed) {
  const TemporaryFolder folder;
  make_model(folder.path());
  OmsManifest manifest{.model_name = "m"};
  manifest.resources = hash_resources(folder.path(), manifest).value();
  EXPECT_OK(check_model(folder.path(), manifest, {}));
  std::ofstream(folder / "a-b.bin") << "other weights";
  fs::remove(folder / "empty");
  std::ofstream(folder / "new.bin") << "added";
  const auto checked = check_model(folder.path(), manifest, {});
  ASSERT_THAT(checked, HasCode(Code::kDataLoss));
  EXPECT_EQ(checked.error().message(),
            "changed since it was signed: a-b.bin; missing: empty; there but not signed: new.bin");
  EXPECT_THAT(check_model(folder.path(), manifest, {"new.bin"}), HasCode(Code::kDataLoss));
}

TEST(SigningTest, WhatWeSignIsReadBackAndHolds) {
  const auto key = crypto::PemSigningKey::from_pem(Sensitive<std::string>(std::string(kOurKey)));
  ASSERT_OK(key);
  const TemporaryFolder folder;
  make_model(folder.path());
  OmsManifest manifest{.model_name = "m", .shards = true, .shard_bytes = 4, .ignore = {".git"}};
  manifest.resources = hash_resources(folder.path(), manifest).value();
  const std::string statement = format_oms_statement(manifest).value();
  EXPECT_EQ(parse_oms_statement(as_bytes(statement)).value(), manifest);
  const Bundle made = sign_payload(statement, *key, {}).value();
  const auto read = parse_bundle(format_bundle(made));
  ASSERT_OK(read);
  EXPECT_EQ(as_text(read->envelope.payload), statement);
  EXPECT_OK(verify_with_key(*read, key->public_key()));
}

TEST(SigningTest, AnotherKeyIsNamedAsSuch) {
  const auto key =
      crypto::PemSigningKey::from_pem(Sensitive<std::string>(std::string(kOurKey))).value();
  const auto other = crypto::VerifyingKey::from_pem(
      "-----BEGIN PUBLIC KEY-----\n"
      "MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n"
      "-----END PUBLIC KEY-----\n");  // RFC 8410, section 10.1
  ASSERT_OK(other);
  Bundle made = sign_payload("{}", key, {}).value();
  EXPECT_THAT(verify_with_key(made, *other), HasCode(Code::kPermissionDenied));
  made.key_hint.clear();
  EXPECT_THAT(verify_with_key(made, *other), HasCode(Code::kDataLoss));
}

TEST(StatementTest, NamesThatLeaveTheModelAreMalformed) {
  for (const char* path : {"../x", "/x", "a//b", "a/./b", "a/", "", "a\\b", "a\nb"}) {
    EXPECT_FALSE(is_model_path(path)) << path;
  }
  EXPECT_TRUE(is_model_path("a/b.c/d"));
  EXPECT_TRUE(is_ignored("a/b", {"a"}));
  EXPECT_TRUE(is_ignored("a/b", {"a/"}));
  EXPECT_FALSE(is_ignored("ab", {"a"}));
}

TEST(StatementTest, OtherHashesAreRefusedByName) {
  const OmsManifest manifest{.model_name = "m"};
  std::string statement = format_oms_statement(manifest).value();
  const std::size_t at = statement.find(R"("hash_type":"sha256")");
  statement.replace(at, 20, R"("hash_type":"blake3")");
  const auto parsed = parse_oms_statement(as_bytes(statement));
  ASSERT_THAT(parsed, HasCode(Code::kFailedPrecondition));
  EXPECT_THAT(parsed.error().message(), testing::HasSubstr("blake3"));
}

TEST(StatementTest, ARootThatIsNotOfItsResourcesIsMalformed) {
  OmsManifest manifest{.model_name = "m"};
  manifest.resources.push_back({.path = "x", .digest = crypto::sha256(as_bytes("x"))});
  std::string statement = format_oms_statement(manifest).value();
  const std::string digest = to_hex(manifest.resources[0].digest);
  statement.replace(statement.find(digest), 64, std::string(64, '0'));
  EXPECT_THAT(parse_oms_statement(as_bytes(statement)), HasCode(Code::kInvalidArgument));
}

TEST(EnvelopeTest, PreAuthenticationIsDsses) {
  // The example of DSSE's protocol document.
  EXPECT_EQ(as_text(pre_authentication("http://example.com/HelloWorld", as_bytes("hello world"))),
            "DSSEv1 29 http://example.com/HelloWorld 11 hello world");
}

}  // namespace
}  // namespace candor::passport
