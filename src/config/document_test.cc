#include "config/document.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace candor::config {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

TEST(DocumentTest, ValuesKeepTheirKindsAndLines) {
  const auto document = parse_toml("name = \"x\"\n\n[[one]]\nlist = [1, true, 'a']\n", "a.toml");
  ASSERT_TRUE(document) << document.error().message();
  ASSERT_EQ(document->size(), 2U);
  EXPECT_EQ((*document)[0].name, "name");
  ASSERT_NE((*document)[0].value.text(), nullptr);
  const TomlArray* ones = (*document)[1].value.array();
  ASSERT_NE(ones, nullptr);
  const TomlTable* one = ones->at(0).table();
  ASSERT_NE(one, nullptr);
  EXPECT_EQ(one->at(0).value.line, 4U);
  const TomlArray& list = *one->at(0).value.array();
  EXPECT_EQ(*list.at(0).integer(), 1);
  EXPECT_TRUE(*list.at(1).flag());
  EXPECT_EQ(*list.at(2).text(), "a");
}

TEST(DocumentTest, MistakesNameFileAndLine) {
  for (const char* text : {"a = 1\na = 2\n", "\nb = \"open\n", "\nc = \n", "\n\xC3\xA4 = 1\n"}) {
    const auto document = parse_toml(text, "pack.toml");
    ASSERT_FALSE(document) << text;
    EXPECT_EQ(document.error().code(), Code::kInvalidArgument);
    EXPECT_THAT(document.error().message(), StartsWith("pack.toml:2: "));
  }
}

TEST(DocumentTest, DepthIsBounded) {
  const std::string deep = "a = " + std::string(40, '[') + std::string(40, ']') + "\n";
  const auto document = parse_toml(deep, "deep.toml");
  ASSERT_FALSE(document);
  EXPECT_THAT(document.error().message(), HasSubstr("nested more than"));
}

}  // namespace
}  // namespace candor::config
