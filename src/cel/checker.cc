#include "cel/internal/checker.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/text.h"
#include "cel/parser.h"
#include "cel/regex.h"

namespace candor::cel {
namespace {

struct TypeName {
  std::string_view name;
  TypeKind kind;
};
constexpr std::array kTypeNames{TypeName{"bool", TypeKind::kBool},
                                TypeName{"int", TypeKind::kInt},
                                TypeName{"uint", TypeKind::kUint},
                                TypeName{"double", TypeKind::kDouble},
                                TypeName{"string", TypeKind::kString},
                                TypeName{"bytes", TypeKind::kBytes},
                                TypeName{"list", TypeKind::kList},
                                TypeName{"map", TypeKind::kMap},
                                TypeName{"null_type", TypeKind::kNull},
                                TypeName{"type", TypeKind::kType},
                                TypeName{"google.protobuf.Timestamp", TypeKind::kTimestamp},
                                TypeName{"google.protobuf.Duration", TypeKind::kDuration}};

}  // namespace

void Checker::report(Problem::What what, const Node& at, std::string message,
                     std::string suggestion) {
  if (options_.checking == Checking::kDynamic) return;
  const std::uint32_t length =
      std::max<std::uint32_t>(static_cast<std::uint32_t>(at.text.size()), 1);
  problems_.push_back({what, at.place, length, std::move(message), std::move(suggestion)});
}

// Types

TypeId Checker::resolved(TypeId type) const {
  while (types_[type].kind == TypeKind::kVariable && bindings_[types_[type].a]) {
    type = *bindings_[types_[type].a];
  }
  return type;
}

TypeId Checker::substituted(TypeId type) {
  const Type t = types_[resolved(type)];
  switch (t.kind) {
    case TypeKind::kVariable: return dyn();
    case TypeKind::kList: return types_.list(substituted(t.a));
    case TypeKind::kType: return types_.add({TypeKind::kType, substituted(t.a), 0});
    case TypeKind::kMap: {
      const TypeId keys = substituted(t.a);
      return types_.map(keys, substituted(t.b));
    }
    case TypeKind::kDyn:
    case TypeKind::kNull:
    case TypeKind::kBool:
    case TypeKind::kInt:
    case TypeKind::kUint:
    case TypeKind::kDouble:
    case TypeKind::kString:
    case TypeKind::kBytes:
    case TypeKind::kTimestamp:
    case TypeKind::kDuration:
    case TypeKind::kRecord: return types_.add(t);
  }
  return dyn();
}

bool Checker::occurs(TypeId variable, TypeId in) const {
  in = resolved(in);
  if (in == variable) return true;
  const Type& t = types_[in];
  if (t.kind == TypeKind::kList || t.kind == TypeKind::kType) return occurs(variable, t.a);
  return t.kind == TypeKind::kMap && (occurs(variable, t.a) || occurs(variable, t.b));
}

bool Checker::assignable(TypeId from, TypeId to) {
  from = resolved(from);
  to = resolved(to);
  if (from == to) return true;
  const Type a = types_[from];
  const Type b = types_[to];
  if (b.kind == TypeKind::kVariable) {
    if (occurs(to, from)) return false;
    bindings_[b.a] = from;
    return true;
  }
  if (a.kind == TypeKind::kVariable) {
    if (occurs(from, to)) return false;
    bindings_[a.a] = to;
    return true;
  }
  if (a.kind == TypeKind::kDyn || b.kind == TypeKind::kDyn) return true;
  const auto nullable = [](TypeKind k) {
    return k == TypeKind::kTimestamp || k == TypeKind::kDuration || k == TypeKind::kRecord;
  };
  if (a.kind == TypeKind::kNull && nullable(b.kind)) return true;
  if (b.kind == TypeKind::kNull && nullable(a.kind)) return true;
  if (a.kind != b.kind) return false;
  if (a.kind == TypeKind::kList) return assignable(a.a, b.a);
  if (a.kind == TypeKind::kMap) return assignable(a.a, b.a) && assignable(a.b, b.b);
  return a.kind == TypeKind::kType;  // types of types are one type
}

TypeId Checker::joined(TypeId a, TypeId b) {
  const auto before = bindings_;
  if (assignable(b, a)) return kind(a) == TypeKind::kNull ? b : a;
  bindings_ = before;
  return dyn();
}

// Names

std::optional<std::string> Checker::qualified(NodeId id, NodeId& head) const {
  const Ast& ast = program_.ast_;
  const Node& n = ast.nodes[id];
  head = id;
  if (n.op == Op::kName) return std::string(n.text);
  if (n.op != Op::kSelect) return {};
  auto prefix = qualified(ast.children[n.first], head);
  if (prefix) *prefix += fmt::format(".{}", n.text);
  return prefix;
}

const Checker::Local* Checker::find_local(std::string_view name) const {
  for (std::size_t i = locals_.size(); i-- > 0;) {
    if (locals_[i].name == name) return &locals_[i];
  }
  return nullptr;
}

std::optional<TypeId> Checker::resolve(std::string_view name, bool absolute, Node& into) {
  std::string space = absolute ? std::string() : env_.container;
  for (;;) {
    const std::string full = space.empty() ? std::string(name) : fmt::format("{}.{}", space, name);
    for (std::size_t i = 0; i < env_.variables().size(); ++i) {
      if (env_.variables()[i].name != full) continue;
      into.slot = static_cast<std::uint32_t>(i);
      return env_.variables()[i].type;
    }
    const auto type = std::ranges::find(kTypeNames, full, &TypeName::name);
    if (type != kTypeNames.end()) {
      into.op = Op::kLiteral;
      into.literal = Value::of_text(type->name, Kind::kType);
      return types_.add({TypeKind::kType,
                         type->kind == TypeKind::kList   ? types_.list(dyn())
                         : type->kind == TypeKind::kMap  ? types_.map(dyn(), dyn())
                         : type->kind == TypeKind::kType ? types_.add({TypeKind::kType, dyn(), 0})
                                                         : simple(type->kind),
                         0});
    }
    if (space.empty()) return {};
    const std::size_t dot = space.rfind('.');
    space.resize(dot == std::string::npos ? 0 : dot);
  }
}

std::vector<std::string_view> Checker::variable_names() const {
  std::vector<std::string_view> names;
  for (const Variable& variable : env_.variables()) names.push_back(variable.name);
  for (const Local& local : locals_) names.push_back(local.name);
  return names;
}

TypeId Checker::unknown_name(NodeId id) {
  Node& n = program_.ast_.nodes[id];
  n.slot = kUnresolved;
  const auto names = variable_names();
  report(Problem::What::kUnknownName, n, fmt::format("there is no value named {}", n.text),
         std::string(nearest_name(n.text, names)));
  return dyn();
}

TypeId Checker::name(NodeId id) {
  Node& n = program_.ast_.nodes[id];
  if (const Local* local = n.absolute ? nullptr : find_local(n.text)) {
    n.local = true;
    n.slot = static_cast<std::uint32_t>(local - locals_.data());
    return local->type;
  }
  if (const auto type = resolve(n.text, n.absolute, n)) return *type;
  return unknown_name(id);
}

TypeId Checker::select(NodeId id) {
  Ast& ast = program_.ast_;
  Node& n = ast.nodes[id];
  NodeId head = id;
  // The longest qualified name that is a variable wins, unless its head is a local.
  if (n.op == Op::kSelect) {
    const auto full = qualified(id, head);
    const bool local = full && !ast.nodes[head].absolute && find_local(ast.nodes[head].text);
    if (full && !local) {
      if (const auto type = resolve(*full, ast.nodes[head].absolute, n)) {
        if (n.op == Op::kSelect) n.op = Op::kName;
        n.count = 0;
        return *type;
      }
    }
  }
  const TypeId operand = resolved(node(ast.children[n.first]));
  const Type type = types_[operand];
  n.slot = kUnresolved;  // by name, at evaluation
  const TypeId has = simple(TypeKind::kBool);
  switch (type.kind) {
    case TypeKind::kRecord: {
      const Record& record = env_.record(type.a);
      const auto field = std::ranges::find(record.fields, n.text, &Field::name);
      if (field == record.fields.end()) {
        std::vector<std::string_view> names;
        for (const Field& one : record.fields) names.push_back(one.name);
        report(Problem::What::kUnknownName, n,
               fmt::format("{} has no field {}", record.name, n.text),
               std::string(nearest_name(n.text, names)));
        return n.op == Op::kHas ? has : dyn();
      }
      n.slot = static_cast<std::uint32_t>(field - record.fields.begin());
      return n.op == Op::kHas ? has : field->type;
    }
    case TypeKind::kMap: return n.op == Op::kHas ? has : type.b;
    case TypeKind::kDyn:
    case TypeKind::kVariable: return n.op == Op::kHas ? has : dyn();
    case TypeKind::kNull:
    case TypeKind::kBool:
    case TypeKind::kInt:
    case TypeKind::kUint:
    case TypeKind::kDouble:
    case TypeKind::kString:
    case TypeKind::kBytes:
    case TypeKind::kTimestamp:
    case TypeKind::kDuration:
    case TypeKind::kType:
    case TypeKind::kList: break;
  }
  report(Problem::What::kType, n,
         fmt::format("{} has no fields, so no {}", shown(operand), n.text));
  return n.op == Op::kHas ? has : dyn();
}

// Expressions

TypeId Checker::literal(const Value& value) {
  switch (value.kind) {
    case Kind::kNull: return simple(TypeKind::kNull);
    case Kind::kBool: return simple(TypeKind::kBool);
    case Kind::kInt: return simple(TypeKind::kInt);
    case Kind::kUint: return simple(TypeKind::kUint);
    case Kind::kDouble: return simple(TypeKind::kDouble);
    case Kind::kString: return simple(TypeKind::kString);
    case Kind::kBytes: return simple(TypeKind::kBytes);
    case Kind::kError:
    case Kind::kTimestamp:
    case Kind::kDuration:
    case Kind::kType:
    case Kind::kList:
    case Kind::kMap:
    case Kind::kRecord: return dyn();
  }
  return dyn();
}

TypeId Checker::node(NodeId id) {
  const Node n = program_.ast_.nodes[id];
  switch (n.op) {
    case Op::kLiteral: return literal(n.literal);
    case Op::kName: return name(id);
    case Op::kSelect:
    case Op::kHas: return select(id);
    case Op::kIndex: return index(n);
    case Op::kList: return list(n);
    case Op::kMap: return map(n);
    case Op::kCall: return call(id);
    case Op::kAnd:
    case Op::kOr: return chain(n);
    case Op::kConditional: return conditional(n);
    case Op::kAll:
    case Op::kExists:
    case Op::kExistsOne:
    case Op::kMapMacro:
    case Op::kFilter: return comprehension(id);
  }
  return dyn();
}

TypeId Checker::index(const Node& n) {
  const auto parts = program_.ast_.children_of(n);
  const TypeId operand = resolved(node(parts[0]));
  const TypeId at = node(parts[1]);
  const Type type = types_[operand];
  if (type.kind == TypeKind::kList && assignable(at, simple(TypeKind::kInt))) return type.a;
  if (type.kind == TypeKind::kMap && assignable(at, type.a)) return type.b;
  if (type.kind == TypeKind::kDyn || type.kind == TypeKind::kVariable) return dyn();
  report(Problem::What::kType, n,
         fmt::format("{} cannot be indexed by {}", shown(operand), shown(at)));
  return dyn();
}

TypeId Checker::list(const Node& n) {
  std::optional<TypeId> items;
  for (std::size_t i = 0; i < n.count; ++i) {
    const TypeId item = node(program_.ast_.children[n.first + i]);
    items = items ? joined(*items, item) : item;
  }
  return types_.list(items ? *items : fresh());
}

TypeId Checker::map(const Node& n) {
  std::optional<TypeId> keys;
  std::optional<TypeId> values;
  for (std::size_t i = 0; i + 1 < n.count; i += 2) {
    const TypeId key = node(program_.ast_.children[n.first + i]);
    const TypeId value = node(program_.ast_.children[n.first + i + 1]);
    keys = keys ? joined(*keys, key) : key;
    values = values ? joined(*values, value) : value;
  }
  const TypeId k = keys ? *keys : fresh();
  return types_.map(k, values ? *values : fresh());
}

TypeId Checker::chain(const Node& n) {
  for (std::size_t i = 0; i < n.count; ++i) {
    const NodeId part = program_.ast_.children[n.first + i];
    const TypeId type = node(part);
    if (!assignable(type, simple(TypeKind::kBool))) {
      report(Problem::What::kType, program_.ast_.nodes[part],
             fmt::format("{} joins conditions, and this is {}", n.op == Op::kAnd ? "&&" : "||",
                         shown(type)));
    }
  }
  return simple(TypeKind::kBool);
}

TypeId Checker::conditional(const Node& n) {
  const auto parts = program_.ast_.children_of(n);
  const TypeId condition = node(parts[0]);
  if (!assignable(condition, simple(TypeKind::kBool))) {
    report(Problem::What::kType, program_.ast_.nodes[parts[0]],
           fmt::format("a condition stands before ?, and this is {}", shown(condition)));
  }
  const TypeId then = node(parts[1]);
  const TypeId otherwise = node(parts[2]);
  const TypeId result = fresh();
  if (assignable(then, result) && assignable(otherwise, result)) {
    return kind(otherwise) == TypeKind::kDyn ? dyn() : result;
  }
  report(Problem::What::kType, n,
         fmt::format("one side of : is {}, the other {}", shown(then), shown(otherwise)));
  return dyn();
}

TypeId Checker::comprehension(NodeId id) {
  const Node n = program_.ast_.nodes[id];
  const auto child = [&](std::size_t i) { return program_.ast_.children[n.first + i]; };
  const TypeId range = resolved(node(child(0)));
  const Type type = types_[range];
  TypeId item = dyn();
  if (type.kind == TypeKind::kList || type.kind == TypeKind::kMap) {
    item = type.a;
  } else if (type.kind != TypeKind::kDyn && type.kind != TypeKind::kVariable) {
    report(Problem::What::kType, program_.ast_.nodes[child(0)],
           fmt::format("{} goes through a list or a map, and this is {}", n.text, shown(range)));
  }
  program_.ast_.nodes[id].slot = static_cast<std::uint32_t>(locals_.size());
  locals_.push_back({n.text, item});
  program_.locals_ = std::max(program_.locals_, static_cast<std::uint32_t>(locals_.size()));
  TypeId body = dyn();
  for (std::size_t i = 1; i < n.count; ++i) {
    body = node(child(i));
    const bool predicate = n.op != Op::kMapMacro || i + 1 < n.count;
    if (predicate && !assignable(body, simple(TypeKind::kBool))) {
      report(Problem::What::kType, program_.ast_.nodes[child(i)],
             fmt::format("a condition is needed here, and this is {}", shown(body)));
    }
  }
  locals_.pop_back();
  if (n.op == Op::kMapMacro) return types_.list(body);
  return n.op == Op::kFilter ? types_.list(item) : simple(TypeKind::kBool);
}

// Calls

std::optional<TypeId> Checker::ordered(std::span<const TypeId> arguments) {
  const TypeKind a = kind(arguments[0]);
  const TypeKind b = kind(arguments[1]);
  const auto free = [](TypeKind k) { return k == TypeKind::kDyn || k == TypeKind::kVariable; };
  const auto number = [](TypeKind k) {
    return k == TypeKind::kInt || k == TypeKind::kUint || k == TypeKind::kDouble;
  };
  const auto has_order = [&](TypeKind k) {
    return number(k) || free(k) || k == TypeKind::kBool || k == TypeKind::kString ||
           k == TypeKind::kBytes || k == TypeKind::kTimestamp || k == TypeKind::kDuration;
  };
  if (!has_order(a) || !has_order(b)) return {};
  if (free(a) || free(b) || a == b || (number(a) && number(b))) return simple(TypeKind::kBool);
  return {};
}

std::optional<TypeId> Checker::overload(const Signature& signature,
                                        std::span<const TypeId> arguments) {
  if (signature.parameters.size() != arguments.size()) return {};
  if (signature.parameters == "##") return ordered(arguments);
  const auto before = bindings_;
  std::optional<TypeId> a;
  std::optional<TypeId> b;
  const auto variable = [&](std::optional<TypeId>& which) {
    if (!which) which = fresh();
    return *which;
  };
  const auto type_of = [&](char letter) -> TypeId {
    switch (letter) {
      case 'b': return simple(TypeKind::kBool);
      case 'i': return simple(TypeKind::kInt);
      case 'u': return simple(TypeKind::kUint);
      case 'd': return simple(TypeKind::kDouble);
      case 's': return simple(TypeKind::kString);
      case 'y': return simple(TypeKind::kBytes);
      case 't': return simple(TypeKind::kTimestamp);
      case 'r': return simple(TypeKind::kDuration);
      case 'A': return variable(a);
      case 'L': return types_.list(variable(a));
      case 'M': {
        const TypeId keys = variable(a);
        return types_.map(keys, variable(b));
      }
      case 'T': return types_.add({TypeKind::kType, variable(a), 0});
      default: return dyn();
    }
  };
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    if (!assignable(arguments[i], type_of(signature.parameters[i]))) {
      bindings_ = before;
      return {};
    }
  }
  return type_of(signature.result);
}

TypeId Checker::call(NodeId id) {
  Node& n = program_.ast_.nodes[id];
  std::vector<TypeId> arguments;
  const bool is_operator = n.text.empty();
  std::size_t candidates = 0;
  std::optional<TypeId> result;
  for (std::size_t i = 0; i < n.count; ++i) {
    arguments.push_back(node(program_.ast_.children[n.first + i]));
  }
  const auto before = bindings_;
  for (const Signature& signature : signatures()) {
    const bool named = is_operator ? signature.name.empty() && signature.function == n.function
                                   : signature.name == n.text && signature.member == n.member;
    if (!named) continue;
    ++candidates;
    n.function = signature.function;
    auto one = overload(signature, arguments);
    if (!one) continue;
    // Two overloads that fit an argument of unknown type leave the result's type unknown, too.
    if (result && *result != *one) {
      bindings_ = before;
      result = dyn();
      break;
    }
    result = one;
  }
  if (candidates == 0) {
    n.function = Function::kUnknown;
    std::vector<std::string_view> names;
    for (const Signature& signature : signatures()) {
      if (!signature.name.empty()) names.push_back(signature.name);
    }
    for (const std::string_view macro : {"has", "all", "exists", "exists_one", "map", "filter"}) {
      names.push_back(macro);
    }
    const bool known = std::ranges::find(names, n.text) != names.end();
    report(Problem::What::kUnknownFunction, n,
           known ? fmt::format("{} is called in another way", n.text)
                 : fmt::format("there is no function {}", n.text),
           known ? "" : std::string(nearest_name(n.text, names)));
    return dyn();
  }
  if (!result) {
    std::string types;
    for (const TypeId type : arguments) types += (types.empty() ? "" : ", ") + shown(type);
    report(Problem::What::kType, n,
           fmt::format("{} cannot be used with ({})", shown_name(n.function), types));
    return dyn();
  }
  if (n.function == Function::kMatches) check_pattern(n);
  if (n.function >= Function::kGetDate && n.count == 2) check_zone(n);
  return *result;
}

void Checker::check_pattern(Node& n) {
  n.slot = kUnresolved;
  const Node& pattern = program_.ast_.child(n, 1);
  if (pattern.op != Op::kLiteral || !pattern.literal.is(Kind::kString)) return;
  auto compiled = Regex::compile(pattern.literal.text());
  if (!compiled) {
    report(Problem::What::kPattern, pattern, compiled.error().message());
    return;
  }
  n.slot = static_cast<std::uint32_t>(program_.patterns_.size());
  program_.patterns_.push_back(*std::move(compiled));
}

void Checker::check_zone(const Node& n) {
  const Node& zone = program_.ast_.child(n, 1);
  if (zone.op != Op::kLiteral || !zone.literal.is(Kind::kString)) return;
  const std::string_view name = zone.literal.text();
  if (name == "UTC" || fixed_offset(name)) return;
  if (options_.zones == nullptr || options_.zones->find(name) == nullptr) {
    report(Problem::What::kTimeZone, zone,
           fmt::format("there is no time zone {}; write one like Europe/Berlin or +02:00", name));
  }
}

// A call or list of constants that has a value is that value; an error stays where it is.
void Checker::fold_constants() {
  Ast& ast = program_.ast_;
  Arena arena;
  for (NodeId id = 0; id < ast.nodes.size(); ++id) {  // children stand before their parents
    Node& n = ast.nodes[id];
    const bool foldable = n.op == Op::kCall || n.op == Op::kList || n.op == Op::kMap;
    if (!foldable || !std::ranges::all_of(ast.children_of(n), [&](NodeId child) {
          return ast.nodes[child].op == Op::kLiteral;
        })) {
      continue;
    }
    const NodeId root = std::exchange(ast.root, id);
    const Outcome outcome = program_.evaluate({}, {}, arena);
    ast.root = root;
    if (outcome.value.is_error()) continue;
    n.literal = deep_copy(outcome.value, ast.arena);
    n.op = Op::kLiteral;
    n.count = 0;
    arena.reset();
  }
}

Compiled Checker::run(Ast ast) {
  program_.canonical_ = print(ast, ast.root);
  program_.ast_ = std::move(ast);
  program_.zones_ = options_.zones;
  const TypeId type = substituted(node(program_.ast_.root));
  program_.type_ = types_[type].kind;
  program_.type_text_ = env_.type_text(types_, type);
  if (options_.result && program_.type_ != *options_.result && problems_.empty()) {
    report(Problem::What::kType, program_.ast_.nodes[program_.ast_.root],
           fmt::format("the whole must be {}, and is {}",
                       env_.type_text(types_, simple(*options_.result)), program_.type_text_));
  }
  if (!problems_.empty()) return std::unexpected(std::move(problems_));
  fold_constants();
  return std::move(program_);
}

Compiled compile(const Environment& environment, std::string_view source,
                 const CompileOptions& options) {
  auto ast = parse(source);
  if (!ast) return std::unexpected(std::vector{std::move(ast).error()});
  return compile(environment, *std::move(ast), options);
}

Compiled compile(const Environment& environment, Ast ast, const CompileOptions& options) {
  return Checker(environment, options).run(std::move(ast));
}

}  // namespace candor::cel
