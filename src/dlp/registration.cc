#include "dlp/registration.h"

#include <algorithm>
#include <bit>
#include <functional>
#include <optional>

#include <fmt/format.h>

#include "base/bytes.h"
#include "base/text.h"
#include "dlp/pack.h"

namespace candor::dlp {
namespace {

// A TOML basic string.
std::string quoted(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) {
      out += fmt::format("\\u{:04X}", static_cast<unsigned char>(c));
    } else {
      out += c;
    }
  }
  return out + '"';
}

std::string head(const Registration& what, std::string_view class_name, std::string_view anchor) {
  return fmt::format(
      "format = 1\npack = {}\n\n[[detector]]\nid = {}\nname = {}\nclass = {}\nseverity = {}\n"
      "anchor = {}\nconfidence = 95\n",
      quoted(what.id), quoted(what.id), quoted(what.name.empty() ? what.id : what.name),
      quoted(class_name), quoted(what.severity), quoted(anchor));
}

std::string fingerprints(const crypto::ShortKey& key, const std::vector<std::uint64_t>& hashes) {
  static_assert(std::endian::native == std::endian::little);
  return fmt::format("key = {}\nfingerprints = {}\n", quoted(to_base64(key)),
                     quoted(to_base64(std::as_bytes(std::span(hashes)))));
}

// What was made must be a pack that a server takes.
Result<Registered> checked(Registered made) {
  TRY(parse_pack(made.pack, "the new pack"));
  return made;
}

Result<void> fit(std::vector<std::uint64_t>& hashes, std::string_view nothing) {
  std::ranges::sort(hashes);
  hashes.erase(std::ranges::unique(hashes).begin(), hashes.end());
  if (hashes.empty()) return fail(Code::kInvalidArgument, std::string(nothing));
  if (hashes.size() > kMostFingerprints) {
    return fail(Code::kResourceExhausted,
                fmt::format("{} fingerprints, where a pack holds at most {}: make several packs",
                            hashes.size(), kMostFingerprints));
  }
  return {};
}

}  // namespace

Result<Registered> register_values(const Registration& what, std::span<const std::string> values,
                                   const crypto::ShortKey& key) {
  Registered made;
  std::vector<std::uint64_t> hashes;
  std::uint64_t lengths = 0;
  std::uint32_t words = 0;
  for (const std::string& value : values) {
    const auto normal = normal_value(value);
    if (!normal || normal->text.size() < kMinValueBytes) {
      ++made.skipped;
      continue;
    }
    hashes.push_back(crypto::short_hash(key, normal->text));
    lengths |= 1ULL << normal->text.size();
    words = std::max(words, normal->words);
  }
  TRY(fit(hashes, fmt::format("no value can be registered: one needs {} to {} letters or digits, "
                              "in at most {} words",
                              kMinValueBytes, kMaxValueBytes, kMaxValueWords)));
  made.kept = hashes.size();
  made.pack = head(what, kRegisteredClass, "values") +
              fmt::format("lengths = {}\nmax_words = {}\n", lengths, words) +
              fingerprints(key, hashes);
  return checked(std::move(made));
}

Result<Registered> register_documents(const Registration& what, std::span<const std::string> texts,
                                      const crypto::ShortKey& key, std::uint32_t gram) {
  if (gram < kMinGram || gram > kMaxGram) {
    return fail(Code::kInvalidArgument,
                fmt::format("a passage's gram is {} to {} letters or digits", kMinGram, kMaxGram));
  }
  Registered made;
  std::vector<std::uint64_t> hashes;
  for (const std::string& text : texts) {
    const std::vector<std::uint64_t> kept = winnow(text, key, gram);
    if (kept.empty()) ++made.skipped;
    hashes.insert(hashes.end(), kept.begin(), kept.end());
  }
  TRY(fit(hashes,
          fmt::format("no document can be registered: one needs {} letters or digits", gram)));
  made.kept = hashes.size();
  made.pack = head(what, "registered.document", "passages") + fmt::format("gram = {}\n", gram) +
              fingerprints(key, hashes);
  return checked(std::move(made));
}

Result<Registered> register_words(const Registration& what, std::span<const std::string> words) {
  Registered made;
  made.pack = head(what, "internal.label", "words") + "words = [\n";
  for (const std::string& word : words) {
    if (!normal_value(word) || !is_utf8(word)) {
      ++made.skipped;
      continue;
    }
    made.pack += "  " + quoted(word) + ",\n";
    ++made.kept;
  }
  made.pack += "]\n";
  if (made.kept == 0) return fail(Code::kInvalidArgument, "no word can be registered");
  return checked(std::move(made));
}

Result<Canary> make_canary(const Registration& what, const crypto::ShortKey& token) {
  Canary made;
  made.text = "cnry-" + to_hex(token);
  made.pack =
      head(what, "internal.canary", "start") +
      fmt::format("literals = [{0}]\npattern = {0}\nmax_span = {1}\nmatch = [\"see [[{2}]]\"]\n",
                  quoted(made.text), made.text.size(), made.text);
  TRY(parse_pack(made.pack, "the new pack"));
  return made;
}

}  // namespace candor::dlp
