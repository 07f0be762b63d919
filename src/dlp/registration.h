// Makes the detector packs of what an organisation registers (C3): the values of table columns, the
// passages of documents, a list of words, and canaries. The pack's text is all that is kept
// (docs/formats/detector-packs.md, "Registered data"); values and documents are in it as
// fingerprints only. Pure: the key comes in. Limits as in fingerprints.h.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "base/result.h"
#include "dlp/fingerprints.h"

namespace candor::dlp {

struct Registration {
  std::string id;    // of the detector and of the pack: [a-z0-9._-]+
  std::string name;  // for people; the id where empty
  std::string severity = "high";
};

struct Registered {
  std::string pack;         // TOML
  std::size_t kept = 0;     // fingerprints or words
  std::size_t skipped = 0;  // values too short, too long or of too many words; documents too short
};

// kInvalidArgument: no value or document is left, the id or another text is not fit for a pack.
// kResourceExhausted: more than kMostFingerprints.
[[nodiscard]] Result<Registered> register_values(const Registration& what,
                                                 std::span<const std::string> values,
                                                 const crypto::ShortKey& key);
[[nodiscard]] Result<Registered> register_documents(const Registration& what,
                                                    std::span<const std::string> texts,
                                                    const crypto::ShortKey& key,
                                                    std::uint32_t gram = kDefaultGram);
[[nodiscard]] Result<Registered> register_words(const Registration& what,
                                                std::span<const std::string> words);
// A text that stands nowhere else, to be planted where nobody should read: seeing it again shows
// that something was read. `token`: what makes it so, 128 random bits.
struct Canary {
  std::string text;
  std::string pack;
};
[[nodiscard]] Result<Canary> make_canary(const Registration& what, const crypto::ShortKey& token);

}  // namespace candor::dlp
