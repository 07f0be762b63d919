#include "gateway/answer_guard.h"

#include <algorithm>
#include <utility>

#include "dlp/restorer.h"
#include "gateway/inspection.h"

namespace candor::gateway {
namespace {

using dialect::AnswerEvent;
using dialect::Text;
using dialect::TokenLogprob;
using policy::Effect;

constexpr std::size_t kContextBytes = 1024;  // of a text that goes on after another

// Whether a place of a JSON text is inside a string; fed with the text as the engine gave it.
class JsonPlace {
 public:
  void feed(std::string_view text) {
    for (const char c : text) {
      if (escaped_) {
        escaped_ = false;
      } else if (c == '\\' && in_string_) {
        escaped_ = true;
      } else if (c == '"') {
        in_string_ = !in_string_;
      }
    }
  }
  [[nodiscard]] bool in_string() const noexcept { return in_string_; }

 private:
  bool in_string_ = false, escaped_ = false;
};

}  // namespace

// A text of one choice.
struct AnswerGuard::Field {
  Field(const dlp::Scanner& scanner, FieldKind what, std::uint32_t which, std::string where)
      : kind(what), index(which), path(std::move(where)), guard(scanner) {}
  FieldKind kind;
  std::uint32_t index;  // of the call
  std::string path;     // "choices/0/content"
  dlp::StreamGuard guard;
  std::size_t context = 0;  // bytes at the guard's beginning that are out already
  // Of content that comes after reasoning: reads both as one text (L3), until it is certain that
  // nothing lies across the seam. Meanwhile what has come waits for `guard`.
  struct Seam {
    dlp::StreamGuard guard;
    std::size_t left = 0;  // bytes of reasoning that it has not given yet
    std::string waiting;
    std::vector<dlp::Finding> alone;  // what the reasoning holds by itself
  };
  std::optional<Seam> seam;
  std::string last;       // released or replaced: the end of the text as the engine gave it
  bool open = false;      // something was fed since it was settled
  bool dropping = false;  // kMore parts: those of a finding that was replaced
  Effect action = Effect::kAllow;  // of the last finding
  JsonPlace json;
  bool quote_due =
      false;  // of a stand-in in JSON: whether it needs one shows where its finding ends
  std::optional<dlp::Restorer> restorer;  // of a text that may tell what pseudonyms stand for
  // Tokens of the content that are not out yet, by the bytes that they stand for.
  struct Token {
    std::size_t begin, end;
    TokenLogprob token;
  };
  std::deque<Token> tokens;
  std::size_t fed = 0;             // bytes of tokens
  std::size_t settled = 0;         // bytes of text that parts gave
  std::size_t replaced_until = 0;  // end of the last replaced part
};

struct AnswerGuard::Choice {
  std::uint32_t index = 0;
  std::map<std::pair<FieldKind, std::uint32_t>, Field> fields;
  Field* active = nullptr;
  bool finished = false;
};

struct AnswerGuard::Out {
  Events& events;
  Rulebook::Desk& desk;
};

AnswerGuard::AnswerGuard(Governance& governance, Form form) : governance_(governance), form_(form) {
  const dlp::StandIns& minted = governance.pseudonyms().minted();
  if (!minted.empty() && !form.logprobs) stand_ins_ = std::make_shared<dlp::StandIns>(minted);
}
AnswerGuard::~AnswerGuard() = default;

AnswerGuard::Choice& AnswerGuard::choice(std::uint32_t index) {
  Choice& found = choices_[index];
  found.index = index;
  return found;
}

// What holds for the answer as such, before any of it goes out.
bool AnswerGuard::begin(Rulebook::Desk& desk) {
  began_ = true;
  governance_.begin_answer();
  return !policy::refuses(governance_.decide(desk).effect);
}

bool AnswerGuard::pass(Events& events) {
  const Rulebook::Lease desk = governance_.book().desk();
  Events in = std::move(events);
  events.clear();
  Out out{.events = events, .desk = *desk};
  if (!began_ && !begin(*desk)) {
    end_all(0, out);
    return false;
  }
  return std::ranges::all_of(in, [&](AnswerEvent& event) { return take(event, out); });
}

bool AnswerGuard::finish(Events& events) {
  const Rulebook::Lease desk = governance_.book().desk();
  Out out{.events = events, .desk = *desk};
  if (!began_ && !begin(*desk)) {
    end_all(0, out);
    return false;
  }
  return std::ranges::all_of(choices_, [&](auto& entry) { return close(entry.second, out); });
}

AnswerGuard::Field& AnswerGuard::field(Choice& of, FieldKind kind, std::uint32_t index,
                                       std::string_view name) {
  const auto key = std::pair(kind, index);
  auto found = of.fields.find(key);
  if (found == of.fields.end()) {
    found = of.fields
                .try_emplace(key, governance_.book().scanner(), kind, index,
                             "choices/" + std::to_string(of.index) + "/" + std::string(name))
                .first;
    if (stand_ins_ && kind != FieldKind::kArguments) {
      found->second.restorer.emplace(stand_ins_, kind == FieldKind::kContent && form_.json);
    }
  }
  return found->second;
}

// What was not said is not replaced: an alternative in which anything is found is left out.
void AnswerGuard::withhold_alternatives(TokenLogprob& token, dlp::Scanner::Scratch& scratch) const {
  std::vector<dlp::Finding> found;
  std::erase_if(token.top, [&](const TokenLogprob::Alternative& one) {
    governance_.book().scanner().scan(one.bytes.reveal(), scratch, found);
    return !found.empty();
  });
}

bool AnswerGuard::take(AnswerEvent& event, Out& out) {
  if (auto* delta = std::get_if<dialect::TextDelta>(&event)) {
    Choice& of = choice(delta->choice);
    Field& content = field(of, FieldKind::kContent, 0, "content");
    for (TokenLogprob& token : delta->logprobs) {
      withhold_alternatives(token, *out.desk.scan);
      const std::size_t size = token.bytes.reveal().size();
      content.tokens.push_back({content.fed, content.fed + size, std::move(token)});
      content.fed += size;
    }
    return text(of, content, delta->text.reveal(), out);
  }
  if (const auto* delta = std::get_if<dialect::ReasoningDelta>(&event)) {
    Choice& of = choice(delta->choice);
    return text(of, field(of, FieldKind::kReasoning, 0, "reasoning"), delta->text.reveal(), out);
  }
  if (const auto* delta = std::get_if<dialect::RefusalDelta>(&event)) {
    Choice& of = choice(delta->choice);
    return text(of, field(of, FieldKind::kRefusal, 0, "refusal"), delta->text.reveal(), out);
  }
  if (auto* delta = std::get_if<dialect::ToolCallDelta>(&event)) {
    return call(choice(delta->choice), *delta, out);
  }
  if (auto* finish = std::get_if<dialect::Finish>(&event)) {
    Choice& of = choice(finish->choice);
    if (!close(of, out)) return false;
    of.finished = true;
    tell(of, out);
    out.events.push_back(std::move(event));
    return true;
  }
  out.events.push_back(std::move(event));
  return true;
}

bool AnswerGuard::call(Choice& of, dialect::ToolCallDelta& delta, Out& out) {
  const std::string base = "tool_calls/" + std::to_string(delta.index);
  Field& arguments = field(of, FieldKind::kArguments, delta.index, base + "/arguments");
  if (!turn_to(of, arguments, out)) return false;
  if (!delta.name.reveal().empty()) {
    // A name is whole. What is found in it cannot be replaced without calling something else.
    std::vector<dlp::Finding> found;
    governance_.book().scanner().scan(delta.name.reveal(), *out.desk.scan, found);
    Field name(governance_.book().scanner(), FieldKind::kArguments, delta.index,
               "choices/" + std::to_string(of.index) + "/" + base + "/name");
    for (const dlp::Finding& finding : found) {
      const auto action = judge(finding, name, /*released=*/false, out.desk);
      if (!action || *action != Effect::kAllow) {
        end_all(of.index, out);
        return false;
      }
    }
  }
  dialect::ToolCallDelta whole{of.index, delta.index, std::move(delta.name), {}};
  if (!form_.whole_calls) {
    if (!whole.name.reveal().empty()) out.events.emplace_back(std::move(whole));
    return text(of, arguments, delta.arguments.reveal(), out);
  }
  // Either all of it goes out, or nothing.
  Events parts;
  Out apart{.events = parts, .desk = out.desk};
  const bool goes_on =
      text(of, arguments, delta.arguments.reveal(), apart) && settle(of, arguments, apart);
  Events others;
  for (AnswerEvent& part : parts) {
    if (const auto* piece = std::get_if<dialect::ToolCallDelta>(&part)) {
      whole.arguments.reveal() += piece->arguments.reveal();
    } else {
      others.push_back(std::move(part));
    }
  }
  if (goes_on) out.events.emplace_back(std::move(whole));
  std::ranges::move(others, std::back_inserter(out.events));
  return goes_on;
}

bool AnswerGuard::turn_to(Choice& choice, Field& field, Out& out) {
  if (choice.active == &field) return true;
  if (choice.active != nullptr && !settle(choice, *choice.active, out)) return false;
  choice.active = &field;
  return true;
}

void AnswerGuard::begin_seam(Choice& choice, Field& field, Out& out) {
  const auto reasoning = choice.fields.find({FieldKind::kReasoning, 0});
  if (reasoning == choice.fields.end() || reasoning->second.last.empty()) return;
  const std::string& before = reasoning->second.last;
  const dlp::Scanner& scanner = governance_.book().scanner();
  field.seam.emplace(Field::Seam{dlp::StreamGuard(scanner), before.size(), {}, {}});
  scanner.scan(before, *out.desk.scan, field.seam->alone);
  std::vector<dlp::Part> parts;
  field.seam->guard.feed(before, *out.desk.scan, parts);
  for (const dlp::Part& part : parts) field.seam->left -= part.text.size();
}

// What lies across the seam is found by reading both texts as one, and all that follows it too; a
// seam with nothing across it is forgotten.
bool AnswerGuard::cross_seam(Choice& choice, Field& field, std::vector<dlp::Part>& parts,
                             Out& out) {
  Field::Seam& seam = *field.seam;
  for (auto part = parts.begin(); part != parts.end(); ++part) {
    if (part->kind == dlp::Part::Kind::kNote) continue;  // each text tells its own
    if (part->text.size() < seam.left) {
      seam.left -= part->text.size();
      continue;
    }
    // Where the reasoning holds it by itself, the content's first letters only look like more of
    // it; but a trigger's goes on.
    const dlp::Finding& found = part->finding;
    const bool known =
        part->kind == dlp::Part::Kind::kFinding &&
        governance_.book().scanner().detectors()[found.detector].stream !=
            dlp::StreamMode::kTrigger &&
        std::ranges::any_of(seam.alone, [&](const dlp::Finding& one) {
          return one.detector == found.detector && one.begin < found.end && found.begin < one.end;
        });
    const bool across =
        part->kind != dlp::Part::Kind::kText && part->text.size() > seam.left && !known;
    const std::string waiting = std::move(seam.waiting);
    if (across) {
      field.guard = std::move(seam.guard);
      field.context = seam.left;
      field.settled -= field.context;
      field.seam.reset();
      part->kind = dlp::Part::Kind::kFinding;  // of content it is the first
      parts.erase(parts.begin(), part);
      return hand_on(choice, field, parts, out);
    }
    field.seam.reset();
    std::vector<dlp::Part> own;
    field.guard.feed(waiting, *out.desk.scan, own);
    return hand_on(choice, field, own, out);
  }
  return true;
}

bool AnswerGuard::text(Choice& choice, Field& field, std::string_view piece, Out& out) {
  if (!turn_to(choice, field, out)) return false;
  if (piece.empty()) return true;
  std::vector<dlp::Part> parts;
  if (!field.open && field.last.empty() && field.kind == FieldKind::kContent) {
    begin_seam(choice, field, out);
  }
  if (field.seam) {
    field.open = true;
    field.seam->waiting += piece;
    field.seam->guard.feed(piece, *out.desk.scan, parts);
    return cross_seam(choice, field, parts, out);
  }
  if (!field.open && !field.last.empty()) {
    field.context = field.last.size();
    field.guard.feed(field.last, *out.desk.scan, parts);
    field.settled -= field.context;
  }
  field.open = true;
  field.guard.feed(piece, *out.desk.scan, parts);
  return hand_on(choice, field, parts, out);
}

// The text ends here, or another one begins.
bool AnswerGuard::settle(Choice& choice, Field& field, Out& out) {
  if (!field.open) return true;
  std::vector<dlp::Part> parts;
  if (field.seam) {
    field.seam->guard.finish(*out.desk.scan, parts);
    if (!cross_seam(choice, field, parts, out)) return false;
    parts.clear();
  }
  field.open = false;
  field.guard.finish(*out.desk.scan, parts);
  return hand_on(choice, field, parts, out);
}

bool AnswerGuard::close(Choice& choice, Out& out) {
  if (choice.active == nullptr) return true;
  Field& field = *choice.active;
  choice.active = nullptr;
  return settle(choice, field, out);
}

// Nothing: a rule ends the answer.
std::optional<Effect> AnswerGuard::judge(const dlp::Finding& finding, const Field& field,
                                         bool released, Rulebook::Desk& desk) {
  policy::Facts& facts = governance_.facts();
  if (facts.findings.size() >= kMaxFindings) {
    governance_.give_up();
    return std::nullopt;
  }
  facts.findings.push_back(fact_of(governance_.book().scanner().detectors()[finding.detector],
                                   finding.confidence, field.path, "answer"));
  const policy::Decision decision = governance_.decide(desk);
  if (policy::refuses(decision.effect)) return std::nullopt;
  if (released) governance_.released_already();
  return governance_.action(facts.findings.size() - 1);
}

bool AnswerGuard::hand_on(Choice& choice, Field& field, std::vector<dlp::Part>& parts, Out& out) {
  std::string text;
  std::vector<TokenLogprob> tokens;
  const auto flush = [&](bool end) {
    if (field.restorer) {
      std::string restored;
      field.restorer->feed(text, restored);
      if (end) field.restorer->finish(restored);
      text = std::move(restored);
    }
    if (text.empty() && tokens.empty()) return;
    Text ready(std::move(text));
    text.clear();
    switch (field.kind) {
      case FieldKind::kContent:
        out.events.emplace_back(
            dialect::TextDelta{choice.index, std::move(ready), std::move(tokens)});
        tokens.clear();
        break;
      case FieldKind::kReasoning:
        out.events.emplace_back(dialect::ReasoningDelta{choice.index, std::move(ready)});
        break;
      case FieldKind::kRefusal:
        out.events.emplace_back(dialect::RefusalDelta{choice.index, std::move(ready)});
        break;
      case FieldKind::kArguments:
        out.events.emplace_back(
            dialect::ToolCallDelta{choice.index, field.index, {}, std::move(ready)});
        break;
    }
  };
  const bool json =
      field.kind == FieldKind::kArguments || (field.kind == FieldKind::kContent && form_.json);
  const auto end_stand_in = [&] {
    if (std::exchange(field.quote_due, false) && !field.json.in_string()) text += '"';
  };
  for (dlp::Part& part : parts) {
    if (part.kind == dlp::Part::Kind::kText || part.kind == dlp::Part::Kind::kFinding) {
      end_stand_in();
    }
    std::string_view bytes = part.text;
    field.settled += bytes.size();
    // What was released before another text began.
    const std::size_t known = std::min(field.context, bytes.size());
    field.context -= known;
    bytes.remove_prefix(known);
    if (part.kind == dlp::Part::Kind::kNote || part.kind == dlp::Part::Kind::kFinding) {
      const bool was_context = bytes.empty() && part.kind == dlp::Part::Kind::kFinding;
      if (was_context) continue;  // it was looked at then
      const auto action = judge(part.finding, field, part.kind == dlp::Part::Kind::kNote, out.desk);
      if (!action) {
        flush(/*end=*/true);
        end_all(choice.index, out);
        return false;
      }
      if (part.kind == dlp::Part::Kind::kNote) continue;
      field.action = *action;
      field.dropping = *action != Effect::kAllow;
    }
    const bool replaced = part.kind != dlp::Part::Kind::kText && field.dropping;
    if (replaced) {
      const bool before = field.json.in_string();
      field.json.feed(bytes);
      if (part.kind == dlp::Part::Kind::kFinding) {
        if (json && !before) text += '"';
        text += stand_in_of(governance_.book().scanner().detectors()[part.finding.detector],
                            field.action, bytes, governance_.pseudonyms());
        field.quote_due = json;
      }
      field.replaced_until = field.settled;
    } else {
      field.json.feed(bytes);
      text += bytes;
    }
    while (!field.tokens.empty() && field.tokens.front().end <= field.settled) {
      auto& token = field.tokens.front();
      if (token.begin >= field.replaced_until) tokens.push_back(std::move(token.token));
      field.tokens.pop_front();
    }
    field.last += bytes;
    if (field.last.size() > 2 * kContextBytes) {
      std::size_t cut = field.last.size() - kContextBytes;
      while (cut < field.last.size() &&
             (static_cast<unsigned char>(field.last[cut]) & 0xC0U) == 0x80)
        ++cut;
      field.last.erase(0, cut);
    }
  }
  if (!field.open) end_stand_in();
  flush(/*end=*/!field.open);
  return true;
}

void AnswerGuard::tell(Choice& choice, Out& out) {
  if (!form_.chat || form_.json || form_.logprobs || !governance_.book().tell_in_text()) return;
  const auto is_call = [](const auto& entry) { return entry.first.first == FieldKind::kArguments; };
  if (!choice.fields.contains({FieldKind::kContent, 0}) ||
      std::ranges::any_of(choice.fields, is_call)) {
    return;
  }
  const std::string note = governance_.note("choices/" + std::to_string(choice.index) + "/");
  if (!note.empty()) {
    out.events.emplace_back(dialect::TextDelta{choice.index, Text("\n\n" + note), {}});
  }
}

void AnswerGuard::end_all(std::uint32_t at, Out& out) {
  const Choice& blocked = choice(at);
  const bool bare = blocked.fields.empty();
  out.events.emplace_back(
      dialect::TextDelta{at, Text((bare ? "" : "\n\n") + governance_.sentence()), {}});
  for (std::uint32_t i = 0; i < form_.choices; ++i) {
    Choice& one = choice(i);
    if (one.finished) continue;
    one.finished = true;
    out.events.emplace_back(dialect::Finish{i, dialect::FinishReason::kContentFilter, {}});
  }
}

}  // namespace candor::gateway
