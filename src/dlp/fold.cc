#include "dlp/fold.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>
#include <unordered_map>

#include <utf8proc.h>

#include "base/text.h"
#include "dlp/detector.h"

namespace candor::dlp {
namespace {

static_assert(kMaxFoldedBytes == 4 * (kMaxDropped + 1));

// Letters of other scripts that look like a Latin one, each beside it (a subset of UTS #39).
constexpr std::string_view kLookAlikes =
    // Cyrillic
    "аaеeоoрpсcуyхxіiѕsјjԁdһhӏlԛqԝwүyАAВBЕEЗ3КKМMНHОOРPСCТTУYХXІIЈJЅSӀIҮYԚQԜW"
    // Greek
    "αaοoρpνvιiκkυuϳjΑAΒBΕEΖZΗHΙIΚKΜMΝNΟOΡPΤTΥYΧXͿJ"
    // Armenian
    "օoսuհhոnցgզqՕOՍUԼL"
    // Cherokee
    "ᎪAᏴBᏟCᎠDᎬEᏀGᎻHᎫJᏦKᏞLᎷMᏢPᎡRᏚSᎢTᏙVᎳWᏃZ"
    // Latin small capitals and letters with other shapes
    "ᴀaʙbᴄcᴅdᴇeɢgʜhɪiᴊjᴋkʟlᴍmɴnᴏoᴘpʀrꜱsᴛtᴜuᴠvᴡwʏyᴢzıiɑaɡg℮e"
    // Full stops
    "。.۔.";

constexpr std::uint16_t kKeep = 0xFFFF, kDrop = 0xFFFE, kTexts = 0x8000;

std::size_t decode(std::string_view text, char32_t& out) {
  const std::size_t size = utf8_sequence(text);
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  switch (size) {
    case 1: out = byte(0); break;
    case 2: out = (byte(0) & 0x1FU) << 6U | (byte(1) & 0x3FU); break;
    case 3: out = (byte(0) & 0x0FU) << 12U | (byte(1) & 0x3FU) << 6U | (byte(2) & 0x3FU); break;
    case 4:
      out = (byte(0) & 0x07U) << 18U | (byte(1) & 0x3FU) << 12U | (byte(2) & 0x3FU) << 6U |
            (byte(3) & 0x3FU);
      break;
    default: break;
  }
  return size;
}

const std::unordered_map<char32_t, char>& look_alikes() {
  static const auto map = [] {
    std::unordered_map<char32_t, char> all;
    for (std::string_view rest = kLookAlikes; !rest.empty();) {
      char32_t letter = 0;
      rest.remove_prefix(decode(rest, letter));
      all[letter] = rest[0];
      rest.remove_prefix(1);
    }
    return all;
  }();
  return map;
}

// Decimal digits stand in blocks of ten, ascending (Unicode, section 4.6). Blocks that touch (as
// U+1A80 and U+1A90 do not, but U+1D7CE to U+1D7FF do, and those decompose) begin at multiples of
// ten from the run's first.
char digit_of(utf8proc_int32_t point) {
  utf8proc_int32_t zero = point;
  while (utf8proc_category(zero - 1) == UTF8PROC_CATEGORY_ND) --zero;
  return static_cast<char>('0' + (point - zero) % 10);
}

// "" for what is dropped.
std::string fold_point(char32_t point) {
  if (point == 0x2028 || point == 0x2029) return "\n";
  if (point >= 0xE0000 && point <= 0xE0FFF) return "";
  std::array<utf8proc_int32_t, 32> parts{};
  int boundary = 0;
  const auto options = static_cast<utf8proc_option_t>(
      UTF8PROC_COMPAT | UTF8PROC_DECOMPOSE | UTF8PROC_IGNORE | UTF8PROC_STRIPMARK | UTF8PROC_LUMP);
  const auto count = utf8proc_decompose_char(static_cast<utf8proc_int32_t>(point), parts.data(),
                                             parts.size(), options, &boundary);
  std::string out;
  for (utf8proc_ssize_t i = 0; i < std::min<utf8proc_ssize_t>(count, parts.size()); ++i) {
    const utf8proc_int32_t part = parts[static_cast<std::size_t>(i)];
    if (const auto found = look_alikes().find(static_cast<char32_t>(part));
        found != look_alikes().end()) {
      out += found->second;
    } else if (part >= 0x80 && utf8proc_category(part) == UTF8PROC_CATEGORY_ND) {
      out += digit_of(part);
    } else {
      std::array<utf8proc_uint8_t, 4> bytes{};
      const auto size = utf8proc_encode_char(part, bytes.data());
      out.append(reinterpret_cast<const char*>(bytes.data()), static_cast<std::size_t>(size));
    }
  }
  return out;
}

// The folding of the basic plane, so that other scripts cost a table look-up.
struct Table {
  std::vector<std::uint16_t> codes;
  std::vector<std::string> texts;
};

const Table& table() {
  static const Table made = [] {
    Table all;
    all.codes.resize(0x10000, kKeep);
    for (char32_t point = 0x80; point < 0x10000; ++point) {
      if (point >= 0xD800 && point <= 0xDFFF) continue;
      std::string folded = fold_point(point);
      std::array<utf8proc_uint8_t, 4> bytes{};
      const auto size = utf8proc_encode_char(static_cast<utf8proc_int32_t>(point), bytes.data());
      const std::string_view own(reinterpret_cast<const char*>(bytes.data()),
                                 static_cast<std::size_t>(size));
      if (folded == own) continue;
      std::uint16_t& code = all.codes[point];
      if (folded.empty()) {
        code = kDrop;
      } else if (folded.size() == 1) {
        code = static_cast<unsigned char>(folded[0]);
      } else {
        code = static_cast<std::uint16_t>(kTexts + all.texts.size());
        all.texts.push_back(std::move(folded));
      }
    }
    return all;
  }();
  return made;
}

// The first byte from `at` on that is not ASCII, or the end.
std::size_t skip_ascii(std::string_view text, std::size_t at) {
  for (; at + 8 <= text.size(); at += 8) {
    std::uint64_t word = 0;
    std::memcpy(&word, text.data() + at, 8);
    if ((word & 0x8080808080808080ULL) != 0) break;
  }
  while (at < text.size() && static_cast<unsigned char>(text[at]) < 0x80) ++at;
  return at;
}

}  // namespace

void FoldedText::add_piece(std::size_t original, std::size_t length) {
  if (length == 0 && !pieces_.empty() && pieces_.back().length == 0) {
    const Piece& last = pieces_.back();
    if (original - last.original == buffer_.size() - last.folded) return;  // it just goes on
  }
  pieces_.push_back({buffer_.size(), original, length});
}

void FoldedText::fold(std::string_view text) {
  size_ = text.size();
  ends_in_dropped_ = text.size();
  view_ = text;
  pieces_.clear();
  hidden_.clear();
  std::size_t at = skip_ascii(text, 0);
  if (at == text.size()) return;
  const Table& folding = table();
  buffer_.assign(text.substr(0, at));
  if (at > 0) pieces_.push_back({0, 0, 0});
  std::size_t dropped = 0;
  std::size_t dropped_from = 0;
  const auto end_of_dropped = [&](std::size_t here) {
    if (dropped > kMaxDropped) {
      hidden_.emplace_back(dropped_from, here);
      add_piece(dropped_from, here - dropped_from);
      buffer_ += '\n';
    }
    dropped = 0;
  };
  while (at < text.size()) {
    if (static_cast<unsigned char>(text[at]) < 0x80) {
      end_of_dropped(at);
      const std::size_t until = skip_ascii(text, at);
      add_piece(at, 0);
      buffer_.append(text, at, until - at);
      at = until;
      continue;
    }
    char32_t point = 0;
    const std::size_t size = decode(text.substr(at, 4), point);
    std::uint16_t code = kKeep;
    std::string of_other_planes;
    const std::string* folded = nullptr;
    if (size != 0 && point < 0x10000) {
      code = folding.codes[point];
      if (code != kKeep && code != kDrop && code >= kTexts) folded = &folding.texts[code - kTexts];
    } else if (size != 0) {
      of_other_planes = fold_point(point);
      folded = &of_other_planes;
      if (folded->empty()) code = kDrop;
    }
    const std::size_t taken = std::max<std::size_t>(size, 1);
    if (code == kDrop) {
      if (dropped++ == 0) dropped_from = at;
      at += taken;
      continue;
    }
    end_of_dropped(at);
    if (folded != nullptr && *folded != text.substr(at, taken)) {
      add_piece(at, taken);
      buffer_ += *folded;
    } else if (folded == nullptr && code < 0x80) {
      add_piece(at, taken);
      buffer_ += static_cast<char>(code);
    } else {
      add_piece(at, 0);
      buffer_.append(text, at, taken);
    }
    at += taken;
  }
  if (dropped > 0) ends_in_dropped_ = dropped_from;
  end_of_dropped(at);
  view_ = buffer_;
}

std::pair<std::size_t, std::size_t> FoldedText::mapped(std::size_t begin, std::size_t end) const {
  const auto piece_of = [&](std::size_t at) -> const Piece& {
    return *std::prev(std::ranges::upper_bound(pieces_, at, {}, &Piece::folded));
  };
  const Piece& first = piece_of(begin);
  const Piece& last = piece_of(end - 1);
  return {first.length == 0 ? first.original + (begin - first.folded) : first.original,
          last.length == 0 ? last.original + (end - last.folded) : last.original + last.length};
}

std::string fold(std::string_view text) {
  FoldedText folded;
  folded.fold(text);
  return std::string(folded.text());
}

std::string nfkc(std::string_view text) {
  utf8proc_uint8_t* out = nullptr;
  const auto options =
      static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_COMPOSE | UTF8PROC_COMPAT);
  const auto size = utf8proc_map(reinterpret_cast<const utf8proc_uint8_t*>(text.data()),
                                 static_cast<utf8proc_ssize_t>(text.size()), &out, options);
  std::string composed;
  if (size > 0) {
    composed.assign(reinterpret_cast<const char*>(out), static_cast<std::size_t>(size));
  }
  std::free(out);  // NOLINT(cppcoreguidelines-no-malloc): utf8proc_map allocates
  return composed;
}

}  // namespace candor::dlp
