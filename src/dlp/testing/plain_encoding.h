// Encodings of a whole text found as encoding.h defines them, byte by byte: the oracle for
// open_encodings(). Decoding itself (internal/decode.h) is shared.
#pragma once

#include <string_view>

#include "dlp/encoding.h"

namespace candor::dlp {

[[nodiscard]] Opened plain_encodings(std::string_view text);

}  // namespace candor::dlp
