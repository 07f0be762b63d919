// Known answers of the shared vectors, then proofs against a slow oracle, then hostile proofs.
#include "ledger/merkle.h"

#include <algorithm>
#include <bit>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/testing/result_matchers.h"
#include "json/json.h"
#include "ledger/testing/shared_data.h"

namespace candor::ledger {
namespace {

using testing::shared_data;

Digest nth(std::uint64_t i) { return hash_leaf(as_bytes(std::to_string(i))); }

// RFC 9162 section 2.1.1 as it is written: the oracle.
Digest slow_root(std::uint64_t begin, std::uint64_t end) {
  if (begin == end) return empty_root();
  if (end - begin == 1) return nth(begin);
  const std::uint64_t k = std::bit_floor(end - begin - 1);
  return hash_node(slow_root(begin, begin + k), slow_root(begin + k, end));
}

RecentNodes tree_of(std::uint64_t size) {
  RecentNodes nodes;
  for (std::uint64_t i = 0; i < size; ++i) nodes.append(nth(i));
  return nodes;
}

std::vector<std::filesystem::path> vectors(const char* folder) {
  std::vector<std::filesystem::path> out;
  const auto root = shared_data("vectors/rfc6962-merkle");
  if (!root) return out;
  for (const auto& file : std::filesystem::recursive_directory_iterator(*root / folder)) {
    if (file.path().extension() == ".json") out.push_back(file.path());
  }
  return out;
}

json::Object read_vector(const std::filesystem::path& file) {
  std::ifstream in(file);
  const std::string text{std::istreambuf_iterator<char>(in), {}};
  const auto value = json::parse(text);
  EXPECT_THAT(value, IsOk()) << file;
  return value ? value->as_object() : json::Object{};
}

// A digest of the vectors. Some cases carry roots of another length, which a Digest cannot be:
// their hash stands for them, so equal stays equal and wrong stays wrong. In proofs they are
// refused.
enum class OtherLengths : std::uint8_t { kRefused, kHashed };
std::optional<Digest> digest(const json::Value& value, OtherLengths other = OtherLengths::kHashed) {
  if (value.is_null()) return std::nullopt;
  const auto& text = value.as_string();
  const auto read = from_base64({text.data(), text.size()});
  if (!read || read->empty()) return std::nullopt;
  Digest out = hash_leaf(*read);
  if (read->size() == out.size()) {
    std::copy(read->begin(), read->end(), out.begin());
  } else if (other == OtherLengths::kRefused) {
    return std::nullopt;
  }
  return out;
}

std::optional<Proof> proof(const json::Object& vector) {
  Proof out;
  const json::Value* value = json::find(vector, "proof");
  if (value == nullptr || value->is_null()) return out;
  for (const json::Value& hash : value->as_array()) {
    const auto one = digest(hash, OtherLengths::kRefused);
    if (!one) return std::nullopt;
    out.push_back(*one);
  }
  return out;
}

TEST(MerkleVectorsTest, InclusionProofsOfTheSharedVectorsJudgedAsTheySay) {
  const auto files = vectors("inclusion");
  if (files.empty()) GTEST_SKIP() << "no shared data";
  std::size_t good = 0;
  for (const auto& file : files) {
    const json::Object v = read_vector(file);
    const auto root = digest(v.at("root"));
    const auto leaf = digest(v.at("leafHash"));
    const auto hashes = proof(v);
    const bool verified =
        root && leaf && hashes &&
        verify_inclusion(v.at("leafIdx").to_number<std::uint64_t>(),
                         v.at("treeSize").to_number<std::uint64_t>(), *leaf, *hashes, *root);
    EXPECT_EQ(verified, !v.at("wantErr").as_bool()) << file;
    good += verified ? 1U : 0U;
  }
  EXPECT_GT(good, 4U);
  EXPECT_GE(files.size(), 90U);
}

TEST(MerkleVectorsTest, ConsistencyProofsOfTheSharedVectorsJudgedAsTheySay) {
  const auto files = vectors("consistency");
  if (files.empty()) GTEST_SKIP() << "no shared data";
  std::size_t good = 0;
  for (const auto& file : files) {
    const json::Object v = read_vector(file);
    const auto root1 = digest(v.at("root1"));
    const auto root2 = digest(v.at("root2"));
    const auto hashes = proof(v);
    const bool verified =
        root1 && root2 && hashes &&
        verify_consistency(v.at("size1").to_number<std::uint64_t>(),
                           v.at("size2").to_number<std::uint64_t>(), *root1, *root2, *hashes);
    EXPECT_EQ(verified, !v.at("wantErr").as_bool()) << file << " " << v.at("desc");
    good += verified ? 1U : 0U;
  }
  EXPECT_GT(good, 4U);
  EXPECT_GE(files.size(), 90U);
}

TEST(MerkleTest, EmptyRootIsSha256OfNothing) {
  EXPECT_EQ(to_hex(Frontier().root()),
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

TEST(MerkleTest, RootsMatchTheCertificateTransparencyReferenceTree) {
  struct Row {
    const char* entry;
    const char* root;
  };
  static constexpr Row kRows[] = {
      {"", "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"},
      {"00", "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"},
      {"10", "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77"},
      {"2021", "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7"},
      {"3031", "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4"},
      {"40414243", "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef"},
      {"5051525354555657", "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c"},
      {"606162636465666768696a6b6c6d6e6f",
       "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"},
  };
  Frontier tree;
  for (const Row& row : kRows) {
    tree.append(hash_leaf(*from_hex(row.entry)));
    EXPECT_EQ(to_hex(tree.root()), row.root) << tree.size();
  }
}

TEST(MerkleTest, FrontierHasTheOraclesRootAtEverySize) {
  Frontier tree;
  for (std::uint64_t size = 0; size <= 200; ++size) {
    ASSERT_EQ(tree.root(), slow_root(0, size)) << size;
    tree.append(nth(size));
  }
}

TEST(MerkleTest, EveryProofOfEveryTreeUpToSeventyVerifiesAndNoOtherLeafDoes) {
  RecentNodes nodes = tree_of(70);
  for (std::uint64_t size = 1; size <= 70; ++size) {
    const Digest root = slow_root(0, size);
    ASSERT_EQ(*root_at(nodes, size), root);
    for (std::uint64_t i = 0; i < size; ++i) {
      const auto hashes = prove_inclusion(nodes, i, size);
      ASSERT_OK(hashes);
      ASSERT_OK(verify_inclusion(i, size, nth(i), *hashes, root)) << i << " of " << size;
      ASSERT_THAT(verify_inclusion(i, size, nth(i + 1), *hashes, root), HasCode(Code::kDataLoss));
      if (i + 1 < size) {
        ASSERT_FALSE(verify_inclusion(i + 1, size, nth(i), *hashes, root)) << i << " of " << size;
      }
    }
    for (std::uint64_t old = 1; old <= size; ++old) {
      const auto hashes = prove_consistency(nodes, old, size);
      ASSERT_OK(hashes);
      ASSERT_OK(verify_consistency(old, size, slow_root(0, old), root, *hashes))
          << old << " to " << size;
      ASSERT_FALSE(verify_consistency(old, size, nth(0x1234), root, *hashes)) << old << " " << size;
    }
  }
}

TEST(MerkleTest, ProofOfAnAppendNeedsTheFrontierAlone) {
  EXPECT_THAT(prove_append(Frontier(), std::vector<Digest>{nth(0)}), ::testing::IsEmpty());
  for (std::uint64_t old = 1; old < 40; ++old) {
    Frontier frontier;
    for (std::uint64_t i = 0; i < old; ++i) frontier.append(nth(i));
    std::vector<Digest> added;
    for (std::uint64_t size = old; size < 60; ++size) {
      const Proof hashes = prove_append(frontier, added);
      ASSERT_OK(verify_consistency(old, size, frontier.root(), slow_root(0, size), hashes))
          << old << " to " << size;
      added.push_back(nth(size));
    }
  }
}

TEST(MerkleTest, ForgottenNodesComeFromTheOlderSourceAndPeaksAreKept) {
  RecentNodes all = tree_of(300);
  RecentNodes young(Frontier{}, &all);
  for (std::uint64_t i = 0; i < 300; ++i) {
    young.append(nth(i));
    if (i % 37 == 0) young.forget_before(i);
  }
  for (std::uint64_t i = 0; i < 300; i += 7) {
    const auto hashes = prove_inclusion(young, i, 300);
    ASSERT_OK(hashes);
    EXPECT_OK(verify_inclusion(i, 300, nth(i), *hashes, slow_root(0, 300)));
  }
  RecentNodes alone(*frontier_at(all, 250));
  for (std::uint64_t i = 250; i < 300; ++i) alone.append(nth(i));
  EXPECT_EQ(alone.frontier().root(), slow_root(0, 300));
  EXPECT_OK(prove_inclusion(alone, 280, 300));
  EXPECT_OK(prove_consistency(alone, 250, 300));
  EXPECT_THAT(prove_inclusion(alone, 3, 300), HasCode(Code::kNotFound));
}

TEST(MerkleTest, P2_ATreeThatGoesOnFromItsPeaksForgetsNoneThatItsNextProofNeeds) {
  RecentNodes all = tree_of(100);
  for (std::uint64_t start = 1; start <= 70; ++start) {
    for (std::uint64_t forgotten = 0; forgotten <= start + 3; ++forgotten) {
      RecentNodes young(*frontier_at(all, start));
      std::uint64_t size = start;
      for (; size < start + 3; ++size) young.append(nth(size));
      young.forget_before(forgotten);
      young.forget_before(forgotten / 2);
      young.append(nth(size));
      const auto proof = prove_consistency(young, size, size + 1);
      ASSERT_OK(proof) << start << " " << forgotten;
      EXPECT_OK(
          verify_consistency(size, size + 1, slow_root(0, size), slow_root(0, size + 1), *proof));
    }
  }
}

TEST(MerkleTest, FrontierIsRestoredFromItsPeaks) {
  RecentNodes nodes = tree_of(100);
  const Frontier& whole = nodes.frontier();
  const auto again = Frontier::restore(100, {whole.peaks().begin(), whole.peaks().end()});
  ASSERT_OK(again);
  EXPECT_EQ(again->root(), whole.root());
  EXPECT_THAT(Frontier::restore(100, {}), HasCode(Code::kInvalidArgument));
}

TEST(MerkleTest, MalformedIsToldApartFromTampered) {
  RecentNodes nodes = tree_of(5);
  const Digest root = slow_root(0, 5);
  const Proof good = *prove_inclusion(nodes, 2, 5);
  Proof longer = good;
  longer.push_back(root);
  EXPECT_THAT(verify_inclusion(2, 5, nth(2), longer, root), HasCode(Code::kInvalidArgument));
  const Proof shorter(good.begin(), good.end() - 1);
  EXPECT_THAT(verify_inclusion(2, 5, nth(2), shorter, root), HasCode(Code::kInvalidArgument));
  EXPECT_THAT(verify_inclusion(5, 5, nth(2), good, root), HasCode(Code::kInvalidArgument));
  Proof flipped = good;
  flipped.front().front() ^= std::byte{1};
  EXPECT_THAT(verify_inclusion(2, 5, nth(2), flipped, root), HasCode(Code::kDataLoss));
  EXPECT_THAT(prove_inclusion(nodes, 5, 5), HasCode(Code::kInvalidArgument));
  EXPECT_THAT(prove_consistency(nodes, 5, 4), HasCode(Code::kInvalidArgument));
  const std::vector<Digest> endless(1000, root);
  EXPECT_THAT(verify_inclusion(0, UINT64_MAX, nth(0), endless, root),
              HasCode(Code::kInvalidArgument));
  EXPECT_THAT(verify_consistency(3, UINT64_MAX, root, root, endless),
              HasCode(Code::kInvalidArgument));
}

}  // namespace
}  // namespace candor::ledger
