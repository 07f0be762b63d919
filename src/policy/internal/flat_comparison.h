// Parts that are one comparison of a fact with a constant, which is most of them: decided without
// walking a tree.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "cel/program.h"

namespace candor::policy {

class FlatComparison {
 public:
  // Nothing if the program is anything else. The program must outlive it.
  [[nodiscard]] static std::optional<FlatComparison> of(const cel::Program& program);
  // What the program's evaluation would answer; it cannot be an error.
  [[nodiscard]] bool holds(std::span<const cel::Value> slots) const noexcept;
  // Lower where fewer facts hold: a text that must be equal, then a prefix, numbers, the rest.
  [[nodiscard]] int breadth() const noexcept;

 private:
  enum class Kind : std::uint8_t {
    kFlag,
    kNotFlag,
    kSameText,
    kOtherText,
    kStartsWith,
    kEqual,
    kNotEqual,
    kLess,
    kLessEqual,
    kGreater,
    kGreaterEqual,
  };
  static constexpr std::uint16_t kNone = 0xFFFF;
  [[nodiscard]] bool find_path(const cel::Ast& ast, cel::NodeId id);

  Kind kind_ = Kind::kFlag;
  std::uint16_t slot_ = 0;
  std::uint16_t fields_[2] = {kNone, kNone};
  cel::Value constant_;
};

}  // namespace candor::policy
