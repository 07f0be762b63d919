// Keys, certificates and roots of the user's files; who signed, in words.
#pragma once

#include <string>
#include <vector>

#include "context.h"
#include "passport/signature.h"
#include "verbs/verbs.h"

namespace candor::cli {

// Errors name the file and the way out.
[[nodiscard]] Result<crypto::PemSigningKey> read_signing_key(const std::string& path);
// All certificates of the files, in their order.
[[nodiscard]] Result<std::vector<crypto::Certificate>> read_certificates(
    const std::vector<std::string>& paths);

// By the one kind of trust that was given. kInvalidArgument: none, or more than one.
[[nodiscard]] Result<passport::Signer> verify_signer(const passport::Bundle& bundle,
                                                     const TrustOptions& trust);

[[nodiscard]] std::string signer_text(const passport::Signer& signer);  // foreign text
[[nodiscard]] json::Object signer_json(const passport::Signer& signer);

}  // namespace candor::cli
