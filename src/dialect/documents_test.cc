// docs/dialects.md says what the code does: its tables are the code's tables.
#include <gmock/gmock.h>

#include "dialect/testing/samples.h"

namespace candor::dialect {
namespace {

std::string_view word(FieldAction action) {
  switch (action) {
    case FieldAction::kHonour: return "honoured";
    case FieldAction::kAccept: return "accepted in one form";
    case FieldAction::kRefuse: return "refused";
    case FieldAction::kDrop: return "dropped";
  }
  return "";
}

std::string table_of(Api api) {
  std::string out = "| field | | |\n| --- | --- | --- |\n";
  for (const FieldRule& rule : dialect_of(api).fields(api)) {
    out += "| `" + std::string(rule.name) + "` | " + std::string(word(rule.action)) + " | " +
           std::string(rule.note) + " |\n";
  }
  return out;
}

TEST(DialectsDocumentTest, ShowsEachTableAsTheCodeHasIt) {
  const std::string document =
      testing::file_text(testing::module_folder() / "../../docs/dialects.md");
  for (const Dialect* dialect : dialects()) {
    for (const Route& route : dialect->routes()) {
      const std::string part = "## `" + std::string(route.method) + " " + std::string(route.path) +
                               "`\n\n" + table_of(route.api);
      EXPECT_TRUE(document.find(part) != std::string::npos) << "docs/dialects.md must hold:\n"
                                                            << part;
    }
  }
}

TEST(DialectsDocumentTest, NoFieldStandsTwiceInATable) {
  for (const Dialect* dialect : dialects()) {
    for (const Route& route : dialect->routes()) {
      std::vector<std::string_view> names;
      for (const FieldRule& rule : dialect->fields(route.api)) names.push_back(rule.name);
      std::ranges::sort(names);
      EXPECT_EQ(std::ranges::adjacent_find(names), names.end());
    }
  }
}

}  // namespace
}  // namespace candor::dialect
