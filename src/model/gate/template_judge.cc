// Judges a chat template by what it could do, before anything renders it. Conditions are found by
// following what a message says (its content) through variables, filters and methods: a template
// that compares that with words of its own answers differently for who knows them.
#include <algorithm>
#include <array>
#include <charconv>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <vector>

#include <fmt/format.h>

#include "base/text.h"
#include "model/gate.h"
#include "model/gate/template_known.h"
#include "model/gate/template_lexer.h"
#include "model/gate/template_text.h"
#include "model/gate/template_tree.h"

namespace candor::model {
namespace gate {
namespace {

using Names = std::set<std::string, std::less<>>;

template <std::size_t N>
bool among(const std::array<std::string_view, N>& list, std::string_view what) {
  return std::ranges::find(list, what) != list.end();
}

constexpr auto kTags = std::to_array<std::string_view>(
    {"text",     "output",    "if",         "elif",          "else",     "endif",  "for",
     "endfor",   "set",       "endset",     "macro",         "endmacro", "call",   "endcall",
     "filter",   "endfilter", "generation", "endgeneration", "raw",      "endraw", "break",
     "continue", "do",        "with",       "endwith"});
constexpr auto kIncludes =
    std::to_array<std::string_view>({"import", "from", "include", "extends", "block"});
constexpr auto kFunctions =
    std::to_array<std::string_view>({"raise_exception", "strftime_now", "namespace", "range",
                                     "dict", "joiner", "cycler", "caller"});
constexpr auto kMethods = std::to_array<std::string_view>(
    {"strip",      "lstrip",   "rstrip",  "split",   "rsplit",       "splitlines",
     "startswith", "endswith", "replace", "items",   "keys",         "values",
     "get",        "upper",    "lower",   "title",   "capitalize",   "append",
     "pop",        "find",     "rfind",   "join",    "index",        "count",
     "isdigit",    "isspace",  "isalpha", "isalnum", "removeprefix", "removesuffix",
     "insert",     "extend",   "update",  "next",    "partition",    "rpartition"});
constexpr auto kFilters = std::to_array<std::string_view>(
    {"tojson",     "trim",       "length",  "count",    "list",    "string",    "int",
     "float",      "first",      "last",    "join",     "map",     "select",    "reject",
     "selectattr", "rejectattr", "default", "d",        "upper",   "lower",     "title",
     "capitalize", "replace",    "items",   "dictsort", "indent",  "safe",      "e",
     "escape",     "unique",     "sort",    "reverse",  "abs",     "round",     "max",
     "min",        "sum",        "batch",   "slice",    "groupby", "from_json", "split",
     "strip",      "wordcount",  "wordwrap"});
constexpr auto kTests = std::to_array<std::string_view>(
    {"defined", "undefined",    "none",       "string",      "mapping",     "iterable", "sequence",
     "number",  "integer",      "float",      "boolean",     "true",        "false",    "equalto",
     "eq",      "ne",           "in",         "odd",         "even",        "lt",       "le",
     "gt",      "ge",           "lessthan",   "greaterthan", "divisibleby", "sameas",   "lower",
     "upper",   "startingwith", "endingwith", "containing"});
constexpr auto kMatchers =
    std::to_array<std::string_view>({"startswith", "endswith", "find", "rfind", "index", "count",
                                     "removeprefix", "removesuffix", "partition", "rpartition"});
constexpr auto kCutters =
    std::to_array<std::string_view>({"split", "rsplit", "replace", "strip", "lstrip", "rstrip"});
constexpr auto kMatchTests = std::to_array<std::string_view>(
    {"equalto", "eq", "ne", "in", "sameas", "startingwith", "endingwith", "containing", "lt", "gt",
     "le", "ge", "lessthan", "greaterthan"});
constexpr auto kSpoken = std::to_array<std::string_view>({"content", "text"});
constexpr auto kParts = std::to_array<std::string_view>(
    {"text", "image", "image_url", "video", "video_url", "audio", "audio_url", "input_audio",
     "type", "parts", "blocks", "value", "document", "file", "tool_result"});
constexpr auto kDateNames = std::to_array<std::string_view>(
    {"strftime_now", "date_string", "current_date", "now", "today", "datetime", "current_time"});
constexpr auto kComparisons =
    std::to_array<std::string_view>({"==", "!=", "<", ">", "<=", ">=", "in", "not in"});

class Judge {
 public:
  Judge(std::string_view name, const GateLimits& limits, GateFindings& findings)
      : name_(name), limits_(limits), findings_(findings) {}

  void run(std::string_view text, std::string_view family) {
    for (const HiddenPlace& one : hidden_places(text))
      tell("template.hidden", one.line, one.column, one.what);
    if (const auto padding = padding_place(text)) {
      tell("template.padding", padding->line, padding->column, padding->what);
    }
    const TemplateTokens lexed = lex_template(text, limits_.max_template_tokens);
    if (lexed.unicode_name) tell("template.unicode-name", lexed.unicode_line, lexed.unicode_column);
    if (!lexed.error.empty()) {
      return tell("template.syntax", lexed.error_line, lexed.error_column, lexed.error);
    }
    const std::string_view claimed = claimed_family(family);
    const std::string_view known = known_family(short_digest(normal_form(lexed.tokens)), claimed);
    if (!known.empty()) {
      tell("template.known", 0, 0, known);
      if (!claimed.empty() && claimed != known) {
        tell("template.differs", 0, 0,
             fmt::format("{}'s, in a model that is named {}", known, claimed));
      }
      return;
    }
    tree_ = parse_template(lexed.tokens, limits_.max_template_depth);
    if (!tree_.error.empty()) {
      tell("template.syntax", tree_.error_line, tree_.error_column, tree_.error);
    }
    follow();
    for (const Statement& one : tree_.statements) judge(one);
    judge_prose(claimed);
    if (claimed.empty()) {
      tell("template.unknown-family", 0, 0);
    } else {
      tell("template.differs", 0, 0, claimed);
    }
  }

 private:
  void tell(std::string_view id, std::uint32_t line, std::uint32_t column,
            std::string_view detail = {}) {
    findings_.add(id, {.name = std::string(name_), .line = line, .column = column}, detail);
  }
  void tell(std::string_view id, const Node& at, std::string_view detail = {}) {
    tell(id, at.line, at.column, detail);
  }

  // What messages say, and the date, through every variable, until nothing is added.
  void follow() {
    for (int round = 0; round < 16; ++round) {
      const std::size_t before = spoken_.size() + dated_.size() + words_.size();
      for (const Statement& one : tree_.statements) {
        if (one.tag == "macro") macros_.insert(one.text);
        if (one.values.empty() || (one.tag != "set" && one.tag != "for")) continue;
        bind(one.targets, *one.values.front(), one.tag == "for");
      }
      if (spoken_.size() + dated_.size() + words_.size() == before) return;
    }
  }

  void bind(const std::vector<std::unique_ptr<Node>>& targets, const Node& value, bool loop) {
    const bool spoken = is_spoken(value);
    const bool dated = is_dated(value);
    const auto words = words_of(value);
    for (const auto& target : targets) {
      if (spoken) spoken_.insert(target->text);
      if (dated) dated_.insert(target->text);
      if (!words.empty() && (loop || value.kind == NodeKind::kString ||
                             value.kind == NodeKind::kList || value.kind == NodeKind::kBinary)) {
        auto& known = words_[target->text];
        if (known.size() < 64) known.insert(words.begin(), words.end());
      }
    }
  }

  static std::optional<std::string_view> literal_key(const Node& node) {
    if (node.kind == NodeKind::kAttribute) return node.text;
    if (node.kind == NodeKind::kIndex && node.kids.size() == 2 &&
        node.kids[1]->kind == NodeKind::kString) {
      return node.kids[1]->text;
    }
    return std::nullopt;
  }

  static bool is_comparison(const Node& node) {
    return node.kind == NodeKind::kBinary && among(kComparisons, node.text);
  }

  [[nodiscard]] bool is_spoken(const Node& node) const {
    switch (node.kind) {
      case NodeKind::kName: return spoken_.contains(node.text);
      case NodeKind::kAttribute:
      case NodeKind::kIndex:
        if (const auto key = literal_key(node)) {
          return among(kSpoken, *key) ||
                 (node.kind == NodeKind::kAttribute && spoken_.contains(*key));
        }
        return is_spoken(*node.kids.front());
      case NodeKind::kSlice: return is_spoken(*node.kids.front());
      case NodeKind::kCall: {
        const Node& callee = *node.kids.front();
        if (callee.kind == NodeKind::kAttribute) {
          if (callee.text == "get" && node.kids.size() > 1 &&
              node.kids[1]->kind == NodeKind::kString) {
            return among(kSpoken, node.kids[1]->text);
          }
          if (is_spoken(*callee.kids.front())) return true;
        }
        return std::ranges::any_of(node.kids.begin() + 1, node.kids.end(),
                                   [this](const auto& kid) { return is_spoken(*kid); });
      }
      case NodeKind::kArgument: return is_spoken(*node.kids.front());
      case NodeKind::kFilter: {
        // All messages as one text hold what each says.
        const Node& of = *node.kids.front();
        const bool text = node.text == "string" || node.text == "tojson" || node.text == "join";
        if (text && (of.text == "messages" || of.text == "message")) return true;
        if (node.text == "map" || node.text == "selectattr" || node.text == "rejectattr") {
          return is_spoken(of) || std::ranges::any_of(node.kids, [](const auto& kid) {
                   const Node& arg = kid->kind == NodeKind::kArgument ? *kid->kids.front() : *kid;
                   return arg.kind == NodeKind::kString && among(kSpoken, arg.text);
                 });
        }
        return is_spoken(of);
      }
      case NodeKind::kBinary:
        return !is_comparison(node) &&
               std::ranges::any_of(node.kids, [this](const auto& kid) { return is_spoken(*kid); });
      case NodeKind::kChoice:
        return is_spoken(*node.kids.front()) || (node.kids.size() > 2 && is_spoken(*node.kids[2]));
      case NodeKind::kList:
        return std::ranges::any_of(node.kids, [this](const auto& kid) { return is_spoken(*kid); });
      case NodeKind::kUnary: return node.text != "not" && is_spoken(*node.kids.front());
      case NodeKind::kTest:
      case NodeKind::kString:
      case NodeKind::kNumber:
      case NodeKind::kConstant: return false;
    }
    return false;
  }

  [[nodiscard]] bool is_dated(const Node& node) const {
    if (node.kind == NodeKind::kName) {
      return among(kDateNames, node.text) || dated_.contains(node.text);
    }
    if (node.kind == NodeKind::kAttribute && dated_.contains(node.text)) return true;
    // "is defined" asks for no date.
    if (node.kind == NodeKind::kTest || is_comparison(node)) return false;
    return std::ranges::any_of(node.kids, [this](const auto& kid) { return is_dated(*kid); });
  }

  // The texts of its own that an expression is made of; one that is put together counts as a whole.
  [[nodiscard]] std::vector<std::string> words_of(const Node& node) const {
    std::vector<std::string> out;
    if (node.kind == NodeKind::kString) {
      out.push_back(node.text);
    } else if (node.kind == NodeKind::kName || node.kind == NodeKind::kAttribute) {
      if (const auto known = words_.find(node.text); known != words_.end()) {
        out.assign(known->second.begin(), known->second.end());
      }
    } else if (node.kind == NodeKind::kBinary && !is_comparison(node)) {
      std::string whole;
      for (const auto& kid : node.kids) {
        for (const std::string& word : words_of(*kid)) {
          if (whole.size() < 4'096) whole += word;
        }
      }
      if (!whole.empty()) out.push_back(std::move(whole));
    } else if (node.kind != NodeKind::kNumber && node.kind != NodeKind::kConstant) {
      for (const auto& kid : node.kids) {
        for (std::string& word : words_of(*kid)) {
          if (out.size() < 64) out.push_back(std::move(word));
        }
      }
    }
    return out;
  }

  // A comparison of what was said with words of the template's own. Markers ("<think>", "[INST]")
  // are how templates tell parts of a message apart; words are how back doors open.
  void compared(const Node& at, const Node& with, std::size_t least_letters) {
    condition_on_content_ = true;
    if (with.kind == NodeKind::kNumber) {
      int number = 0;
      std::from_chars(with.text.data(), with.text.data() + with.text.size(), number);
      if (number > 3 && least_letters == 1)
        tell("template.condition", at, "a message's length or number");
      return;
    }
    for (const std::string& word : words_of(with)) {
      if (is_marker(word) || letters(word) < least_letters) continue;
      return tell("template.condition", at, word);
    }
  }

  void judge_comparison(const Node& node) {
    const Node& left = *node.kids[0];
    const Node& right = *node.kids[1];
    if (is_dated(left) || is_dated(right)) tell("template.date", node);
    if (asks_for_part(node)) {
      condition_on_content_ = true;
    } else if (is_spoken(left)) {
      compared(node, right, 1);
    } else if (is_spoken(right)) {
      compared(node, left, 1);
    } else if (counts_messages(left) || counts_messages(right)) {
      const Node& other = counts_messages(left) ? right : left;
      int number = 0;
      if (other.kind == NodeKind::kNumber) {
        std::from_chars(other.text.data(), other.text.data() + other.text.size(), number);
      }
      if (number > 3) tell("template.condition", node, "the number of messages");
    }
  }
  // "'text' in part": what kind of part it is, not what it says.
  [[nodiscard]] bool asks_for_part(const Node& node) const {
    return (node.text == "in" || node.text == "not in") &&
           node.kids[0]->kind == NodeKind::kString && among(kParts, node.kids[0]->text) &&
           is_spoken(*node.kids[1]);
  }
  static bool counts_messages(const Node& node) {
    if (node.kind == NodeKind::kFilter && (node.text == "length" || node.text == "count")) {
      return node.kids.front()->text == "messages";
    }
    return node.kind == NodeKind::kAttribute && (node.text == "index" || node.text == "index0") &&
           node.kids.front()->text == "loop";
  }

  void judge_name(const Node& at, std::string_view name) {
    if (name.find("__") != std::string_view::npos || is_python_inside(name)) {
      tell("template.attribute", at, name);
    }
  }

  void judge_call(const Node& node) {
    const Node& callee = *node.kids.front();
    if (callee.kind == NodeKind::kName) {
      if (!among(kFunctions, callee.text) && !macros_.contains(callee.text)) {
        tell("template.function", callee, callee.text);
      }
      if (callee.text == "range") {
        for (const auto& kid : node.kids) judge_size(*kid);
      }
      return;
    }
    if (callee.kind != NodeKind::kAttribute) return tell("template.computed-name", callee);
    if (!among(kMethods, callee.text) && !macros_.contains(callee.text)) {
      tell("template.function", callee, callee.text);
    }
    const Node& of = *callee.kids.front();
    const bool matcher = among(kMatchers, callee.text);
    if (matcher && is_dated(of)) tell("template.date", node);
    for (std::size_t i = 1; i < node.kids.size(); ++i) {
      const Node& argument = *node.kids[i];
      if (is_spoken(of) && matcher) compared(node, argument, 1);
      if (is_spoken(of) && among(kCutters, callee.text)) compared(node, argument, 3);
      if (callee.text == "get" && is_spoken(argument) && !words_of(of).empty()) {
        tell("template.condition", node, "looked up");
      }
    }
  }

  void judge_filter(const Node& node) {
    if (!among(kFilters, node.text)) tell("template.function", node, node.text);
    const Node& of = *node.kids.front();
    const bool chooses = node.text == "selectattr" || node.text == "rejectattr" ||
                         node.text == "select" || node.text == "reject";
    std::vector<std::string> words;
    for (std::size_t i = 1; i < node.kids.size(); ++i) {
      const Node& argument = *node.kids[i];
      if ((node.text == "replace" || node.text == "split") && is_spoken(of))
        compared(node, argument, 3);
      for (std::string& word : words_of(argument)) {
        if (node.text == "map" || node.text.ends_with("attr")) judge_name(argument, word);
        words.push_back(std::move(word));
      }
    }
    const std::size_t used = node.text.ends_with("attr") ? 2 : 1;
    const bool of_content =
        node.text.ends_with("attr") ? !words.empty() && among(kSpoken, words[0]) : is_spoken(of);
    for (std::size_t i = used; chooses && of_content && i < words.size(); ++i) {
      if (!is_marker(words[i])) tell("template.condition", node, words[i]);
    }
  }

  void judge_size(const Node& node, std::uint64_t most = 10'000) {
    std::uint64_t number = 0;
    std::string digits;
    std::ranges::copy_if(node.text, std::back_inserter(digits), [](char c) { return c != '_'; });
    if (node.kind != NodeKind::kNumber) return;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
    if (error != std::errc() || number > most) tell("template.loop", node, node.text);
  }

  void judge(const Node& node) {
    switch (node.kind) {
      case NodeKind::kName:
      case NodeKind::kAttribute: judge_name(node, node.text); break;
      case NodeKind::kString:
        if (node.text.find("__") != std::string::npos && is_python_inside(node.text)) {
          tell("template.attribute", node, node.text);
        }
        break;
      case NodeKind::kIndex: {
        const Node& by = *node.kids[1];
        if (by.kind == NodeKind::kString) judge_name(node, by.text);
        const bool made =
            (by.kind == NodeKind::kBinary && by.text == "~") ||
            (by.kind == NodeKind::kBinary && by.text == "+" && !words_of(by).empty()) ||
            by.kind == NodeKind::kFilter ||
            (by.kind == NodeKind::kBinary && by.text == "%" && !words_of(by).empty());
        if (made && !words_of(by).empty()) tell("template.computed-name", node);
        if (is_spoken(by) && !words_of(*node.kids[0]).empty()) {
          tell("template.condition", node, "looked up");
        }
        break;
      }
      case NodeKind::kCall: judge_call(node); break;
      case NodeKind::kFilter: judge_filter(node); break;
      case NodeKind::kTest:
        if (!among(kTests, node.text)) tell("template.function", node, node.text);
        for (std::size_t i = 1; i < node.kids.size() && among(kMatchTests, node.text); ++i) {
          if (is_dated(*node.kids[0])) tell("template.date", node);
          if (is_spoken(*node.kids[0])) compared(node, *node.kids[i], 1);
        }
        break;
      case NodeKind::kBinary:
        if (is_comparison(node)) judge_comparison(node);
        if (node.text == "**") tell("template.loop", node, "a power");
        if (node.text == "*") {
          for (const auto& kid : node.kids) judge_size(*kid);
        }
        break;
      case NodeKind::kNumber: judge_size(node, 10'000'000); break;
      case NodeKind::kArgument:
      case NodeKind::kConstant:
      case NodeKind::kList:
      case NodeKind::kSlice:
      case NodeKind::kUnary:
      case NodeKind::kChoice: break;
    }
    for (const auto& kid : node.kids) judge(*kid);
  }

  void judge(const Statement& one) {
    if (among(kIncludes, one.tag)) {
      tell("template.include", one.line, one.column, one.tag);
    } else if (!among(kTags, one.tag) && one.tag != "endblock") {
      tell("template.tag", one.line, one.column, one.tag);
    }
    condition_on_content_ = false;
    for (const auto& value : one.values) judge(*value);
    if (one.tag == "filter" && !among(kFilters, one.text)) {
      tell("template.function", one.line, one.column, one.text);
    }
    if (one.tag == "for") {
      const bool numbers =
          one.values.front()->kind == NodeKind::kCall && is_range(*one.values.front());
      loops_.push_back(numbers);
      if (std::ranges::count(loops_, true) > 2)
        tell("template.loop", one.line, one.column, "loops of numbers within loops");
    } else if (one.tag == "endfor" && !loops_.empty()) {
      loops_.pop_back();
    }
    if (one.tag == "if") {
      branches_.push_back(condition_on_content_);
    } else if (one.tag == "elif" && !branches_.empty()) {
      branches_.back() = branches_.back() || condition_on_content_;
    } else if (one.tag == "endif" && !branches_.empty()) {
      branches_.pop_back();
    }
    collect(one);
  }
  static bool is_range(const Node& call) {
    if (call.kids.front()->text != "range") return false;
    return std::ranges::any_of(call.kids.begin() + 1, call.kids.end(), [](const auto& kid) {
      return kid->kind == NodeKind::kNumber && kid->text.size() > 2;
    });
  }

  // Prose that the template adds, with where and on which terms.
  void collect(const Statement& one) {
    const bool inside = std::ranges::find(branches_, true) != branches_.end();
    if (one.tag == "text") add_prose(one.text, one.line, one.column, inside);
    if (one.tag == "output" || one.tag == "set" || one.tag == "do") {
      for (const auto& value : one.values) collect(*value, inside);
    }
  }
  void collect(const Node& node, bool inside) {
    if (node.kind == NodeKind::kCall && node.kids.front()->text == "raise_exception") return;
    if (node.kind == NodeKind::kString) add_prose(node.text, node.line, node.column, inside);
    if (node.kind == NodeKind::kChoice && node.kids.size() > 1) {
      condition_on_content_ = false;
      inside = inside || asks_content(*node.kids[1]);
    }
    for (const auto& kid : node.kids) collect(*kid, inside);
  }
  [[nodiscard]] bool asks_content(const Node& node) const {
    if (is_comparison(node) && (is_spoken(*node.kids[0]) || is_spoken(*node.kids[1]))) return true;
    return std::ranges::any_of(node.kids, [this](const auto& kid) { return asks_content(*kid); });
  }
  void add_prose(std::string_view text, std::uint32_t line, std::uint32_t column, bool inside) {
    if (prose_.size() >= 1'024) return;
    std::string words = prose_words(text);
    if (words.empty()) return;
    if (inside && std::ranges::count(words, ' ') >= 5) {
      tell("template.condition", line, column,
           "text that stands there only after certain messages");
    }
    prose_.push_back({std::move(words), gate_text(text, 200), line, column});
  }

  void judge_prose(std::string_view family) {
    bool noted = false;
    for (const Prose& one : prose_) {
      if (!family.empty() && is_known_prose(family, short_digest(one.words))) continue;
      const bool order = gives_suspicious_order(one.words, one.shown) &&
                         !is_known_prose({}, short_digest(one.words));
      if (order || !family.empty()) {
        tell("template.instruction", one.line, one.column, one.shown);
      } else if (!noted) {
        tell("template.prose", one.line, one.column, one.shown);
        noted = true;
      }
    }
  }

  struct Prose {
    std::string words, shown;
    std::uint32_t line, column;
  };

  std::string_view name_;
  const GateLimits& limits_;
  GateFindings& findings_;
  TemplateTree tree_;
  Names spoken_, dated_, macros_;
  std::map<std::string, Names, std::less<>> words_;  // variables that hold the template's own texts
  std::vector<Prose> prose_;
  std::vector<bool> branches_, loops_;
  bool condition_on_content_ = false;
};

}  // namespace
}  // namespace gate

void judge_template(std::string_view text, std::string_view name, std::string_view family,
                    const GateLimits& limits, GateFindings& findings) {
  if (text.size() > limits.max_template_bytes) {
    return findings.add("template.length", {.name = std::string(name)});
  }
  if (!is_utf8(text)) {
    return findings.add("template.syntax", {.name = std::string(name)}, "not UTF-8");
  }
  gate::Judge(name, limits, findings).run(text, family);
}

}  // namespace candor::model
