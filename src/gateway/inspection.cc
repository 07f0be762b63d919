#include "gateway/inspection.h"

#include <algorithm>
#include <map>

#include "json/json.h"

namespace candor::gateway {
namespace {

using dialect::ExchangeText;
using Place = RequestFinding::Place;

// Texts that follow one another, joined; of long ones only what is near a border.
class Joined {
 public:
  void add(std::size_t index, std::string_view text, bool first, bool last) {
    if (text.size() <= 2 * kBorderBytes) return append(index, 0, text);
    if (!first) append(index, 0, text.substr(0, kBorderBytes));
    text_ += "\n\n";  // nothing is found across what is left out
    if (!last) append(index, text.size() - kBorderBytes, text.substr(text.size() - kBorderBytes));
  }
  [[nodiscard]] const std::string& text() const noexcept { return text_; }
  // The parts of [begin, end), one for each text.
  [[nodiscard]] std::vector<Place> places(std::size_t begin, std::size_t end) const {
    std::vector<Place> out;
    for (const Piece& piece : pieces_) {
      const std::size_t from = std::max(begin, piece.at);
      const std::size_t until = std::min(end, piece.at + piece.size);
      if (from < until) {
        out.push_back({piece.text, piece.begin + from - piece.at, piece.begin + until - piece.at});
      }
    }
    return out;
  }

 private:
  struct Piece {
    std::size_t text, begin, at, size;
  };
  void append(std::size_t index, std::size_t begin, std::string_view piece) {
    pieces_.push_back({index, begin, text_.size(), piece.size()});
    text_ += piece;
  }
  std::string text_;
  std::vector<Piece> pieces_;
};

// Whether one text alone holds what the detector found across the border: then the other's first
// letters only look like more of it.
bool known(const std::vector<RequestFinding>& found, std::size_t count, std::uint32_t detector,
           const std::vector<Place>& places) {
  return std::any_of(
      found.begin(), found.begin() + static_cast<std::ptrdiff_t>(count),
      [&](const RequestFinding& one) {
        const Place& at = one.places.front();
        return one.detector == detector && std::ranges::any_of(places, [&](const Place& place) {
                 return place.text == at.text && place.begin < at.end && at.begin < place.end;
               });
      });
}

struct Edit {
  std::size_t begin = 0, end = 0;
  std::string stand_in;
};

// The text with its edits, which are in order and do not overlap.
std::string edited(std::string_view text, const std::vector<Edit>& edits, bool quoted) {
  std::string out;
  std::size_t at = 0;
  for (const Edit& edit : edits) {
    if (edit.begin < at) continue;  // within one that is replaced already
    out += text.substr(at, edit.begin - at);
    if (quoted) out += '"';
    out += edit.stand_in;
    if (quoted) out += '"';
    at = edit.end;
  }
  out += text.substr(at);
  return out;
}

// Arguments stay an object in canonical form: a stand-in within a string as it is, one in place of
// a number as a string.
bool rewrite_json(std::string& text, const std::vector<Edit>& edits) {
  std::string out(text);
  for (auto edit = edits.rbegin(); edit != edits.rend(); ++edit) {
    std::string next = edited(out, {*edit}, /*quoted=*/false);
    if (!json::parse(next)) next = edited(out, {*edit}, /*quoted=*/true);
    if (!json::parse(next)) return false;
    out = std::move(next);
  }
  const auto value = json::parse(out);
  if (!value) return false;
  auto canonical = json::canonical(*value);
  if (!canonical) return false;
  text = *std::move(canonical);
  return true;
}

}  // namespace

std::vector<RequestFinding> inspect(const std::vector<ExchangeText>& texts,
                                    const dlp::Scanner& scanner, dlp::Scanner::Scratch& scratch) {
  std::vector<RequestFinding> out;
  std::vector<dlp::Finding> found;
  for (std::size_t i = 0; i < texts.size(); ++i) {
    scanner.scan(*texts[i].value, scratch, found);
    for (const dlp::Finding& f : found) {
      out.push_back({f.detector, f.confidence, {{i, f.begin, f.end}}});
    }
  }
  const std::size_t alone = out.size();
  for (std::size_t i = 0; i < texts.size(); ++i) {
    if (!texts[i].goes_on) continue;
    Joined joined;
    const std::size_t first = i;
    for (bool more = true; more; ++i) {
      more = texts[i].goes_on && i + 1 < texts.size();
      joined.add(i, *texts[i].value, i == first, !more);
    }
    --i;
    scanner.scan(joined.text(), scratch, found);
    for (const dlp::Finding& f : found) {
      std::vector<Place> places = joined.places(f.begin, f.end);
      if (places.size() > 1 && !known(out, alone, f.detector, places)) {
        out.push_back({f.detector, f.confidence, std::move(places)});
      }
    }
  }
  return out;
}

policy::FoundFact fact_of(const dlp::Detector& detector, int confidence, std::string field,
                          std::string_view direction) {
  return {.detector = detector.id,
          .class_name = detector.class_name,
          .severity = std::string(dlp::to_string(detector.severity)),
          .field = std::move(field),
          .direction = std::string(direction),
          .confidence = confidence,
          .countries = detector.countries};
}

std::string stand_in_of(const dlp::Detector& detector, policy::Effect action,
                        std::string_view value, dlp::Pseudonyms& pseudonyms) {
  return action == policy::Effect::kPseudonymise ? pseudonyms.stand_in(detector, value)
                                                 : dlp::mask(detector);
}

std::string rewrite(const std::vector<ExchangeText>& texts,
                    const std::vector<RequestFinding>& findings,
                    const std::vector<policy::Effect>& actions, const dlp::Scanner& scanner,
                    dlp::Pseudonyms& pseudonyms) {
  std::map<std::size_t, std::vector<Edit>> edits;
  for (std::size_t i = 0; i < findings.size(); ++i) {
    if (actions[i] == policy::Effect::kAllow) continue;
    std::string value;
    for (const Place& place : findings[i].places) {
      value += texts[place.text].value->substr(place.begin, place.end - place.begin);
    }
    std::string stand_in =
        stand_in_of(scanner.detectors()[findings[i].detector], actions[i], value, pseudonyms);
    for (const Place& place : findings[i].places) {
      edits[place.text].push_back({place.begin, place.end, std::move(stand_in)});
      stand_in.clear();  // what goes on in the next text just goes
    }
  }
  for (auto& [index, list] : edits) {
    std::ranges::sort(list, [](const Edit& a, const Edit& b) {
      return a.begin != b.begin ? a.begin < b.begin : a.end > b.end;
    });
    // What overlaps is replaced as one.
    std::vector<Edit> merged;
    for (Edit& edit : list) {
      if (!merged.empty() && edit.begin < merged.back().end) {
        merged.back().end = std::max(merged.back().end, edit.end);
      } else {
        merged.push_back(std::move(edit));
      }
    }
    const ExchangeText& text = texts[index];
    switch (text.kind) {
      case ExchangeText::Kind::kFixed: return text.path;
      case ExchangeText::Kind::kProse:
        *text.value = edited(*text.value, merged, /*quoted=*/false);
        break;
      case ExchangeText::Kind::kJson:
        if (!rewrite_json(*text.value, merged)) return text.path;
        break;
    }
  }
  return {};
}

}  // namespace candor::gateway
