// Several fields of an answer are read at once, in turns, with one scratch, as a gateway reads
// them; each is fed, moved, ended and begun again, or given up. Whatever the order and the pieces:
//   - a field that ended told what one scan of its whole text tells (C15), and its guard is as new;
//   - a field that was given up told the beginning of that: no byte of a finding is out as text,
//     no finding is out that the scan of what came does not know.
// Input: the packs, the least confidence, then actions (kActions below).
#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <string>

#include "base/check.h"
#include "dlp/pack.h"
#include "dlp/registration.h"
#include "dlp/sample_text.h"
#include "dlp/testing/stream_parts.h"

namespace candor::dlp {
namespace {

// One detector of each mode, short enough that a fuzzer meets what lies between them.
constexpr std::string_view kModes = R"(
format = 1
pack = "modes"
[[detector]]
id = "held"
class = "secret"
anchor = "start"
literals = ["ab"]
pattern = 'ab[0-9a-c]{1,12}'
raise = ["key"]
lower = ["demo"]
confidence = 60
max_span = 14
max_context_after = 16
match = ["[[ab12]]"]
[[detector]]
id = "opened"
class = "secret"
anchor = "start"
literals = ["<<"]
pattern = '<<[a-z ]{2,40}(?:>>)?'
boundary = "none"
confidence = 95
max_span = 44
stream = "trigger"
match = ["[[<<ab>>]]"]
[[detector]]
id = "noted"
class = "secret"
anchor = "start"
literals = ["n0"]
pattern = 'n0[0-9]{2,30}'
max_span = 32
stream = "monitor"
match = ["[[n0123]]"]
)";
constexpr std::string_view kBuffered = R"(
[[detector]]
id = "buffered"
class = "secret"
anchor = "start"
literals = ["PRJ-"]
pattern = 'PRJ-[0-9]{4}'
max_span = 8
stream = "buffer"
match = ["[[PRJ-1234]]"]
)";

std::string document() { return sample_text(3'000, 7); }

struct Packs {
  Scanner scanner;
  Scanner::ScratchPtr scratch;
  std::vector<std::string> samples;  // what its detectors know, and what they must leave

  explicit Packs(std::vector<Pack> packs) : scanner(made(std::move(packs))) {
    scratch = scanner.make_scratch();
    for (const Detector& detector : scanner.detectors()) {
      for (const std::string& text : detector.match) {
        std::string plain;
        for (std::size_t i = 0; i < text.size(); ++i) {
          const std::string_view two = std::string_view(text).substr(i, 2);
          if (two == "[[" || two == "]]") {
            ++i;
          } else {
            plain += text[i];
          }
        }
        samples.push_back(std::move(plain));
      }
      samples.insert(samples.end(), detector.no_match.begin(), detector.no_match.end());
    }
    for (const char* one : {"Kranich", "project falcon", "K-2041-7731-55", "ab1c key", "n0123",
                            "<<open", ">>", "PRJ-4711"}) {
      samples.emplace_back(one);
    }
  }
  static Scanner made(std::vector<Pack> packs) {
    auto built = Scanner::build(std::move(packs));
    CANDOR_CHECK(built.has_value());
    return *std::move(built);
  }
};

Pack read(const std::string& toml) {
  auto pack = parse_pack(toml, "fuzz.toml");
  CANDOR_CHECK(pack.has_value());
  return *std::move(pack);
}

Packs& packs_of(std::uint8_t choice) {
  static std::array<std::optional<Packs>, 4> all;
  auto& packs = all[choice % all.size()];
  if (packs) return *packs;
  std::vector<Pack> list;
  if (choice % 4 <= 1) {
    auto builtin = builtin_packs();
    CANDOR_CHECK(builtin.has_value());
    list = *std::move(builtin);
  }
  if (choice % 4 == 1) {
    const crypto::ShortKey key{std::byte{1}};
    const std::vector<std::string> words = {"Project Falcon", "Kranich"};
    const std::vector<std::string> values = {"K-2041-7731-55", "Erika Mustermann"};
    const std::vector<std::string> documents = {document()};
    list.push_back(
        read(register_words({.id = "words", .name = "", .severity = "high"}, words).value().pack));
    list.push_back(
        read(register_values({.id = "values", .name = "", .severity = "high"}, values, key)
                 .value()
                 .pack));
    list.push_back(read(
        register_documents({.id = "papers", .name = "", .severity = "high"}, documents, key, 20)
            .value()
            .pack));
  }
  if (choice % 4 == 2) list.push_back(read(std::string(kModes)));
  if (choice % 4 == 3) list.push_back(read(std::string(kModes) + std::string(kBuffered)));
  packs.emplace(std::move(list));
  return *packs;
}

// Bytes from the front; zeros when there are no more.
class Input {
 public:
  explicit Input(std::string_view bytes) : left_(bytes) {}
  [[nodiscard]] bool empty() const { return left_.empty(); }
  std::uint8_t byte() { return static_cast<std::uint8_t>(take(1)[0]); }
  std::size_t number() { return (std::size_t{byte()} << 8U) + byte(); }
  std::string take(std::size_t n) {
    std::string out(left_.substr(0, n));
    left_.remove_prefix(out.size());
    if (n == 1 && out.empty()) out += '\0';
    return out;
  }

 private:
  std::string_view left_;
};

class Field {
 public:
  Field(Packs& packs, int min_confidence)
      : packs_(packs), least_(min_confidence), guard_(packs.scanner, min_confidence) {}

  void feed(std::string_view piece) {
    // More than this may become text.undecided, of which a scan knows nothing.
    piece = piece.substr(0, std::min(piece.size(), kLongest - text_.size()));
    text_ += piece;
    guard_.feed(piece, *packs_.scratch, parts_);
    check_sizes();
  }
  void move() {
    StreamGuard other(std::move(guard_));
    guard_ = StreamGuard(packs_.scanner, least_);
    guard_ = std::move(other);
    check_sizes();
  }
  void finish() {
    guard_.finish(*packs_.scratch, parts_);
    CANDOR_CHECK(guard_.held() == 0);
    CANDOR_CHECK(testing::joined(parts_) == told());
    text_.clear();
    parts_.clear();
  }
  void give_up() {
    const testing::Told all = told();
    const testing::Told so_far = testing::joined(parts_);
    for (const Finding& note : so_far.notes) {
      CANDOR_CHECK(std::ranges::find(all.notes, note) != all.notes.end());
    }
    CANDOR_CHECK(so_far.parts.size() <= all.parts.size());
    for (std::size_t i = 0; i < so_far.parts.size(); ++i) {
      const Part& part = so_far.parts[i];
      const Part& whole = all.parts[i];
      CANDOR_CHECK(part.kind == whole.kind);
      if (i + 1 < so_far.parts.size()) {
        CANDOR_CHECK(part == whole);
        continue;
      }
      CANDOR_CHECK(whole.text.starts_with(part.text));
      if (part.kind == Part::Kind::kText) continue;
      CANDOR_CHECK(part.finding.detector == whole.finding.detector);
      CANDOR_CHECK(part.finding.begin == whole.finding.begin);
      CANDOR_CHECK(part.finding.end <= whole.finding.end);
    }
    guard_ = StreamGuard(packs_.scanner, least_);
    text_.clear();
    parts_.clear();
  }

 private:
  static constexpr std::size_t kLongest = 16'384;

  [[nodiscard]] testing::Told told() const {
    return testing::oracle(packs_.scanner, *packs_.scratch, text_, least_);
  }
  void check_sizes() const {
    std::size_t out = 0;
    for (const Part& part : parts_) out += part.text.size();
    CANDOR_CHECK(out + guard_.held() == text_.size());
  }

  Packs& packs_;
  int least_;
  StreamGuard guard_;
  std::string text_;
  std::vector<Part> parts_;
};

void feed_in_pieces(Field& field, std::string_view text, std::size_t width) {
  if (width == 0) width = std::max<std::size_t>(text.size(), 1);
  for (; !text.empty(); text.remove_prefix(std::min(width, text.size()))) {
    field.feed(text.substr(0, width));
  }
}

}  // namespace
}  // namespace candor::dlp

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace candor::dlp;
  static const std::string paper = document();
  if (size > 4'096) return 0;
  Input input(std::string_view(reinterpret_cast<const char*>(data), size));
  Packs& packs = packs_of(input.byte());
  constexpr std::array<int, 4> kLeast = {kDefaultMinConfidence, 1, 70, 96};
  const int least = kLeast[input.byte() % kLeast.size()];
  std::vector<Field> fields;
  for (int i = 0; i < 4; ++i) fields.emplace_back(packs, least);
  while (!input.empty()) {
    const std::uint8_t action = input.byte();
    Field& field = fields[action % fields.size()];
    switch (action / fields.size() % 8) {
      case 0: field.feed(""); break;
      case 1:
      case 2: field.feed(input.take(input.byte())); break;
      case 3: {  // a sample of the packs, in pieces
        const std::string& sample = packs.samples[input.number() % packs.samples.size()];
        feed_in_pieces(field, sample, input.byte());
        break;
      }
      case 4: {  // a passage of the registered document, in pieces
        const std::size_t begin = input.number() % paper.size();
        const std::size_t length = input.byte();
        feed_in_pieces(field, std::string_view(paper).substr(begin, length), input.byte());
        break;
      }
      case 5: field.finish(); break;
      case 6: field.give_up(); break;
      default: field.move(); break;
    }
  }
  fields[0].give_up();
  for (Field& field : fields) field.finish();
  return 0;
}
