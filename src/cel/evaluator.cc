#include "cel/internal/evaluator.h"

#include <algorithm>

#include "cel/regex.h"

namespace candor::cel {

Evaluator::Evaluator(const Program& program, std::span<const Value> slots, const Limits& limits,
                     Arena& arena)
    : program_(program), ast_(program.ast_), slots_(slots), limit_(limits.max_cost), arena_(arena) {
  if (program.locals_ > 0) locals_ = arena.values(program.locals_);
}

Outcome Evaluator::run() {
  const Value value = eval(ast_.root);
  return {value, cost_};
}

Value Evaluator::eval(NodeId id) {
  const Node& n = ast_.nodes[id];
  if (!spend(1)) return too_costly(n);
  switch (n.op) {
    case Op::kLiteral: return n.literal;
    case Op::kName: return name(n);
    case Op::kSelect: return select(n);
    case Op::kHas: return has(n);
    case Op::kIndex: return index(n);
    case Op::kList: return list(n);
    case Op::kMap: return map(n);
    case Op::kCall: return call(n);
    case Op::kAnd: return chain(n, false);
    case Op::kOr: return chain(n, true);
    case Op::kConditional: {
      const auto parts = ast_.children_of(n);
      const Value condition = eval(parts[0]);
      if (condition.is(Kind::kBool)) return eval(parts[condition.truth ? 1 : 2]);
      return condition.is_error() ? condition : no_overload(n);
    }
    case Op::kAll:
    case Op::kExists:
    case Op::kExistsOne:
    case Op::kMapMacro:
    case Op::kFilter: return comprehension(n);
  }
  return no_overload(n);
}

Value Evaluator::name(const Node& n) const {
  if (n.slot == kUnresolved) return fault(Fault::kNoName, n);
  if (n.local) return locals_[n.slot];
  if (n.slot >= slots_.size()) return fault(Fault::kNoName, n);
  return slots_[n.slot];
}

// Fields

Value Evaluator::field(const Node& n, const Value& operand) {
  if (operand.is(Kind::kRecord)) {
    if (n.slot < operand.size) return operand.items[n.slot];
    return fault(Fault::kNoKey, n);
  }
  if (operand.is(Kind::kMap)) return lookup(operand, Value::of_text(n.text), n.place);
  return operand.is_error() ? operand : no_overload(n);
}

Value Evaluator::select(const Node& n) { return field(n, eval(ast_.children[n.first])); }

Value Evaluator::has(const Node& n) {
  const Value operand = eval(ast_.children[n.first]);
  const Value value = field(n, operand);
  if (is_final(value)) return value;
  if (operand.is(Kind::kMap)) return Value::boolean(!value.is_error());
  if (!operand.is(Kind::kRecord) || value.is_error()) return value;
  // A record's field is there unless it has its type's default, as in proto3.
  switch (value.kind) {
    case Kind::kNull: return Value::boolean(false);
    case Kind::kBool: return value;
    case Kind::kInt:
    case Kind::kUint: return Value::boolean(value.natural != 0);
    case Kind::kDouble: return Value::boolean(value.real != 0);
    case Kind::kString:
    case Kind::kBytes:
    case Kind::kList:
    case Kind::kMap: return Value::boolean(value.size != 0);
    case Kind::kTimestamp:
    case Kind::kDuration: return Value::boolean(value.integer != 0 || value.size != 0);
    case Kind::kRecord:  // if any of its fields is
      for (const Value& part : value.list_items()) {
        if (!spend(1)) return too_costly(n);
        const bool set = part.is(Kind::kBool)     ? part.truth
                         : part.is(Kind::kDouble) ? part.real != 0
                         : part.is(Kind::kInt) || part.is(Kind::kUint)
                             ? part.natural != 0
                             : !part.is(Kind::kNull) && part.size != 0;
        if (set) return Value::boolean(true);
      }
      return Value::boolean(false);
    case Kind::kError:
    case Kind::kType: return Value::boolean(true);
  }
  return no_overload(n);
}

Value Evaluator::lookup(const Value& map, const Value& key, std::uint32_t place) {
  for (const Entry& entry : map.map_entries()) {
    const bool found = equal(entry.key, key, cost_);
    if (!spend(0)) return Value::error(Fault::kCost, place);
    if (found) return entry.value;
  }
  return Value::error(Fault::kNoKey, place);
}

Value Evaluator::index(const Node& n) {
  const auto parts = ast_.children_of(n);
  const Value operand = eval(parts[0]);
  if (operand.is_error()) return operand;
  const Value at = eval(parts[1]);
  if (at.is_error()) return at;
  if (operand.is(Kind::kMap)) return lookup(operand, at, n.place);
  if (!operand.is(Kind::kList)) return no_overload(n);
  std::uint64_t position = 0;
  if (at.is(Kind::kInt) || at.is(Kind::kUint)) {
    if (at.is(Kind::kInt) && at.integer < 0) return fault(Fault::kIndex, n);
    position = at.natural;
  } else if (at.is(Kind::kDouble)) {
    // Whole numbers only.
    if (!(at.real >= 0 && at.real < 4294967296.0)) return fault(Fault::kIndex, n);
    position = static_cast<std::uint64_t>(at.real);
    if (static_cast<double>(position) != at.real) return fault(Fault::kIndex, n);
  } else {
    return no_overload(n);
  }
  if (position >= operand.size) return fault(Fault::kIndex, n);
  return operand.items[position];
}

// Aggregates

Value Evaluator::list(const Node& n) {
  const std::span<Value> items = arena_.values(n.count);
  for (std::size_t i = 0; i < n.count; ++i) {
    items[i] = eval(ast_.children[n.first + i]);
    if (items[i].is_error()) return items[i];
  }
  return Value::list(items);
}

Value Evaluator::map(const Node& n) {
  const std::span<Entry> entries = arena_.entries(n.count / 2);
  for (std::size_t i = 0; i < entries.size(); ++i) {
    Entry& entry = entries[i];
    const NodeId key = ast_.children[n.first + 2 * i];
    entry.key = eval(key);
    if (entry.key.is_error()) return entry.key;
    const Kind kind = entry.key.kind;
    if (kind != Kind::kInt && kind != Kind::kUint && kind != Kind::kBool && kind != Kind::kString) {
      return fault(Fault::kKeyType, ast_.nodes[key]);
    }
    entry.value = eval(ast_.children[n.first + 2 * i + 1]);
    if (entry.value.is_error()) return entry.value;
    const Value before = lookup(Value::map(entries.first(i)), entry.key, n.place);
    if (is_final(before)) return before;
    if (!before.is_error()) return fault(Fault::kDuplicateKey, ast_.nodes[key]);
  }
  return Value::map(entries);
}

// Logic: the decisive value wins over errors, wherever it stands.

Value Evaluator::chain(const Node& n, bool decisive) {
  Value trouble;
  for (const NodeId part : ast_.children_of(n)) {
    const Value value = eval(part);
    if (value.is(Kind::kBool)) {
      if (value.truth == decisive) return value;
      continue;
    }
    if (is_final(value)) return value;
    trouble = value.is_error() ? value : no_overload(n);
  }
  return trouble.is_error() ? trouble : Value::boolean(!decisive);
}

Value Evaluator::comprehension(const Node& n) {
  const auto parts = ast_.children_of(n);
  const Value range = eval(parts[0]);
  if (range.is_error()) return range;
  if (!range.is(Kind::kList) && !range.is(Kind::kMap)) return no_overload(n);
  if (n.op == Op::kMapMacro || n.op == Op::kFilter) return collect(n, range);
  Value& local = locals_[n.slot];
  Value trouble;
  std::size_t count = 0;
  const bool decisive = n.op == Op::kExists;
  for (std::size_t i = 0; i < range.size; ++i) {
    local = range.is(Kind::kList) ? range.items[i] : range.entries[i].key;
    const Value value = eval(parts[1]);
    if (is_final(value)) return value;
    if (!value.is(Kind::kBool)) {
      trouble = value.is_error() ? value : no_overload(n);
      if (n.op == Op::kExistsOne) return trouble;
    } else if (n.op == Op::kExistsOne) {
      count += value.truth ? 1 : 0;
    } else if (value.truth == decisive) {
      return value;
    }
  }
  if (n.op == Op::kExistsOne) return Value::boolean(count == 1);
  return trouble.is_error() ? trouble : Value::boolean(!decisive);
}

Value Evaluator::collect(const Node& n, const Value& range) {
  const auto parts = ast_.children_of(n);
  const bool filters = n.op == Op::kFilter || parts.size() == 3;
  if (!spend(range.size)) return too_costly(n);
  const std::span<Value> out = arena_.values(range.size);
  std::size_t count = 0;
  for (std::size_t i = 0; i < range.size; ++i) {
    const Value item = range.is(Kind::kList) ? range.items[i] : range.entries[i].key;
    locals_[n.slot] = item;
    if (filters) {
      const Value chosen = eval(parts[1]);
      if (chosen.is_error()) return chosen;
      if (!chosen.is(Kind::kBool)) return no_overload(n);
      if (!chosen.truth) continue;
    }
    out[count] = n.op == Op::kFilter ? item : eval(parts.back());
    if (out[count].is_error()) return out[count];
    ++count;
  }
  return Value::list(out.first(count));
}

Value Evaluator::call(const Node& n) {
  const auto parts = ast_.children_of(n);
  if (n.function == Function::kUnknown) return fault(Fault::kNoName, n);
  if (parts.empty() || parts.size() > 2) return no_overload(n);
  const Value a = eval(parts[0]);
  if (a.is_error()) return a;
  if (parts.size() == 1) return unary(n, a);
  const Value b = eval(parts[1]);
  if (b.is_error()) return b;
  return operate(n, a, b);
}

Program::Program() = default;
Program::Program(Program&&) noexcept = default;
Program& Program::operator=(Program&&) noexcept = default;
Program::~Program() = default;

Outcome Program::evaluate(std::span<const Value> slots, const Limits& limits, Arena& arena) const {
  return Evaluator(*this, slots, limits, arena).run();
}

}  // namespace candor::cel
