// A checked expression, ready to be evaluated any number of times, by many threads at once.
//
//   auto program = compile(environment, "caller.team == 'hr'", {});
//   Outcome outcome = program->evaluate(slots, {}, arena);
//
// Evaluation is total: it ends within Limits::max_cost steps, its memory is bounded by the cost,
// and it has no effect. An error is a value of kind kError; errors absorbed by && and || are not
// seen.
#pragma once

#include <expected>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cel/ast.h"
#include "cel/environment.h"
#include "cel/problem.h"
#include "cel/zone.h"

namespace candor::cel {

enum class Checking : std::uint8_t {
  kStrict,   // every name known, every call has an overload
  kDynamic,  // names are resolved as far as they can be; the rest are errors at evaluation
};

struct CompileOptions {
  Checking checking = Checking::kStrict;
  std::optional<TypeKind> result = {};  // the type it must have
  Zones* zones = nullptr;               // for named time zones; must outlive the program
};

struct Limits {
  std::uint64_t max_cost = 10'000;
};

struct Outcome {
  Value value;  // valid while arena, program and slots are
  std::uint64_t cost = 0;
};

class Regex;

class Program {
 public:
  Program(Program&&) noexcept;
  Program& operator=(Program&&) noexcept;
  ~Program();

  // slots: the environment's variables in their order; a variable without a value is an error value
  // (Fault::kNoName). The arena is not reset.
  [[nodiscard]] Outcome evaluate(std::span<const Value> slots, const Limits& limits,
                                 Arena& arena) const;
  [[nodiscard]] const Ast& ast() const noexcept { return ast_; }
  // The spelling that print() gives, before constants were folded.
  [[nodiscard]] const std::string& canonical() const noexcept { return canonical_; }
  [[nodiscard]] TypeKind type() const noexcept { return type_; }
  [[nodiscard]] const std::string& type_text() const noexcept { return type_text_; }

 private:
  friend class Checker;
  friend class Evaluator;
  Program();
  Ast ast_;
  std::string canonical_, type_text_;
  TypeKind type_ = TypeKind::kDyn;
  std::vector<Regex> patterns_;  // of matches() with a literal pattern
  std::uint32_t locals_ = 0;     // depth of comprehensions in comprehensions
  Zones* zones_ = nullptr;
};

using Compiled = std::expected<Program, std::vector<Problem>>;
[[nodiscard]] Compiled compile(const Environment& environment, std::string_view source,
                               const CompileOptions& options);
// The same of a tree, which the program takes.
[[nodiscard]] Compiled compile(const Environment& environment, Ast ast,
                               const CompileOptions& options);

}  // namespace candor::cel
