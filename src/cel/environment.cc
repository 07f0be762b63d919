#include "cel/environment.h"

#include <algorithm>

#include <fmt/format.h>

namespace candor::cel {

Types::Types() {
  for (auto kind = static_cast<unsigned>(TypeKind::kDyn);
       kind <= static_cast<unsigned>(TypeKind::kDuration); ++kind) {
    types_.push_back({static_cast<TypeKind>(kind), 0, 0});
  }
}

TypeId Types::add(Type type) {
  const auto known = std::ranges::find(types_, type);
  if (known != types_.end()) return static_cast<TypeId>(known - types_.begin());
  types_.push_back(type);
  return static_cast<TypeId>(types_.size() - 1);
}

TypeId Environment::add_record(Record record) {
  records_.push_back(std::move(record));
  return types.add({TypeKind::kRecord, static_cast<TypeId>(records_.size() - 1), 0});
}

std::uint32_t Environment::add_variable(std::string name, TypeId type) {
  variables_.push_back({std::move(name), type});
  return static_cast<std::uint32_t>(variables_.size() - 1);
}

std::string Environment::type_text(const Types& in, TypeId id) const {
  const Type& type = in[id];
  switch (type.kind) {
    case TypeKind::kDyn:
    case TypeKind::kVariable: return "dyn";
    case TypeKind::kNull: return "null";
    case TypeKind::kBool: return "bool";
    case TypeKind::kInt: return "int";
    case TypeKind::kUint: return "uint";
    case TypeKind::kDouble: return "double";
    case TypeKind::kString: return "string";
    case TypeKind::kBytes: return "bytes";
    case TypeKind::kTimestamp: return "timestamp";
    case TypeKind::kDuration: return "duration";
    case TypeKind::kType: return "type";
    case TypeKind::kList: return fmt::format("list({})", type_text(in, type.a));
    case TypeKind::kMap:
      return fmt::format("map({}, {})", type_text(in, type.a), type_text(in, type.b));
    case TypeKind::kRecord: return records_[type.a].name;
  }
  return "dyn";
}

}  // namespace candor::cel
