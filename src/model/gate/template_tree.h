// A chat template's statements and expressions. Bounded: no expression is deeper than the limit, so
// that whoever walks one may recurse. A template that is no Jinja has an error and the statements
// before it.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "model/gate/template_lexer.h"

namespace candor::model::gate {

enum class NodeKind : std::uint8_t {
  kName,
  kString,
  kNumber,
  kConstant,   // true, false, none
  kList,       // also tuples; a mapping's keys and values in turn
  kAttribute,  // text: the name; kids: what it is of
  kIndex,      // kids: of what, by what
  kSlice,      // kids: of what, its bounds
  kCall,       // kids: what is called, the arguments
  kArgument,   // text: the keyword; kids: its value
  kFilter,     // text: its name; kids: what it is put on, the arguments
  kTest,       // text: its name; kids: what is tested, the arguments
  kUnary,
  kBinary,
  kChoice,  // kids: value, condition, other value
};

struct Node {
  NodeKind kind = NodeKind::kName;
  std::string text;
  std::vector<std::unique_ptr<Node>> kids;
  int depth = 1;
  std::uint32_t line = 0, column = 0;
};

struct Statement {
  std::string tag;                             // "text", "output", or the tag's name
  std::string text;                            // of "text"; the macro's name
  std::vector<std::unique_ptr<Node>> targets;  // set and for; a macro's parameters
  std::vector<std::unique_ptr<Node>> values;   // what is put out, set, walked, tested
  std::uint32_t line = 0, column = 0;
};

struct TemplateTree {
  std::vector<Statement> statements;
  std::string error;  // empty: it follows the syntax
  std::uint32_t error_line = 0, error_column = 0;
};

[[nodiscard]] TemplateTree parse_template(const std::vector<Token>& tokens, int max_depth);

}  // namespace candor::model::gate
