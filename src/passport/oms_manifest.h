// What a model signature is about: the statement of OpenSSF Model Signing v1.0
// (docs/formats/model-signature.md). Pure; hostile input is expected.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"

namespace candor::passport {

inline constexpr std::string_view kStatementType = "https://in-toto.io/Statement/v1";
inline constexpr std::string_view kOmsPredicate = "https://model_signing/signature/v1.0";
inline constexpr std::size_t kMaxResources = 1U << 20U;
inline constexpr std::uint64_t kDefaultShardBytes = 1'000'000'000;  // the reference's

struct Resource {
  std::string path;  // relative, with '/'; "." is the model itself when it is one file
  // Of a shard: end is not included. Both 0 where the whole file is meant.
  std::uint64_t start = 0, end = 0;
  Digest digest{};
  bool operator==(const Resource&) const = default;
};

struct OmsManifest {
  std::string model_name{};
  bool shards = false;
  std::uint64_t shard_bytes = 0;  // with shards alone
  bool allow_symlinks = false;
  std::vector<std::string> ignore{};
  std::vector<Resource> resources{};  // in the statement's order
  bool operator==(const OmsManifest&) const = default;
};

// kInvalidArgument: malformed, or its root digest is not that of its resources.
// kFailedPrecondition: well formed, but not taken here (another hash).
[[nodiscard]] Result<OmsManifest> parse_oms_statement(ByteView payload);
// RFC 8785. The resources must be sorted (sort_resources).
[[nodiscard]] Result<std::string> format_oms_statement(const OmsManifest& manifest);

// By path part by part in code points, then by start: the reference implementation's order.
void sort_resources(std::vector<Resource>& resources);

// A relative path with '/': no empty part, no ".", no "..", no control character, UTF-8, at most
// 4,096 bytes.
[[nodiscard]] bool is_model_path(std::string_view path) noexcept;
// Whether path is, or lies below, one of ignored.
[[nodiscard]] bool is_ignored(std::string_view path, const std::vector<std::string>& ignored);

}  // namespace candor::passport
