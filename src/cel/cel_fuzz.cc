// No expression crashes; what is parsed prints to a text that parses to the same tree; every
// evaluation ends within its cost; what the strict checker accepts without `dyn` meets no missing
// overload or name at evaluation; and the unchecked form of an accepted one has the same value.
#include <cstdint>

#include "base/check.h"
#include "base/text.h"
#include "cel/parser.h"
#include "cel/program.h"

namespace {

using namespace candor;
using namespace candor::cel;

struct World {
  Environment env;
  Arena arena;
  std::vector<Value> slots;

  World() {
    const TypeId text = Types::simple(TypeKind::kString);
    const TypeId record = env.add_record(
        {"R", {{"s", text}, {"n", Types::simple(TypeKind::kInt)}, {"l", env.types.list(text)}}});
    const auto items = arena.values(2);
    items[0] = Value::of_text("a");
    items[1] = Value::of_text("b\xC3\xA4");
    const auto fields = arena.values(3);
    fields[0] = Value::of_text("text");
    fields[1] = Value::of_int(-1);
    fields[2] = Value::list(items);
    const auto entries = arena.entries(1);
    entries[0] = {Value::of_text("k"), Value::of_int(5)};
    const auto records = arena.values(1);
    records[0] = Value::record(fields);
    add("r", record, records[0]);
    add("i", Types::simple(TypeKind::kInt), Value::of_int(3));
    add("u", Types::simple(TypeKind::kUint), Value::of_uint(4));
    add("d", Types::simple(TypeKind::kDouble), Value::of_double(0.5));
    add("s", text, Value::of_text("str"));
    add("y", Types::simple(TypeKind::kBytes), Value::of_text("\xFF", Kind::kBytes));
    add("t", Types::simple(TypeKind::kTimestamp),
        Value::of_time(Kind::kTimestamp, 1'600'000'000, 5));
    add("w", Types::simple(TypeKind::kDuration), Value::of_time(Kind::kDuration, -2, 500'000'000));
    add("b", Types::simple(TypeKind::kBool), Value::boolean(true));
    add("l", env.types.list(text), Value::list(items));
    add("m", env.types.map(text, Types::simple(TypeKind::kInt)), Value::map(entries));
    add("rs", env.types.list(record), Value::list(records));
  }
  void add(const char* name, TypeId type, Value value) {
    env.add_variable(name, type);
    slots.push_back(value);
  }
};

// Text that could bring a value of unknown type: dyn(), mixed lists and maps, empty ones, type().
bool may_be_dynamic(const Ast& ast) {
  for (const Node& n : ast.nodes) {
    if (n.op == Op::kList || n.op == Op::kMap) return true;
    if (n.text == "dyn" || n.text == "type" || n.op == Op::kConditional) return true;
    if (n.op == Op::kLiteral && n.literal.is(Kind::kNull)) return true;
  }
  return false;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const World kWorld;
  const std::string_view source(reinterpret_cast<const char*>(data), size);
  const auto ast = parse(source);
  if (!ast) {
    CANDOR_CHECK(ast.error().place <= source.size());
    const Shown shown = show_place(source, ast.error().place, ast.error().length);
    CANDOR_CHECK(strip_controls(shown.excerpt) == shown.excerpt);
    return 0;
  }
  const std::string printed = print(*ast, ast->root);
  // Printing adds blanks and brackets, so it may pass a limit that the source did not.
  const auto again = parse(printed, {.max_bytes = 1U << 20U, .max_depth = 400});
  CANDOR_CHECK(again.has_value());
  CANDOR_CHECK(same(*ast, ast->root, *again, again->root));
  CANDOR_CHECK(print(*again, again->root) == printed);

  const Limits limits{.max_cost = 2'000};
  Arena arena;
  const auto strict = compile(kWorld.env, source, {});
  const auto dynamic =
      compile(kWorld.env, source, {.checking = Checking::kDynamic, .result = {}, .zones = nullptr});
  CANDOR_CHECK(dynamic.has_value());
  const Outcome loose = dynamic->evaluate(kWorld.slots, limits, arena);
  CANDOR_CHECK(loose.cost <= limits.max_cost + source.size() + 100'000);
  if (!strict) return 0;
  const Outcome outcome = strict->evaluate(kWorld.slots, limits, arena);
  CANDOR_CHECK(to_text(outcome.value) == to_text(loose.value));
  if (outcome.value.is_error() && !may_be_dynamic(*ast)) {
    CANDOR_CHECK(outcome.value.fault != Fault::kNoOverload &&
                 outcome.value.fault != Fault::kNoName);
  }
  return 0;
}
