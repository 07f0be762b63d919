#include "passport/hinge.h"

#include <algorithm>

#include <fmt/format.h>

namespace candor::passport {
namespace {

constexpr std::string_view kGeneral = "100000000000000000000000";     // 10^23
constexpr std::string_view kSystemic = "10000000000000000000000000";  // 10^25

// Digits before and after the point; no leading zeros before, no trailing ones after.
struct Decimal {
  std::string whole, part;
};

Decimal read(std::string_view text) {
  const std::size_t point = text.find('.');
  Decimal out{.whole = std::string(text.substr(0, point)), .part = {}};
  if (point != std::string_view::npos) out.part = text.substr(point + 1);
  out.whole.erase(0, std::min(out.whole.find_first_not_of('0'), out.whole.size()));
  while (!out.part.empty() && out.part.back() == '0') out.part.pop_back();
  return out;
}

std::string write(const Decimal& value) {
  std::string out = value.whole.empty() ? "0" : value.whole;
  if (!value.part.empty()) out += "." + value.part;
  return out;
}

// Both as digits of one length with the point at the same place.
void align(Decimal& a, Decimal& b) {
  const std::size_t whole = std::max(a.whole.size(), b.whole.size());
  const std::size_t part = std::max(a.part.size(), b.part.size());
  for (Decimal* one : {&a, &b}) {
    one->whole.insert(0, whole - one->whole.size(), '0');
    one->part.append(part - one->part.size(), '0');
  }
}

Decimal add(Decimal a, Decimal b) {
  align(a, b);
  const std::size_t places = a.part.size();
  const std::string left = a.whole + a.part, right = b.whole + b.part;
  std::string sum(left.size() + 1, '0');
  int carry = 0;
  for (std::size_t i = left.size(); i-- > 0;) {
    const int digit = (left[i] - '0') + (right[i] - '0') + carry;
    sum[i + 1] = static_cast<char>('0' + digit % 10);
    carry = digit / 10;
  }
  sum[0] = static_cast<char>('0' + carry);
  sum.insert(sum.size() - places, 1, '.');
  return read(sum);
}

bool more(Decimal a, Decimal b) {
  align(a, b);
  return a.whole + a.part > b.whole + b.part;
}

// 10^23 as people read it; others in full.
std::string shown_flop(std::string_view text) {
  const Decimal value = read(text);
  const std::size_t digits = value.whole.size();
  if (digits < 7) return fmt::format("{} FLOP", write(value));
  std::string mantissa = value.whole.substr(0, 1) + "." + value.whole.substr(1, 3);
  while (mantissa.ends_with('0')) mantissa.pop_back();
  if (mantissa.ends_with('.')) mantissa.pop_back();
  const bool exact =
      value.part.empty() && value.whole.find_first_not_of('0', 4) == std::string::npos;
  return fmt::format("{}{} x 10^{} FLOP", exact ? "" : "about ", mantissa, digits - 1);
}

HingeResult judge(const Hinge& hinge, std::string_view against) {
  if (more_than_a_third(hinge.modification, against)) return HingeResult::kAbove;
  return hinge.unrecorded > 0 ? HingeResult::kUnknown : HingeResult::kBelow;
}

std::string compared(const Hinge& hinge, HingeResult result, std::string_view against) {
  switch (result) {
    case HingeResult::kAbove:
      return fmt::format("that is more than one third of {}", shown_flop(against));
    case HingeResult::kBelow:
      return fmt::format("that is not more than one third of {}", shown_flop(against));
    case HingeResult::kUnknown: break;
  }
  return fmt::format(
      "the recorded part is not more than one third of {}, but {} without a record could change "
      "that",
      shown_flop(against),
      hinge.unrecorded == 1 ? std::string("a step") : fmt::format("{} steps", hinge.unrecorded));
}

std::string reason(const Hinge& hinge) {
  std::string out =
      fmt::format("Recorded compute of the modification: {}", shown_flop(hinge.modification));
  if (hinge.unrecorded > 0) {
    out += fmt::format("; {} of its steps {} none", hinge.unrecorded,
                       hinge.unrecorded == 1 ? "records" : "record");
  }
  out += ". ";
  if (!hinge.original.empty()) {
    out += fmt::format("Recorded compute of the original training: {}; {}.",
                       shown_flop(hinge.original), compared(hinge, hinge.result, hinge.original));
    return out;
  }
  out += fmt::format(
      "The compute of the original training is not recorded, so the guidelines' replacement "
      "counts: {}. If the original is a model with systemic risk, the larger one counts: {}.",
      compared(hinge, hinge.result, kGeneral), compared(hinge, hinge.systemic, kSystemic));
  return out;
}

// Nothing where a pretraining step is missing or says no compute.
std::string original_compute(const std::vector<DescentStep>& descent) {
  std::string sum;
  for (const DescentStep& one : descent) {
    if (one.statement.step != Step::kPretrained) continue;
    if (one.statement.compute_flop.empty()) return {};
    sum = add_decimals(sum.empty() ? "0" : sum, one.statement.compute_flop);
  }
  // A record of nothing is no record.
  return sum == "0" ? std::string() : sum;
}

}  // namespace

std::string_view to_string(HingeResult result) noexcept {
  switch (result) {
    case HingeResult::kAbove: return "above";
    case HingeResult::kBelow: return "below";
    case HingeResult::kUnknown: return "unknown";
  }
  return "unknown";
}

std::string add_decimals(std::string_view a, std::string_view b) {
  return write(add(read(a), read(b)));
}

bool more_than_a_third(std::string_view a, std::string_view b) {
  const Decimal one = read(a);
  return more(add(add(one, one), one), read(b));
}

std::vector<Hinge> eu_hinges(const std::vector<DescentStep>& descent) {
  const std::string original = original_compute(descent);
  std::vector<Hinge> out;
  for (const DescentStep& one : descent) {
    const Derivation& step = one.statement;
    if (step.step == Step::kPretrained) continue;
    auto at = std::ranges::find(out, step.actor.name, &Hinge::actor);
    if (at == out.end()) {
      out.push_back(
          {.actor = step.actor.name, .modification = "0", .original = original, .reasoning = {}});
      at = std::prev(out.end());
    }
    if (step.compute_flop.empty()) {
      ++at->unrecorded;
    } else {
      at->modification = add_decimals(at->modification, step.compute_flop);
    }
  }
  for (Hinge& hinge : out) {
    hinge.result = judge(hinge, hinge.original.empty() ? kGeneral : hinge.original);
    hinge.systemic = hinge.original.empty() ? judge(hinge, kSystemic) : hinge.result;
    hinge.reasoning = reason(hinge);
  }
  return out;
}

}  // namespace candor::passport
