#include "ledger/commitment.h"

#include <array>

#include "crypto/hash.h"
#include "ledger/merkle.h"

namespace candor::ledger {
namespace {

constexpr std::string_view kDomain("candor/v1/commitment\0", 21);

std::array<std::byte, 4> be32(std::size_t value) {
  return {static_cast<std::byte>(value >> 24U), static_cast<std::byte>(value >> 16U),
          static_cast<std::byte>(value >> 8U), static_cast<std::byte>(value)};
}

}  // namespace

OpeningKey opening_key(const Root& root, std::string_view transcript_name) {
  return OpeningKey(
      crypto::hkdf_expand32(root.reveal(), "candor/v1/opening/" + std::string(transcript_name)));
}

Sensitive<Digest> content_key(const Root& root, std::string_view transcript_name,
                              std::string_view path) {
  std::string info = "candor/v1/content/";
  info += transcript_name;
  info += '/';
  info += path;
  return Sensitive<Digest>(crypto::hkdf_expand32(root.reveal(), info));
}

Sensitive<Digest> field_opening(const OpeningKey& key, std::string_view path) {
  return Sensitive<Digest>(
      crypto::hkdf_expand32(key.reveal(), "candor/v1/field/" + std::string(path)));
}

Digest commit_field(const OpeningKey& key, const Id128& id, std::string_view name,
                    std::string_view path, std::string_view text) {
  return commit_field_opened(field_opening(key, path), id, name, path, text);
}

Digest commit_field_opened(const Sensitive<Digest>& opening, const Id128& id, std::string_view name,
                           std::string_view path, std::string_view text) {
  const auto name_size = be32(name.size());
  const auto path_size = be32(path.size());
  return crypto::hmac_sha256(opening.reveal(), {as_bytes(kDomain), id, name_size, as_bytes(name),
                                                path_size, as_bytes(path), as_bytes(text)});
}

Digest commitment_root(std::span<const FieldCommitment> fields) {
  Frontier tree;
  for (const FieldCommitment& field : fields) tree.append(hash_leaf(field.value));
  return tree.root();
}

TranscriptCommitment commit(const OpeningKey& key, const Id128& id, std::string_view name,
                            const Transcript& transcript) {
  TranscriptCommitment out;
  out.fields.reserve(transcript.size());
  for (const TranscriptField& field : transcript) {
    out.fields.push_back({.path = field.path,
                          .value = commit_field(key, id, name, field.path, field.text.reveal())});
  }
  out.root = commitment_root(out.fields);
  return out;
}

}  // namespace candor::ledger
