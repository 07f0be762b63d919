// The digest of a GGUF file's tokenizer (docs/formats/passport.md): what turns text into tokens, of
// whatever weights. Reads the metadata once, allocates nothing on the file's word; errors as
// gguf_reader.h's. Values are hashed as they stand, never kept.
#pragma once

#include <optional>

#include "base/bytes.h"
#include "base/result.h"
#include "model/gguf_reader.h"

namespace candor::model {

// nullopt: the file holds no tokenizer.
[[nodiscard]] Result<std::optional<Digest>> tokenizer_digest(ByteSource& source,
                                                             const GgufLimits& limits = {});

}  // namespace candor::model
