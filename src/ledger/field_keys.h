// What is left of an exchange's root after single fields were erased (docs/formats/field-keys.md;
// S2, S3): the derived keys of the other fields. Pure; safe on hostile input.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/result.h"
#include "base/sensitive.h"
#include "ledger/commitment.h"
#include "ledger/sealed_format.h"

namespace candor::ledger {

// Keys of one field: for its sealed text, and for its commitment.
struct FieldKeys {
  std::string transcript, path;
  Sensitive<Digest> content, opening;
};

// Names of the record's transcripts of which one of these paths, or a text that it shares, is a
// part.
[[nodiscard]] std::vector<std::string> transcripts_touched(const SealedRecord& record,
                                                           const std::vector<std::string>& paths);

// Of every field of the record but these, and but those whose text is the same one: it would tell.
[[nodiscard]] std::vector<FieldKeys> keys_without(const SealedRecord& record, const Root& root,
                                                  const std::vector<std::string>& erased_paths);
// The same from what an earlier erasure left.
[[nodiscard]] std::vector<FieldKeys> keys_without(const SealedRecord& record,
                                                  const std::vector<FieldKeys>& left,
                                                  const std::vector<std::string>& erased_paths);

// The file: a header, then the list under the key that took the root's place.
[[nodiscard]] Bytes encode_field_keys(const Id128& id, const Sensitive<Digest>& key,
                                      const std::vector<FieldKeys>& keys, Random& random);
// kInvalidArgument: no such file, or of another exchange. kDataLoss: it does not open.
[[nodiscard]] Result<std::vector<FieldKeys>> decode_field_keys(ByteView file, const Id128& id,
                                                               const Sensitive<Digest>& key);

// As open_sealed_record with the root; a field without keys has no text.
[[nodiscard]] Result<std::vector<OpenedTranscript>> open_sealed_record(
    const SealedRecord& record, const std::vector<FieldKeys>& keys);

}  // namespace candor::ledger
