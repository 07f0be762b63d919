// The text of an OpenAI-like answer, whole or in pieces, without reading its JSON.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>

namespace candor::bench {

// All texts of a "content" member, joined. Escapes are left as they are: --expect has none.
struct ContentScan {
  std::string text;
  std::size_t at = 0;
  void scan(const std::string& body) {
    constexpr std::string_view kMember = "\"content\":";
    for (;;) {
      const auto found = body.find(kMember, at);
      if (found == std::string::npos) {
        at = std::max(at, body.size() - std::min(body.size(), kMember.size()));
        return;
      }
      std::size_t i = found + kMember.size();
      while (i < body.size() && body[i] == ' ') ++i;
      if (i >= body.size()) return;
      if (body[i] != '"') {
        at = i;
        continue;
      }
      std::size_t end = i + 1;
      while (end < body.size() && body[end] != '"') end += body[end] == '\\' ? 2 : 1;
      if (end >= body.size()) return;  // the rest comes with the next bytes
      text.append(body, i + 1, end - i - 1);
      at = end + 1;
    }
  }
};

}  // namespace candor::bench
