// Walks a checked tree. Depth is bounded by the parser, time and memory by the cost.
#pragma once

#include <span>
#include <vector>

#include "cel/program.h"

namespace candor::cel {

class Evaluator {
 public:
  Evaluator(const Program& program, std::span<const Value> slots, const Limits& limits,
            Arena& arena);
  [[nodiscard]] Outcome run();

 private:
  [[nodiscard]] Value eval(NodeId id);
  [[nodiscard]] Value name(const Node& n) const;
  [[nodiscard]] Value select(const Node& n);
  [[nodiscard]] Value has(const Node& n);
  [[nodiscard]] Value field(const Node& n, const Value& operand);
  [[nodiscard]] Value index(const Node& n);
  [[nodiscard]] Value list(const Node& n);
  [[nodiscard]] Value map(const Node& n);
  [[nodiscard]] Value chain(const Node& n, bool decisive);
  [[nodiscard]] Value comprehension(const Node& n);
  [[nodiscard]] Value collect(const Node& n, const Value& range);
  [[nodiscard]] Value call(const Node& n);
  [[nodiscard]] Value lookup(const Value& map, const Value& key, std::uint32_t place);

  // In functions.cc: calls with evaluated arguments, none of them an error.
  [[nodiscard]] Value operate(const Node& n, const Value& a, const Value& b);
  [[nodiscard]] Value add(const Node& n, const Value& a, const Value& b);
  [[nodiscard]] Value subtract(const Node& n, const Value& a, const Value& b) const;
  [[nodiscard]] Value multiply(const Node& n, const Value& a, const Value& b) const;
  [[nodiscard]] Value divide(const Node& n, const Value& a, const Value& b) const;
  [[nodiscard]] Value concatenate(const Value& a, const Value& b);
  [[nodiscard]] Value order(const Node& n, const Value& a, const Value& b);
  [[nodiscard]] Value contained(const Node& n, const Value& item, const Value& in);
  [[nodiscard]] Value unary(const Node& n, const Value& a);
  [[nodiscard]] Value text_test(const Node& n, const Value& text, const Value& part);
  [[nodiscard]] Value matches(const Node& n, const Value& text, const Value& pattern);
  [[nodiscard]] Value size_of(const Node& n, const Value& a);
  // In conversions.cc.
  [[nodiscard]] Value convert(const Node& n, const Value& a);
  [[nodiscard]] Value to_time(const Node& n, const Value& a);
  [[nodiscard]] Value to_int(const Node& n, const Value& a) const;
  [[nodiscard]] Value to_uint(const Node& n, const Value& a) const;
  [[nodiscard]] Value to_double(const Node& n, const Value& a) const;
  [[nodiscard]] Value to_string(const Node& n, const Value& a);
  [[nodiscard]] Value time_part(const Node& n, const Value& a, const Value* zone);

  // Adds to the cost; false when the limit is passed, and then everything ends.
  [[nodiscard]] bool spend(std::uint64_t steps) noexcept {
    cost_ += steps;
    return cost_ <= limit_;
  }
  [[nodiscard]] static Value too_costly(const Node& n) noexcept {
    return Value::error(Fault::kCost, n.place);
  }
  [[nodiscard]] static bool is_final(const Value& v) noexcept {
    return v.is_error() && v.fault == Fault::kCost;
  }
  [[nodiscard]] static Value no_overload(const Node& n) noexcept {
    return Value::error(Fault::kNoOverload, n.place);
  }
  [[nodiscard]] static Value fault(Fault f, const Node& n) noexcept {
    return Value::error(f, n.place);
  }

  const Program& program_;
  const Ast& ast_;
  std::span<const Value> slots_;
  std::uint64_t limit_;
  std::uint64_t cost_ = 0;
  Arena& arena_;
  std::span<Value> locals_;
};

}  // namespace candor::cel
