// Sealed content of one exchange or note (docs/formats/sealed.md): which fields there are, their
// commitments, and for each its sealed text or the name of a field with the same text. Payload of a
// journal record of kind 2, and a file's content when it is large. Pure; safe on hostile input.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/result.h"
#include "base/transcript.h"
#include "ledger/commitment.h"

namespace candor::ledger {

enum class SealAlgorithm : std::uint8_t { kXChaCha20Poly1305 = 1 };
inline constexpr std::size_t kMaxSealedRecordBytes = 256U << 20U;

// The text of a field of this record that stands earlier and is itself sealed.
struct SameAs {
  std::uint32_t transcript = 0;  // position in the record
  std::uint32_t field = 0;       // position in that transcript
};
struct SealedField {
  std::string path;
  Digest commitment{};
  // Nothing: the text is not kept (erased alone, or content mode none).
  std::variant<std::monostate, Bytes, SameAs> text;
};
struct SealedTranscript {
  std::string name;  // to_string(TranscriptKind) or "note"
  std::vector<SealedField> fields;
};
struct SealedRecord {
  SealAlgorithm algorithm = SealAlgorithm::kXChaCha20Poly1305;
  Id128 id{};
  std::vector<SealedTranscript> transcripts;
};

[[nodiscard]] Result<Bytes> encode_sealed_record(const SealedRecord& record);
[[nodiscard]] Result<SealedRecord> decode_sealed_record(ByteView bytes);

// Associated data of one field's seal: "candor/v1/sealed" 00 || id || u32 |T| || T || u32 |p| || p.
[[nodiscard]] Bytes sealed_field_context(const Id128& id, std::string_view transcript,
                                         std::string_view path);

// One transcript as it is committed to, for seal_exchange.
struct SealInput {
  std::string_view name;
  const Transcript* transcript = nullptr;
  const TranscriptCommitment* commitment = nullptr;  // same order
};
// Seals each field under its content key; a text that already stands in the record (same bytes, at
// least 16 of them) becomes SameAs. Done without an intermediate record: this is on the hot path.
[[nodiscard]] Result<Bytes> seal_exchange(const Root& root, const Id128& id,
                                          std::span<const SealInput> inputs, Random& random);

// The text of every field that is kept, each checked against its commitment (AEADs do not commit to
// their key, S2). kDataLoss names the path that does not open or does not match.
struct OpenedTranscript {
  std::string name;
  std::vector<std::optional<Sensitive<std::string>>> texts;  // as SealedTranscript::fields
};
[[nodiscard]] Result<std::vector<OpenedTranscript>> open_sealed_record(const SealedRecord& record,
                                                                       const Root& root);
// The same with the keys of each field; a field without any has no text.
struct FieldSecrets {
  Sensitive<Digest> content, opening;
};
using SecretsOf =
    std::function<std::optional<FieldSecrets>(std::string_view transcript, std::string_view path)>;
[[nodiscard]] Result<std::vector<OpenedTranscript>> open_sealed_record(const SealedRecord& record,
                                                                       const SecretsOf& secrets);

}  // namespace candor::ledger
