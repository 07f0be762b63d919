#include "dlp/pack.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <functional>
#include <limits>
#include <optional>

#include <fmt/format.h>

#include "base/bytes.h"
#include "base/text.h"
#include "config/document.h"
#include "dlp/encoding.h"
#include "dlp/fold.h"
#include "dlp/internal/pattern.h"
#include "dlp/validators.h"

namespace candor::dlp {
namespace {

using config::TomlTable;
using config::TomlValue;

constexpr std::size_t kMaxProblems = 20;
constexpr std::size_t kMaxText = 4096;
constexpr std::size_t kMaxList = 512;

constexpr std::size_t kMaxWords = 10'000;
constexpr std::size_t kMaxFingerprintText = kMostFingerprints * 8 / 3 * 4 + 4;
// A word of a list is in the pack for all to read, so its fingerprint hides nothing.
constexpr crypto::ShortKey kNoKey{};

constexpr std::array<std::string_view, 26> kKeys = {"id",
                                                    "name",
                                                    "class",
                                                    "severity",
                                                    "countries",
                                                    "anchor",
                                                    "literals",
                                                    "ignore_case",
                                                    "pattern",
                                                    "boundary",
                                                    "near",
                                                    "validator",
                                                    "confidence",
                                                    "raise",
                                                    "lower",
                                                    "max_span",
                                                    "max_context_after",
                                                    "stream",
                                                    "match",
                                                    "no_match",
                                                    "words",
                                                    "key",
                                                    "fingerprints",
                                                    "lengths",
                                                    "max_words",
                                                    "gram"};

template <typename Kind>
using Words = std::array<std::pair<std::string_view, Kind>, 9>;

constexpr Words<Severity> kSeverities = {{{"low", Severity::kLow},
                                          {"medium", Severity::kMedium},
                                          {"high", Severity::kHigh},
                                          {"critical", Severity::kCritical}}};
constexpr Words<Anchor> kAnchors = {{{"start", Anchor::kStart},
                                     {"inside", Anchor::kInside},
                                     {"near", Anchor::kNear},
                                     {"digits", Anchor::kDigits},
                                     {"hidden", Anchor::kHidden},
                                     {"opaque", Anchor::kOpaque},
                                     {"words", Anchor::kWords},
                                     {"values", Anchor::kValues},
                                     {"passages", Anchor::kPassages}}};
constexpr Words<Boundary> kBoundaries = {{{"word", Boundary::kWord},
                                          {"number", Boundary::kNumber},
                                          {"address", Boundary::kAddress},
                                          {"none", Boundary::kNone}}};
constexpr Words<StreamMode> kStreams = {{{"exact", StreamMode::kExact},
                                         {"trigger", StreamMode::kTrigger},
                                         {"buffer", StreamMode::kBuffer},
                                         {"monitor", StreamMode::kMonitor}}};

template <typename Kind>
std::string_view word_of(const Words<Kind>& words, Kind kind) {
  for (const auto& [word, value] : words) {
    if (!word.empty() && value == kind) return word;
  }
  return "";
}

class Reader {
 public:
  explicit Reader(const std::string& file) : file_(file) {}

  void read(const TomlTable& root, Pack& pack) {
    bool format = false;
    for (const auto& [key, value] : root) {
      if (key == "format") {
        format = value.integer() != nullptr && *value.integer() == 1;
        if (!format) problem(value.line, "format must be 1");
      } else if (key == "pack") {
        text(value, key, pack.name);
        if (!is_name(pack.name)) problem(value.line, "pack must be a name of a-z, 0-9, - . _");
      } else if (key == "detector") {
        detectors(value, pack);
      } else {
        unknown(value.line, key, std::array<std::string_view, 3>{"format", "pack", "detector"});
      }
    }
    if (!format && problems_.empty()) problem(1, "format = 1 is missing");
    if (pack.name.empty() && problems_.empty()) problem(1, "pack is missing");
    for (Detector& detector : pack.detectors) detector.pack = pack.name;
  }

  [[nodiscard]] const std::vector<std::string>& problems() const { return problems_; }

 private:
  void problem(std::uint32_t line, std::string_view what) {
    if (problems_.size() < kMaxProblems) {
      problems_.push_back(fmt::format("{}:{}: {}", file_, line, what));
    }
  }

  void unknown(std::uint32_t line, std::string_view key, std::span<const std::string_view> known) {
    const std::string_view near = nearest_name(key, known);
    const std::string shown = strip_controls(key.substr(0, 64));
    problem(line, near.empty() ? fmt::format("unknown key '{}'", shown)
                               : fmt::format("unknown key '{}'; did you mean '{}'?", shown, near));
  }

  static bool is_name(std::string_view text) {
    return !text.empty() && text.size() <= 64 && std::ranges::all_of(text, [](char c) {
      return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_';
    });
  }

  void text(const TomlValue& value, std::string_view key, std::string& into) {
    const std::string* found = value.text();
    if (found == nullptr || found->empty() || found->size() > kMaxText || !is_utf8(*found)) {
      problem(value.line, fmt::format("{} must be a text of at most {} bytes", key, kMaxText));
      return;
    }
    into = *found;
  }

  void texts(const TomlValue& value, std::string_view key, std::vector<std::string>& into,
             std::size_t most = kMaxList) {
    if (value.text() != nullptr) {
      text(value, key, into.emplace_back());
      return;
    }
    const config::TomlArray* list = value.array();
    if (list == nullptr || list->size() > most) {
      problem(value.line, fmt::format("{} must be a list of at most {} texts", key, most));
      return;
    }
    for (const TomlValue& item : *list) text(item, key, into.emplace_back());
  }

  template <typename Number>
  void number(const TomlValue& value, std::string_view key, std::int64_t min, std::int64_t max,
              Number& into) {
    const std::int64_t* found = value.integer();
    if (found == nullptr || *found < min || *found > max) {
      problem(value.line, fmt::format("{} must be a number from {} to {}", key, min, max));
      return;
    }
    into = static_cast<Number>(*found);
  }

  template <typename Kind>
  void choice(const TomlValue& value, std::string_view key, const Words<Kind>& words, Kind& into) {
    std::string all;
    for (const auto& [word, kind] : words) {
      if (word.empty()) continue;
      if (value.text() != nullptr && *value.text() == word) {
        into = kind;
        return;
      }
      all += (all.empty() ? "" : ", ") + std::string(word);
    }
    problem(value.line, fmt::format("{} must be one of {}", key, all));
  }

  void detectors(const TomlValue& value, Pack& pack) {
    const config::TomlArray* list = value.array();
    if (list == nullptr || list->size() > 4096) {
      problem(value.line, "detectors are written [[detector]], with two brackets");
      return;
    }
    for (const TomlValue& item : *list) {
      if (item.table() == nullptr) {
        problem(item.line, "detectors are written [[detector]], with two brackets");
        return;
      }
      Detector& detector = pack.detectors.emplace_back();
      detector.origin = fmt::format("{}:{}", file_, item.line);
      Fingerprints set;
      for (const auto& [key, member] : *item.table()) {
        if (!set_key(set, key, member)) one_key(detector, key, member);
      }
      if (problems_.empty()) registered(detector, std::move(set), item.line);
      whole(detector, item.line);
    }
  }

  void one_key(Detector& d, const std::string& key, const TomlValue& value) {
    if (key == "id") return text(value, key, d.id);
    if (key == "name") return text(value, key, d.name);
    if (key == "class") return text(value, key, d.class_name);
    if (key == "validator") return text(value, key, d.validator);
    if (key == "severity") return choice(value, key, kSeverities, d.severity);
    if (key == "anchor") return choice(value, key, kAnchors, d.anchor);
    if (key == "boundary") return choice(value, key, kBoundaries, d.boundary);
    if (key == "stream") return choice(value, key, kStreams, d.stream);
    if (key == "countries") return texts(value, key, d.countries);
    if (key == "literals") return texts(value, key, d.literals);
    if (key == "pattern") return texts(value, key, d.patterns);
    if (key == "near") return texts(value, key, d.near);
    if (key == "raise") return texts(value, key, d.raise);
    if (key == "lower") return texts(value, key, d.lower);
    if (key == "match") return texts(value, key, d.match);
    if (key == "no_match") return texts(value, key, d.no_match);
    if (key == "words") return texts(value, key, d.words, kMaxWords);
    if (key == "confidence") return number(value, key, 0, 100, d.confidence);
    if (key == "max_span") return number(value, key, 1, kLongestSpan, d.max_span);
    if (key == "max_context_after") {
      return number(value, key, 0, kLongestContextAfter, d.max_context_after);
    }
    if (key == "ignore_case") {
      if (value.flag() == nullptr) return problem(value.line, "ignore_case must be true or false");
      d.ignore_case = *value.flag();
      return;
    }
    unknown(value.line, key, kKeys);
  }

  // The keys of Fingerprints; false: another key.
  bool set_key(Fingerprints& set, const std::string& key, const TomlValue& value) {
    if (key == "max_words") {
      number(value, key, 1, kMaxValueWords, set.max_words);
    } else if (key == "gram") {
      number(value, key, kMinGram, kMaxGram, set.gram);
    } else if (key == "lengths") {
      number(value, key, 1, std::numeric_limits<std::int64_t>::max(), set.lengths);
    } else if (key == "key") {
      const auto bytes = value.text() == nullptr ? std::nullopt : decoded(*value.text());
      if (!bytes || bytes->size() != set.key.size()) {
        problem(value.line, "key must be 16 bytes in base64");
      } else {
        std::ranges::copy(*bytes, set.key.begin());
      }
    } else if (key == "fingerprints") {
      const auto bytes = value.text() == nullptr ? std::nullopt : decoded(*value.text());
      if (!bytes || bytes->empty() || bytes->size() % sizeof(std::uint64_t) != 0) {
        problem(value.line, fmt::format("fingerprints must be 8 bytes each, at most {}, in base64",
                                        kMostFingerprints));
        return true;
      }
      static_assert(std::endian::native == std::endian::little);
      set.hashes.resize(bytes->size() / sizeof(std::uint64_t));
      std::memcpy(set.hashes.data(), bytes->data(), bytes->size());
      if (std::ranges::adjacent_find(set.hashes, std::greater_equal<>()) != set.hashes.end()) {
        problem(value.line, "fingerprints must be ascending, each once");
      }
    } else {
      return false;
    }
    return true;
  }

  static std::optional<Bytes> decoded(const std::string& text) {
    if (text.size() > kMaxFingerprintText) return std::nullopt;
    auto bytes = from_base64(text);
    return bytes ? std::optional(*std::move(bytes)) : std::nullopt;
  }

  // What an organisation registered: each of the three anchors has what it needs and no more.
  void registered(Detector& d, Fingerprints set, std::uint32_t line) {
    const bool values = d.anchor == Anchor::kValues;
    const bool passages = d.anchor == Anchor::kPassages;
    const auto check = [&](bool wanted, bool there, std::string_view key) {
      if (wanted != there) {
        problem(line, fmt::format("anchor {} {} {}", to_string(d.anchor),
                                  wanted ? "needs" : "takes no", key));
      }
    };
    check(d.anchor == Anchor::kWords, !d.words.empty(), "words");
    check(values || passages, !set.hashes.empty(), "fingerprints");
    check(values || passages, set.key != kNoKey, "key");
    check(values, set.lengths != 0, "lengths");
    check(values, set.max_words != 0, "max_words");
    check(passages, set.gram != 0, "gram");
    if (!is_registered(d.anchor) || !problems_.empty()) return;
    if (d.anchor == Anchor::kWords) {
      add_words(d, set, line);
    } else if (d.max_span == 0) {
      d.max_span = values ? kMaxValueBytes + kMaxValueWords * kMaxWordGap : 4 * set.gram;
    }
    if (values && d.class_name != kRegisteredClass) {
      problem(line, fmt::format("class of anchor values is {}: what was hit must not tell which "
                                "table it is in",
                                kRegisteredClass));
    }
    if (!d.validator.empty() ||
        (passages && !(d.near.empty() && d.raise.empty() && d.lower.empty()))) {
      problem(line, fmt::format("anchor {} takes no {}", to_string(d.anchor),
                                passages ? "validator or context words" : "validator"));
    }
    if (d.stream == StreamMode::kTrigger || (passages && d.stream == StreamMode::kMonitor)) {
      problem(line, fmt::format("anchor {} takes no stream {}", to_string(d.anchor),
                                to_string(d.stream)));
    }
    d.boundary = Boundary::kNone;  // they are rows of whole words, or of a document's bytes
    d.fingerprints = std::make_shared<const Fingerprints>(std::move(set));
  }

  void add_words(Detector& d, Fingerprints& set, std::uint32_t line) {
    std::size_t span = 0;
    for (const std::string& word : d.words) {
      const auto normal = normal_value(word);
      if (!normal || normal->text.size() < 2) {
        problem(line,
                fmt::format("'{}' cannot be found as a word: it needs 2 to {} letters or "
                            "digits in at most {} words",
                            strip_controls(word.substr(0, 64)), kMaxValueBytes, kMaxValueWords));
        return;
      }
      set.hashes.push_back(crypto::short_hash(set.key, normal->text));
      set.lengths |= 1ULL << normal->text.size();
      set.max_words = std::max(set.max_words, normal->words);
      span = std::max(span, normal->text.size() + (normal->words - 1) * kMaxWordGap);
    }
    std::ranges::sort(set.hashes);
    set.hashes.erase(std::ranges::unique(set.hashes).begin(), set.hashes.end());
    if (d.max_span == 0) d.max_span = static_cast<std::uint32_t>(span);
  }

  // What needs more than one key.
  void whole(Detector& d, std::uint32_t line) {
    if (!problems_.empty()) return;
    if (!is_name(d.id)) problem(line, "id must be a name of a-z, 0-9, - . _");
    if (!is_name(d.class_name)) problem(line, "class must be a name such as personal.contact");
    if (d.name.empty()) d.name = d.id;
    for (const std::string& country : d.countries) {
      if (country.size() != 2 || country[0] < 'A' || country[0] > 'Z' || country[1] < 'A' ||
          country[1] > 'Z') {
        problem(line, "countries are two capital letters (ISO 3166-1)");
      }
    }
    if (d.max_span == 0) problem(line, "max_span is missing");
    if (d.match.empty() && !is_registered(d.anchor)) problem(line, "match needs an example");
    const bool needs_pattern =
        d.anchor != Anchor::kHidden && d.anchor != Anchor::kOpaque && !is_registered(d.anchor);
    if (needs_pattern != !d.patterns.empty()) {
      problem(line, needs_pattern ? "pattern is missing"
                                  : fmt::format("anchor {} has no pattern", to_string(d.anchor)));
    }
    const bool needs_literals =
        d.anchor == Anchor::kStart || d.anchor == Anchor::kInside || d.anchor == Anchor::kNear;
    if (needs_literals != !d.literals.empty()) {
      problem(line, fmt::format("anchor {} {} literals", to_string(d.anchor),
                                needs_literals ? "needs" : "takes no"));
    }
    for (const auto list :
         {&Detector::literals, &Detector::near, &Detector::raise, &Detector::lower}) {
      for (std::string& word : d.*list) word = fold(word);
    }
    for (const std::string& literal : d.literals) {
      if (literal.size() < 2 && literal != "@") {
        problem(line, "a literal must have two bytes or be @");
      }
    }
    if (!d.validator.empty() && find_validator(d.validator) == nullptr) {
      const auto names = validator_names();
      const std::string_view near = nearest_name(d.validator, names);
      problem(line, near.empty() ? "unknown validator"
                                 : fmt::format("unknown validator; did you mean '{}'?", near));
    }
  }

  const std::string& file_;
  std::vector<std::string> problems_;
};

}  // namespace

std::string_view to_string(Severity severity) noexcept { return word_of(kSeverities, severity); }
std::string_view to_string(Anchor anchor) noexcept { return word_of(kAnchors, anchor); }
std::string_view to_string(StreamMode mode) noexcept { return word_of(kStreams, mode); }

Result<Pack> parse_pack(std::string_view toml, const std::string& file_name) {
  const TomlTable root = TRY(config::parse_toml(toml, file_name));
  Pack pack;
  Reader reader(file_name);
  reader.read(root, pack);
  if (!reader.problems().empty()) {
    std::string all;
    for (const std::string& problem : reader.problems()) {
      all += (all.empty() ? "" : "\n") + problem;
    }
    return fail(Code::kInvalidArgument, std::move(all));
  }
  return pack;
}

Result<std::vector<Pack>> builtin_packs() {
  std::vector<Pack> packs;
  for (const PackFile& file : builtin_pack_files()) {
    packs.push_back(TRY(parse_pack(file.text, std::string(file.name))));
  }
  return packs;
}

}  // namespace candor::dlp
