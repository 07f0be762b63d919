#include "dlp/validators.h"

#include <algorithm>
#include <array>

namespace candor::dlp {
namespace {

const std::vector<NamedValidator>& all() {
  static const auto made = [] {
    std::vector<NamedValidator> list;
    for (const auto table : {contact_validators(), financial_validators(), european_validators(),
                             more_european_validators(), world_validators(), wallet_validators(),
                             secret_validators()}) {
      list.insert(list.end(), table.begin(), table.end());
    }
    std::ranges::sort(list, {}, &NamedValidator::name);
    return list;
  }();
  return made;
}

}  // namespace

Validator find_validator(std::string_view name) {
  const auto found = std::ranges::lower_bound(all(), name, {}, &NamedValidator::name);
  return found != all().end() && found->name == name ? found->check : nullptr;
}

std::vector<std::string_view> validator_names() {
  std::vector<std::string_view> names;
  for (const NamedValidator& validator : all()) names.push_back(validator.name);
  return names;
}

}  // namespace candor::dlp
