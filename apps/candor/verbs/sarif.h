// What every report in SARIF 2.1.0 (OASIS) shares.
#pragma once

#include <string>
#include <string_view>

#include "json/json.h"

namespace candor::cli {

// A path as a relative reference (RFC 3986): each part of it encoded.
[[nodiscard]] std::string sarif_uri(std::string_view path);
// One run of one tool; columns count code points.
[[nodiscard]] json::Object sarif_document(std::string_view tool, std::string_view version,
                                          json::Array rules, json::Array results);

}  // namespace candor::cli
