// Resolves names and overloads of a tree, and types it (cel-spec, "Gradual Type Checking").
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cel/internal/signatures.h"
#include "cel/program.h"

namespace candor::cel {

class Checker {
 public:
  Checker(const Environment& environment, const CompileOptions& options)
      : env_(environment), options_(options), types_(environment.types) {}
  [[nodiscard]] Compiled run(Ast ast);

 private:
  struct Local {
    std::string_view name;
    TypeId type;
  };

  [[nodiscard]] TypeId node(NodeId id);
  [[nodiscard]] TypeId literal(const Value& value);
  [[nodiscard]] TypeId name(NodeId id);
  [[nodiscard]] TypeId select(NodeId id);
  [[nodiscard]] TypeId index(const Node& n);
  [[nodiscard]] TypeId list(const Node& n);
  [[nodiscard]] TypeId map(const Node& n);
  [[nodiscard]] TypeId chain(const Node& n);
  [[nodiscard]] TypeId conditional(const Node& n);
  [[nodiscard]] TypeId comprehension(NodeId id);
  [[nodiscard]] TypeId call(NodeId id);
  [[nodiscard]] std::optional<TypeId> overload(const Signature& signature,
                                               std::span<const TypeId> arguments);
  [[nodiscard]] std::optional<TypeId> ordered(std::span<const TypeId> arguments);
  void check_pattern(Node& n);
  void check_zone(const Node& n);
  void fold_constants();

  // a.b.c of nodes, if these are names all the way; its head's node in head.
  [[nodiscard]] std::optional<std::string> qualified(NodeId id, NodeId& head) const;
  [[nodiscard]] const Local* find_local(std::string_view name) const;
  // What a qualified name is, in the container and the namespaces around it. Sets slot and local.
  [[nodiscard]] std::optional<TypeId> resolve(std::string_view name, bool absolute, Node& into);
  [[nodiscard]] TypeId unknown_name(NodeId id);
  [[nodiscard]] std::vector<std::string_view> variable_names() const;

  // Types with variables (of signatures, of empty lists).
  [[nodiscard]] TypeId fresh() {
    bindings_.emplace_back();
    return types_.add({TypeKind::kVariable, static_cast<TypeId>(bindings_.size() - 1), 0});
  }
  [[nodiscard]] TypeId resolved(TypeId type) const;  // through bound variables, at the top
  [[nodiscard]] TypeId substituted(TypeId type);     // the same, all the way down; free ones dyn
  [[nodiscard]] bool assignable(TypeId from, TypeId to);
  [[nodiscard]] bool occurs(TypeId variable, TypeId in) const;
  [[nodiscard]] TypeId joined(TypeId a, TypeId b);  // of items of one list
  [[nodiscard]] TypeKind kind(TypeId type) const { return types_[resolved(type)].kind; }
  [[nodiscard]] std::string shown(TypeId type) { return env_.type_text(types_, substituted(type)); }

  void report(Problem::What what, const Node& at, std::string message, std::string suggestion = {});
  [[nodiscard]] static TypeId simple(TypeKind kind) { return Types::simple(kind); }
  [[nodiscard]] static TypeId dyn() { return simple(TypeKind::kDyn); }

  const Environment& env_;
  const CompileOptions& options_;
  Types types_;
  Program program_;
  std::vector<std::optional<TypeId>> bindings_;
  std::vector<Local> locals_;
  std::vector<Problem> problems_;
};

}  // namespace candor::cel
