// What an expression may speak of: variables with their types, and records with their fields. And
// the types themselves.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace candor::cel {

using TypeId = std::uint32_t;

enum class TypeKind : std::uint8_t {
  kDyn,  // decided at evaluation
  kNull,
  kBool,
  kInt,
  kUint,
  kDouble,
  kString,
  kBytes,
  kTimestamp,
  kDuration,
  kType,      // a
  kList,      // of a
  kMap,       // from a to b
  kRecord,    // number a of the environment's records
  kVariable,  // of a function's signature, or the items of an empty list; number a
};

struct Type {
  TypeKind kind = TypeKind::kDyn;
  TypeId a = 0, b = 0;
  bool operator==(const Type&) const = default;
};

// The simple types have their kind as their number.
class Types {
 public:
  Types();
  [[nodiscard]] TypeId add(Type type);  // the same number for the same type
  [[nodiscard]] TypeId list(TypeId items) { return add({TypeKind::kList, items, 0}); }
  [[nodiscard]] TypeId map(TypeId keys, TypeId values) {
    return add({TypeKind::kMap, keys, values});
  }
  [[nodiscard]] const Type& operator[](TypeId id) const { return types_[id]; }
  [[nodiscard]] static TypeId simple(TypeKind kind) noexcept { return static_cast<TypeId>(kind); }

 private:
  std::vector<Type> types_;
};

struct Field {
  std::string name;
  TypeId type = 0;
};
struct Record {
  std::string name;
  std::vector<Field> fields;
};
struct Variable {
  std::string name;  // may be qualified: "a.b"
  TypeId type = 0;
};

class Environment {
 public:
  Types types;
  // Names are looked up in this namespace first: in "a.b", x is a.b.x, then a.x, then x.
  std::string container;

  TypeId add_record(Record record);
  // Its slot: the position of its value at evaluation.
  std::uint32_t add_variable(std::string name, TypeId type);
  [[nodiscard]] const std::vector<Variable>& variables() const noexcept { return variables_; }
  [[nodiscard]] const Record& record(std::uint32_t number) const { return records_[number]; }
  [[nodiscard]] std::string type_text(TypeId type) const { return type_text(types, type); }
  [[nodiscard]] std::string type_text(const Types& in, TypeId type) const;

 private:
  std::vector<Variable> variables_;
  std::vector<Record> records_;
};

}  // namespace candor::cel
