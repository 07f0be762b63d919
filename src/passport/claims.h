// What people say of a model, in TOML (docs/formats/passport.md, "Claims in TOML"): statements of
// descent, origin, use, licence. All of it is `claimed`, whatever it says. kInvalidArgument names
// file, line and key.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "passport/passport.h"

namespace candor::passport {

// Adds what the text says to the passport. hash answers for `file = "path"` members.
[[nodiscard]] Result<void> add_claims(
    std::string_view toml, const std::string& file_name,
    const std::function<Result<Digest>(const std::string& path)>& hash, Passport& out);

}  // namespace candor::passport
