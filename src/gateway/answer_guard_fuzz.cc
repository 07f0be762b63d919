// However an engine cuts the texts of an answer, what the guard releases of each is the same, and
// so are what was found and whether a rule ended the answer (C5, C15, C18). And a text that came in
// one run is what one scan of it, masked, gives: no more and no less.
//
// The input is a list of runs: which text of which choice goes on, with what, and how it is cut.
#include <algorithm>
#include <cstdint>
#include <map>
#include <string>
#include <tuple>
#include <vector>

#include <fmt/format.h>
#include <fuzzer/FuzzedDataProvider.h>

#include "base/check.h"
#include "base/text.h"
#include "gateway/answer_guard.h"
#include "gateway/inspection.h"

namespace candor::gateway {
namespace {

using dialect::AnswerEvent;
using dialect::Text;

constexpr std::string_view kMask = R"(
format = 1
policy = "p"
[[rule]]
id = "p.mask"
effect = "redact"
select = 'finding.confidence >= 0'
message = "Masked."
)";
constexpr std::string_view kStandIns = R"(
format = 1
policy = "p"
[[rule]]
id = "p.people"
effect = "pseudonymise"
select = 'finding.class == "personal.contact"'
message = "Replaced."
)";
constexpr std::string_view kDeny = R"(
format = 1
policy = "p"
[[rule]]
id = "p.mask"
effect = "redact"
select = 'finding.class != "secret"'
message = "Masked."
[[rule]]
id = "p.deny"
effect = "deny"
when = 'findings.exists(f, f.class == "secret")'
message = "Stopped."
)";

std::shared_ptr<const Rulebook> book_of(std::string_view rules) {
  static std::shared_ptr<const Rulebook> before;  // they share a scanner
  RulebookSources sources;
  sources.rules.push_back({"p", std::string(rules)});
  auto made = Rulebook::make(sources, before);
  CANDOR_CHECK(made.has_value());
  return before = *std::move(made);
}

enum class Where : std::uint8_t { kContent, kReasoning, kRefusal, kArguments };

struct Run {
  std::uint32_t choice = 0, call = 0;
  Where where = Where::kContent;
  std::string text;
  std::vector<std::size_t> pieces;  // lengths; the rest is one more
};

// What is likely to be found, whole or in part.
constexpr const char* kSeeds[] = {
    "maria.sommer@klinikum-nord.example.org",
    "DE89 3704 0044 0532 0130 00",
    "4012 8888 8888 1881",
    "sk_live_4eC39HqLyjWDarjtT1zdp7dc",
    "-----BEGIN RSA PRIVATE KEY-----\nMIIEpAIBAAKCAQEA",
    "-----END RSA PRIVATE KEY-----",
    "+49 30 901820",
    "My social security number is 536-90-4399",
    "password = \"hT7!kq9Zr2\"",
    "{\"to\": \"",
    "\\u0040",
    "\xE2\x80\x8B",
    "bWFyaWEuc29tbWVyQGtsaW5pa3VtLW5vcmQuZXhhbXBsZS5vcmc=",
    " ",
};

std::string text_of(FuzzedDataProvider& data) {
  std::string out;
  for (int parts = data.ConsumeIntegralInRange(1, 4); parts > 0; --parts) {
    if (data.ConsumeBool()) {
      const std::string seed = data.PickValueInArray(kSeeds);
      out += seed.substr(0, data.ConsumeBool()
                                ? seed.size()
                                : data.ConsumeIntegralInRange<std::size_t>(0, seed.size()));
    } else {
      out += data.ConsumeRandomLengthString(24);
    }
  }
  return is_utf8(out) ? out : "";  // the engine's reader lets nothing else through
}

std::vector<Run> runs_of(FuzzedDataProvider& data, const AnswerGuard::Form& form) {
  std::vector<Run> out;
  for (int left = data.ConsumeIntegralInRange(1, 8); left > 0; --left) {
    Run run{.choice = data.ConsumeIntegralInRange(0U, static_cast<std::uint32_t>(form.choices) - 1),
            .call = data.ConsumeIntegralInRange(0U, 1U),
            .where = data.PickValueInArray(
                {Where::kContent, Where::kReasoning, Where::kRefusal, Where::kArguments}),
            .text = text_of(data),
            .pieces = {}};
    for (int cuts = data.ConsumeIntegralInRange(0, 12); cuts > 0; --cuts) {
      run.pieces.push_back(data.ConsumeIntegralInRange<std::size_t>(0, 9));
    }
    out.push_back(std::move(run));
  }
  return out;
}

AnswerEvent event_of(const Run& run, std::string_view piece) {
  switch (run.where) {
    case Where::kReasoning: return dialect::ReasoningDelta{run.choice, Text(std::string(piece))};
    case Where::kRefusal: return dialect::RefusalDelta{run.choice, Text(std::string(piece))};
    case Where::kArguments:
      return dialect::ToolCallDelta{run.choice, run.call, {}, Text(std::string(piece))};
    case Where::kContent: break;
  }
  return dialect::TextDelta{run.choice, Text(std::string(piece)), {}};
}

using Name = std::tuple<std::uint32_t, Where, std::uint32_t>;  // choice, text, call
struct Released {
  std::map<Name, std::string> texts;
  std::vector<std::tuple<std::string, std::string, std::string>> findings;  // sorted
  bool cut = false;
  bool operator==(const Released&) const = default;
};

void add(const Events& events, std::map<Name, std::string>& texts) {
  for (const AnswerEvent& event : events) {
    if (const auto* text = std::get_if<dialect::TextDelta>(&event)) {
      texts[{text->choice, Where::kContent, 0}] += text->text.reveal();
    } else if (const auto* thought = std::get_if<dialect::ReasoningDelta>(&event)) {
      texts[{thought->choice, Where::kReasoning, 0}] += thought->text.reveal();
    } else if (const auto* refusal = std::get_if<dialect::RefusalDelta>(&event)) {
      texts[{refusal->choice, Where::kRefusal, 0}] += refusal->text.reveal();
    } else if (const auto* call = std::get_if<dialect::ToolCallDelta>(&event)) {
      texts[{call->choice, Where::kArguments, call->index}] += call->arguments.reveal();
    }
  }
}

std::size_t boundary(std::string_view text, std::size_t at) {
  while (at < text.size() && (static_cast<unsigned char>(text[at]) & 0xC0U) == 0x80) ++at;
  return std::min(at, text.size());
}

// together: several pieces are one batch of events now and then.
Released release(const std::shared_ptr<const Rulebook>& book, const AnswerGuard::Form& form,
                 const std::vector<Run>& runs, bool cut, std::size_t together) {
  Governance governance(book, policy::Language::kEnglish, Digest{});
  AnswerGuard guard(governance, form);
  Released out;
  Events events;
  bool goes_on = true;
  const auto send = [&] {
    if (!goes_on || events.empty()) return;
    goes_on = guard.pass(events);
    add(events, out.texts);
    events.clear();
  };
  for (const Run& run : runs) {
    std::string_view rest = run.text;
    const bool whole = !cut || (run.where == Where::kArguments && form.whole_calls);
    for (const std::size_t length : whole ? std::vector<std::size_t>{} : run.pieces) {
      const std::size_t end = boundary(rest, length);
      events.push_back(event_of(run, rest.substr(0, end)));
      rest.remove_prefix(end);
      if (events.size() > together) send();
    }
    events.push_back(event_of(run, rest));
    if (events.size() > together) send();
  }
  for (std::uint32_t i = 0; i < form.choices; ++i) {
    events.emplace_back(dialect::Finish{i, dialect::FinishReason::kStop, {}});
  }
  send();
  if (goes_on) {
    goes_on = guard.finish(events);
    add(events, out.texts);
  }
  out.cut = !goes_on;
  std::erase_if(out.texts, [](const auto& entry) { return entry.second.empty(); });
  for (const policy::FoundFact& fact : governance.facts().findings) {
    out.findings.emplace_back(fact.class_name, fact.detector, fact.field);
  }
  std::ranges::sort(out.findings);
  return out;
}

// One scan, and the mask instead of what it finds, as a stream would have it: what may be told only
// after the release stays.
std::string masked(const Rulebook& book, std::string_view text) {
  const Rulebook::Lease desk = book.desk();
  std::vector<dlp::Finding> found;
  book.scanner().scan(text, *desk->scan, found);
  dlp::Pseudonyms none{Digest{}};
  std::string out;
  std::size_t at = 0;
  for (const dlp::Finding& one : found) {
    const dlp::Detector& detector = book.scanner().detectors()[one.detector];
    if (detector.stream == dlp::StreamMode::kMonitor) continue;
    out += text.substr(at, one.begin - at);
    out += stand_in_of(detector, policy::Effect::kRedact, text.substr(one.begin, one.end), none);
    at = one.end;
  }
  return out + std::string(text.substr(at));
}

void check_against_one_scan(const Rulebook& book, const std::vector<Run>& runs,
                            const Released& released) {
  std::map<Name, int> times;
  std::map<std::uint32_t, bool> thought;
  for (const Run& run : runs) {
    ++times[{run.choice, run.where, run.where == Where::kArguments ? run.call : 0}];
    thought[run.choice] |= run.where == Where::kReasoning;
  }
  for (const Run& run : runs) {
    // In arguments a stand-in has quotation marks of its own; content after reasoning is read
    // with it.
    const Name name{run.choice, run.where, 0};
    const bool joined = run.where == Where::kContent && thought[run.choice];
    if (run.where == Where::kArguments || joined || times[name] != 1) continue;
    const auto found = released.texts.find(name);
    const std::string was = found == released.texts.end() ? "" : found->second;
    const std::string expected = masked(book, run.text);
    if (was != expected) fmt::print(stderr, "released {:?}\nexpected {:?}\n", was, expected);
    CANDOR_CHECK(was == expected);
  }
}

// Which of several texts is first found out to hold what ends the answer, and how much of the
// others is out by then, is a matter of timing. All that is out is the beginning of the same.
void check_ended(const Released& whole, const Released& cut) {
  CANDOR_CHECK(whole.cut == cut.cut);
  for (const auto& [name, text] : whole.texts) {
    const auto other = cut.texts.find(name);
    if (other == cut.texts.end()) continue;
    const auto said = [](const std::string& all) {
      return std::string_view(all).substr(0, all.find("\n\nThis was stopped"));
    };
    CANDOR_CHECK(said(text).starts_with(said(other->second)) ||
                 said(other->second).starts_with(said(text)));
  }
}

bool of_one_text(const std::vector<Run>& runs) {
  return std::ranges::all_of(runs, [&](const Run& run) {
    return run.choice == runs[0].choice && run.where == runs[0].where && run.call == runs[0].call;
  });
}

void show(std::string_view name, const Released& released) {
  fmt::print(stderr, "{} ended by a rule: {}\n", name, released.cut);
  for (const auto& [key, text] : released.texts) {
    const auto& [choice, where, call] = key;
    fmt::print(stderr, "  {} {} {}: {:?}\n", choice, static_cast<int>(where), call, text);
  }
  for (const auto& [class_name, detector, field] : released.findings) {
    fmt::print(stderr, "  {} {} {}\n", class_name, detector, field);
  }
}

}  // namespace
}  // namespace candor::gateway

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace candor::gateway;
  static const auto kMasking = book_of(kMask);
  static const auto kReplacing = book_of(kStandIns);
  static const auto kDenying = book_of(kDeny);
  FuzzedDataProvider input(data, size);
  const auto& book = input.PickValueInArray({kMasking, kMasking, kReplacing, kDenying});
  const AnswerGuard::Form form{.choices = input.ConsumeIntegralInRange<std::size_t>(1, 2),
                               .json = input.ConsumeIntegralInRange(0, 3) == 0,
                               .whole_calls = input.ConsumeBool(),
                               .logprobs = false,
                               .chat = input.ConsumeBool()};
  const std::size_t together = input.ConsumeIntegralInRange<std::size_t>(0, 5);
  const std::vector<Run> runs = runs_of(input, form);
  const Released whole = release(book, form, runs, /*cut=*/false, 0);
  const Released cut = release(book, form, runs, /*cut=*/true, together);
  if (book == kDenying && !of_one_text(runs)) {
    check_ended(whole, cut);
    return 0;
  }
  if (whole != cut) {
    show("whole:", whole);
    show("cut:", cut);
  }
  CANDOR_CHECK(whole == cut);
  if (book == kMasking && !form.chat && !form.json) check_against_one_scan(*book, runs, whole);
  return 0;
}
