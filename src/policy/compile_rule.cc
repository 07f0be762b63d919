#include "policy/internal/compile_rule.h"

#include "cel/parser.h"
#include "policy/facts.h"

namespace candor::policy {
namespace {

Finding finding_of(const RuleFile& file, const Rule& rule, const Placed& expression,
                   const cel::Problem& problem) {
  const cel::Shown shown = cel::show_place(expression.text, problem.place, problem.length);
  Finding out;
  out.kind = cel::to_string(problem.what);
  out.file = file.origin;
  out.line = expression.line + shown.line - 1;
  out.column = shown.column;
  out.rule = rule.id;
  out.message = problem.message;
  out.suggestion = problem.suggestion;
  out.excerpt = shown.excerpt;
  return out;
}

}  // namespace

std::optional<RulePrograms> compile_rule(const RuleFile& file, const Rule& rule, cel::Zones* zones,
                                         std::vector<Finding>& findings) {
  const cel::CompileOptions options{
      .checking = cel::Checking::kStrict, .result = cel::TypeKind::kBool, .zones = zones};
  const std::size_t before = findings.size();
  const auto compile = [&](const Placed& expression,
                           cel::Ast& written) -> std::optional<cel::Program> {
    auto ast = cel::parse(expression.text);
    if (!ast) {
      findings.push_back(finding_of(file, rule, expression, ast.error()));
      return {};
    }
    auto program = cel::compile(environment(), expression.text, options);
    if (!program) {
      for (const cel::Problem& problem : program.error()) {
        findings.push_back(finding_of(file, rule, expression, problem));
      }
      return {};
    }
    written = *std::move(ast);
    return *std::move(program);
  };
  const Placed always{"true", rule.line};
  cel::Ast when;
  cel::Ast select;
  auto when_program = compile(rule.when.text.empty() ? always : rule.when, when);
  std::optional<cel::Program> select_program;
  if (!rule.select.text.empty()) select_program = compile(rule.select, select);
  if (findings.size() != before) return {};
  RulePrograms out{std::move(when), {}, *std::move(when_program), std::move(select_program)};
  if (out.select_program) out.select = std::move(select);
  return out;
}

}  // namespace candor::policy
