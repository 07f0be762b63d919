#include "dlp/redaction.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "base/bytes.h"
#include "crypto/hash.h"

namespace candor::dlp {
namespace {

// Tries of other numbers where one is taken; the small ranges have 100 to 762.
constexpr std::uint32_t kMostTries = 4096;

bool is_digit(char c) { return c >= '0' && c <= '9'; }

// Numbers drawn from a digest.
class Draw {
 public:
  explicit Draw(const Digest& digest) : digest_(digest) {}
  [[nodiscard]] std::uint32_t below(std::uint32_t bound) {
    std::uint32_t value = 0;
    for (int i = 0; i < 2; ++i) value = value << 8U | byte();
    return value % bound;
  }
  [[nodiscard]] std::string hex(std::size_t digits) {
    std::string out;
    while (out.size() < digits) out += fmt::format("{:02x}", byte());
    out.resize(digits);
    return out;
  }

 private:
  std::uint32_t byte() {
    const auto value = static_cast<unsigned char>(digest_[at_ % digest_.size()]);
    ++at_;
    return value;
  }
  const Digest& digest_;
  std::size_t at_ = 0;
};

std::string phone(Draw& draw) {
  const std::uint32_t area = 201 + draw.below(788);
  return fmt::format("+1 {} 555 01{:02}", area, draw.below(100));
}

std::string ipv4(Draw& draw) {
  static constexpr std::array<std::string_view, 3> kNets = {"192.0.2", "198.51.100", "203.0.113"};
  return fmt::format("{}.{}", kNets[draw.below(3)], 1 + draw.below(254));
}

// Letters and digits drawn anew where they stood, from the first digit on that is not kept.
std::string same_form(std::string_view value, std::size_t kept, Draw& draw) {
  std::string out;
  std::size_t seen = 0;
  for (const char c : value) {
    const bool letter = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
    if (!is_digit(c) && !letter) {
      out += c;
    } else if (seen++ < kept) {
      out += c;
    } else if (is_digit(c)) {
      out += static_cast<char>('0' + draw.below(10));
    } else {
      out += static_cast<char>((c >= 'a' ? 'a' : 'A') + draw.below(26));
    }
  }
  return out;
}

std::string card(std::string_view value, Draw& draw) {
  std::string out = same_form(value, 0, draw);
  const auto first = std::ranges::find_if(out, is_digit);
  if (first != out.end()) *first = '0';
  return out;
}

// The country stays; its check digits become 00.
std::string iban(std::string_view value, Draw& draw) {
  std::string out = same_form(value, 4, draw);
  int digits = 0;
  for (char& c : out) {
    if (is_digit(c) && digits++ < 2) c = '0';
  }
  return out;
}

// "" where the detector's kind has no reserved range.
std::string reserved(const Detector& detector, std::string_view value, Draw& draw) {
  const std::string_view id = detector.id;
  if (id == "email") return fmt::format("person-{}@example.com", draw.hex(10));
  if (id.starts_with("phone.")) return phone(draw);
  if (id == "ipv4") return ipv4(draw);
  if (id.starts_with("ipv6")) return fmt::format("2001:db8::{}:{}", draw.hex(4), draw.hex(4));
  if (id == "mac") return fmt::format("00:00:5E:00:53:{:02X}", draw.below(256));
  if (id == "card" || id == "card.bare") return card(value, draw);
  if (id == "iban") return iban(value, draw);
  return "";
}

}  // namespace

std::string mask_name(const Detector& detector) {
  // Not which table or document it is from (L2).
  if (detector.anchor == Anchor::kValues) return "REGISTERED DATA";
  if (detector.anchor == Anchor::kPassages) return "REGISTERED DOCUMENT";
  const std::string_view id = detector.id;
  std::size_t end = id.find_first_of("._-");
  const std::string_view first = id.substr(0, end);
  if (end != std::string_view::npos && (first.size() == 2 || first == "text")) {
    end = id.find_first_of("._-", end + 1);
  }
  std::string name(id.substr(0, end));
  for (char& c : name) {
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
    if (c == '.' || c == '_' || c == '-') c = ' ';
  }
  return name;
}

std::string mask(const Detector& detector) { return fmt::format("[{}]", mask_name(detector)); }

std::string Pseudonyms::stand_in(const Detector& detector, std::string_view value) {
  if (by_stand_in_.contains(value)) return std::string(value);
  std::string of = detector.class_name;
  of += '\0';
  of += value;
  if (const auto known = by_value_.find(of); known != by_value_.end()) return known->second;
  std::string chosen;
  for (std::uint32_t attempt = 0; chosen.empty(); ++attempt) {
    const std::string label = fmt::format("candor/pseudonym/1/{}", attempt);
    const Digest digest = crypto::hmac_sha256(key_, {as_bytes(label), as_bytes(of)});
    Draw draw(digest);
    std::string tried = attempt < kMostTries ? reserved(detector, value, draw) : "";
    if (tried.empty()) tried = fmt::format("[{} {}]", mask_name(detector), draw.hex(8));
    if (tried != value && !by_stand_in_.contains(tried)) chosen = std::move(tried);
  }
  by_stand_in_.emplace(chosen, value);
  by_value_.emplace(std::move(of), chosen);
  return chosen;
}

std::optional<std::string_view> Pseudonyms::value_of(std::string_view stand_in) const {
  const auto found = by_stand_in_.find(stand_in);
  if (found == by_stand_in_.end()) return std::nullopt;
  return found->second;
}

}  // namespace candor::dlp
