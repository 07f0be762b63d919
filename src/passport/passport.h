// A model's passport, version 1 (docs/formats/passport.md): which bytes, what they are, where they
// come from and who says so. Pure; hostile input is expected; errors are kInvalidArgument and name
// the member.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "passport/derivation.h"

namespace candor::passport {

inline constexpr std::string_view kPassportPredicate = "https://candor/passport/v1";
inline constexpr std::uint64_t kShardBytes = 64ULL << 20U;
inline constexpr std::size_t kMaxPassportBytes = 16U << 20U;

enum class FileRole : std::uint8_t {
  kWeights,
  kTokenizer,
  kConfiguration,
  kTemplate,
  kAdapter,
  kProjector,
  kDocumentation,
  kOther,
};
[[nodiscard]] std::string_view to_string(FileRole role) noexcept;

struct PassportFile {
  std::string name;  // a path from the model's root; of a model that is one file: its name
  FileRole role = FileRole::kOther;
  std::uint64_t bytes = 0;
  Digest sha256{};
  std::vector<Digest> shards{};  // of kShardBytes each, the last one shorter
  bool operator==(const PassportFile&) const = default;
};

template <typename T>
struct Stated {
  T value{};
  Evidence evidence = Evidence::kClaimed;
  bool operator==(const Stated&) const = default;
};
using StatedText = std::optional<Stated<std::string>>;
using StatedList = std::optional<Stated<std::vector<std::string>>>;

struct About {
  StatedText architecture, licence, quantisation;
  StatedText parameters;  // a decimal number
  std::optional<Stated<std::uint64_t>> context;
  StatedList languages, modalities;
  bool operator==(const About&) const = default;
};

struct Evaluation {
  std::string name, metric;
  std::string value;  // decimal, possibly with a minus
  Evidence evidence = Evidence::kClaimed;
  std::string dataset{}, slice{}, date{};
  std::optional<Digest> report_sha256{};
  bool operator==(const Evaluation&) const = default;
};

struct Use {
  std::vector<std::string> intended, limits, out_of_scope;
  bool operator==(const Use&) const = default;
};

struct Origin {
  StatedText organisation, country, jurisdiction, contact;
  bool operator==(const Origin&) const = default;
};

struct DescentStep {
  Derivation statement;
  Bytes bundle{};  // a Sigstore bundle that signs the statement; empty: nobody signed it
  bool operator==(const DescentStep&) const = default;
};

struct Passport {
  std::string name, version;
  std::vector<PassportFile> files;  // sorted by name
  std::optional<Digest> tokenizer, chat_template;
  std::vector<Artefact> adapters;
  About about;
  std::vector<DescentStep> descent;  // oldest first
  std::vector<Evaluation> evaluations;
  Use use;
  Origin origin;
  std::string made_at, made_by;
  bool operator==(const Passport&) const = default;
};

// The document: RFC 8785, the bytes that are hashed and signed.
[[nodiscard]] Result<std::string> format_passport(const Passport& passport);
// Only a document that is its own canonical form.
[[nodiscard]] Result<Passport> parse_passport(std::string_view document);

// What the chain of descent does not say: sentences for people, none if nothing is missing.
[[nodiscard]] std::vector<std::string> chain_gaps(const Passport& passport);

}  // namespace candor::passport
