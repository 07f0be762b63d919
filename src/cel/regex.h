// Regular expressions of RE2, whose time is linear in the text. Owner of RE2: regex.cc alone
// includes it.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"

namespace re2 {
class RE2;
}

namespace candor::cel {

class Regex {
 public:
  // kInvalidArgument with RE2's words: not a pattern, or one whose program is too large.
  [[nodiscard]] static Result<Regex> compile(std::string_view pattern);
  Regex(Regex&&) noexcept;
  Regex& operator=(Regex&&) noexcept;
  ~Regex();
  // Whether a part of the text matches.
  [[nodiscard]] bool finds(std::string_view text) const;

 private:
  explicit Regex(std::unique_ptr<re2::RE2> compiled);
  std::unique_ptr<re2::RE2> compiled_;
};

}  // namespace candor::cel
