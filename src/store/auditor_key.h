// The auditor's side (S3, A14): the key pair and opening sealed content with it. Used by
// `candor key auditor` and the auditor's verb, on any copy of a data folder or of its sealed/ part.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/file_system.h"
#include "base/result.h"
#include "base/sensitive.h"
#include "crypto/seal.h"
#include "ledger/sealed_format.h"

namespace candor::store {

// "candor-auditor-secret-v1:<base64>" in a file of mode 0600; the public half is
// "candor-auditor-v1:<base64>".
[[nodiscard]] Sensitive<std::string> format_auditor_secret(const crypto::BoxKeyPair& pair);
[[nodiscard]] std::string format_auditor_public(const crypto::BoxKeyPair& pair);
[[nodiscard]] Result<crypto::BoxKeyPair> parse_auditor_secret(std::string_view text);
[[nodiscard]] Result<std::array<std::byte, 32>> parse_auditor_public(std::string_view text);

// Adds a public half to keys/auditors.json of a data folder that no server holds: takes its lock.
// In force at the next start. kFailedPrecondition: a server runs, or the key is known already.
[[nodiscard]] Result<void> register_auditor(FileSystem& files, const Path& root,
                                            const std::array<std::byte, 32>& key,
                                            std::string_view label);

// What an exchange's first wrap holds, for erasing single fields of an older epoch's. Errors as
// below.
[[nodiscard]] Result<Sensitive<Digest>> auditor_secret(FileSystem& files, const Path& sealed_folder,
                                                       const crypto::BoxKeyPair& auditor,
                                                       const Id128& id);

struct OpenedContent {
  ledger::SealedRecord record;  // paths and commitments
  std::vector<ledger::OpenedTranscript> transcripts;
};
// All records of one exchange or note, each text checked against its commitment. kNotFound: there
// is none. kFailedPrecondition: erased. kPermissionDenied: its epoch is not sealed to this auditor.
// kDataLoss: a text does not match its commitment.
[[nodiscard]] Result<std::vector<OpenedContent>> open_with_auditor_key(
    FileSystem& files, const Path& sealed_folder, const crypto::BoxKeyPair& auditor,
    const Id128& id);

// All records of exchanges and notes that this auditor can open, in the order of the store, checked
// as above; a record that was written twice comes twice. Answers how many could not be opened:
// erased, or sealed to others. Errors of visit() end it.
[[nodiscard]] Result<std::uint64_t> visit_with_auditor_key(
    FileSystem& files, const Path& sealed_folder, const crypto::BoxKeyPair& auditor,
    const std::function<Result<void>(const OpenedContent&)>& visit);

}  // namespace candor::store
