// Commitments to content that an entry does not hold (docs/formats/commitments.md; P3, S1, S2).
// Pure; thread-safe.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/sensitive.h"
#include "base/transcript.h"

namespace candor::ledger {

using Root = Sensitive<Digest>;        // an exchange's or a note's root: everything else follows
using OpeningKey = Sensitive<Digest>;  // opens every field of one transcript

[[nodiscard]] OpeningKey opening_key(const Root& root, std::string_view transcript_name);
[[nodiscard]] Sensitive<Digest> content_key(const Root& root, std::string_view transcript_name,
                                            std::string_view path);

struct FieldCommitment {
  std::string path;
  Digest value{};
};

struct TranscriptCommitment {
  std::vector<FieldCommitment> fields;  // in the transcript's order
  Digest root{};                        // what the entry carries
};

// name is to_string(TranscriptKind) or "note".
[[nodiscard]] TranscriptCommitment commit(const OpeningKey& key, const Id128& id,
                                          std::string_view name, const Transcript& transcript);

// The opening of one field of a transcript.
[[nodiscard]] Sensitive<Digest> field_opening(const OpeningKey& key, std::string_view path);

// One field's commitment, by its transcript's opening key or by its own opening.
[[nodiscard]] Digest commit_field_opened(const Sensitive<Digest>& opening, const Id128& id,
                                         std::string_view name, std::string_view path,
                                         std::string_view text);
[[nodiscard]] Digest commit_field(const OpeningKey& key, const Id128& id, std::string_view name,
                                  std::string_view path, std::string_view text);

// RFC 6962 root over the fields' values; an empty list gives SHA-256 of nothing.
[[nodiscard]] Digest commitment_root(std::span<const FieldCommitment> fields);

}  // namespace candor::ledger
