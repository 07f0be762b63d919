// What a model in the store consists of, where it came from and what judged it: candor.model/1
// (docs/formats/model-store.md). Pure; parsers are safe on hostile input (bundles bring manifests
// from elsewhere): kInvalidArgument names the first thing that is not as the format has it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"

namespace candor::models {

inline constexpr std::size_t kMaxManifestBytes = 4U << 20U;
inline constexpr std::size_t kMaxFiles = 1'024;
inline constexpr std::uint64_t kMaxFileBytes = 1ULL << 52U;  // sizes are JSON integers

// 1 to 128 of A-Z a-z 0-9 . _ -, beginning with a letter or digit.
[[nodiscard]] bool is_name(std::string_view name) noexcept;
// What comes nearest to text: other characters become '-'. Empty if nothing is left.
[[nodiscard]] std::string name_from(std::string_view text);
// Relative, of 1 to 8 parts, none "." or "..", no controls, no backslash, at most 255 bytes, UTF-8.
[[nodiscard]] bool is_file_path(std::string_view path) noexcept;

// What the publisher's digest was that a file was held against.
enum class Published : std::uint8_t { kNone, kSha256, kGitSha1 };
// What the digests are worth (L12).
enum class Trust : std::uint8_t {
  kNone,      // nobody said what the bytes should be
  kFirstUse,  // the publisher's, from where the bytes came from
  kGiven,     // named by who pulled it
};
[[nodiscard]] std::string_view to_string(Trust trust) noexcept;
[[nodiscard]] Result<Trust> trust_from(std::string_view text);

struct StoredFile {
  std::string path = {};
  Digest sha256{};
  std::uint64_t size = 0;
  Published published = Published::kNone;
  bool operator==(const StoredFile&) const = default;
};

enum class Format : std::uint8_t { kGguf, kSafetensors, kPytorch, kOnnx };
enum class Kind : std::uint8_t { kModel, kAdapter };
[[nodiscard]] std::string_view to_string(Format format) noexcept;
[[nodiscard]] std::string_view to_string(Kind kind) noexcept;

struct Source {
  std::string reference = {};  // "hf:ORG/REPO:FILE"; never a password or query
  std::string revision = {};   // a commit or version; may be empty
  Trust trust = Trust::kNone;
  bool operator==(const Source&) const = default;
};

struct Judgement {
  std::string by = {};  // "candor-inspect"; empty: in quarantine, nothing has judged it
  std::string architecture = {}, licence = {};
  bool operator==(const Judgement&) const = default;
};

struct Manifest {
  std::vector<StoredFile> files = {};  // by path, paths differ
  Format format = Format::kGguf;
  Kind kind = Kind::kModel;
  Source source = {};
  Judgement gate = {};
  std::int64_t pulled_us = 0, admitted_us = 0;
  bool operator==(const Manifest&) const = default;

  // One file: its SHA-256. Several: of the canonical list of files.
  [[nodiscard]] Digest digest() const;
  [[nodiscard]] std::uint64_t total_bytes() const noexcept;
};

// kInvalidArgument: it would not parse (a control character in a licence, a file list in disorder).
[[nodiscard]] Result<std::string> to_json(const Manifest& manifest);
[[nodiscard]] Result<Manifest> manifest_from_json(std::string_view text);

// What files of these names are together. kInvalidArgument: no weights among them, more than one
// model, or a split with a part missing; says which.
struct Shape {
  Format format = Format::kGguf;
  Kind kind = Kind::kModel;
  bool operator==(const Shape&) const = default;
};
[[nodiscard]] Result<Shape> shape_of(const std::vector<std::string>& paths);

// "<stem>-00001-of-00003.gguf"; number and count from 1. False: not such a name.
struct SplitName {
  std::string stem = {};
  int number = 0, count = 0;
};
[[nodiscard]] bool split_name(std::string_view path, SplitName& out);
[[nodiscard]] std::string split_file(const SplitName& name);

}  // namespace candor::models
