#include "base/csv.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace candor {
namespace {

using ::testing::HasSubstr;

TEST(CsvTest, FollowsRfc4180) {
  const std::string text =
      "\xEF\xBB\xBFname,iban,note\r\n\"Doe, "
      "\"\"Jo\"\"\",DE1,\"two\nlines\"\r\nRoe,DE2,\r\n\r\nPoe,DE3,x";
  EXPECT_THAT(csv_column(text, "iban", ',').value(), ::testing::ElementsAre("DE1", "DE2", "DE3"));
  EXPECT_THAT(csv_column(text, "name", ',').value(),
              ::testing::ElementsAre("Doe, \"Jo\"", "Roe", "Poe"));
  EXPECT_THAT(csv_column(text, "note", ',').value(), ::testing::ElementsAre("two\nlines", "", "x"));
  EXPECT_THAT(csv_column("a;b\n1;2\n", "b", ';').value(), ::testing::ElementsAre("2"));
  EXPECT_THAT(csv_column("a,b\n1,2\n", "c", ',').error().message(), HasSubstr("there are: a, b"));
  EXPECT_THAT(csv_column("a,b\n1\n", "b", ',').error().message(), HasSubstr("line 2"));
  EXPECT_THAT(csv_column("a\n\"x\n", "a", ',').error().message(), HasSubstr("does not close"));
}

}  // namespace
}  // namespace candor
