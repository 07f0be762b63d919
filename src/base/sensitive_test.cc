#include "base/sensitive.h"

#include <ostream>
#include <type_traits>

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace candor {
namespace {

using Text = Sensitive<std::string>;

template <typename T>
constexpr bool kPrints = requires(std::ostream& out, T value) { out << value; };
static_assert(!kPrints<Text>);
static_assert(!fmt::is_formattable<Text>::value);
static_assert(!std::is_convertible_v<Text, std::string>);
static_assert(!std::is_convertible_v<Text, std::string_view>);
static_assert(!std::is_convertible_v<std::string, Text>);

// A stand-in that shows its bytes after its owner has gone.
struct Watched {
  char* bytes = nullptr;
  [[nodiscard]] char* data() const { return bytes; }
  [[nodiscard]] std::size_t size() const { return bytes == nullptr ? 0 : 6; }
};

TEST(SensitiveTest, BytesAreOverwrittenWhenItDies) {
  char bytes[] = "secret";
  {
    const Sensitive<Watched> value(Watched{bytes});
  }
  EXPECT_EQ(std::string(bytes, 6), std::string(6, '\0'));
}

TEST(SensitiveTest, BytesAreOverwrittenWhenAssignedOver) {
  char first[] = "secret";
  char second[] = "hidden";
  Sensitive<Watched> value(Watched{first});
  value = Sensitive<Watched>();  // an empty one: no bytes of its own
  EXPECT_EQ(std::string(first, 6), std::string(6, '\0'));
  value = Sensitive<Watched>(Watched{second});
}

TEST(SensitiveTest, CopiesAndMovesKeepTheValue) {
  Text a("a text that is longer than the small buffer");
  Text b = a;
  EXPECT_EQ(b.reveal(), a.reveal());
  const Text c = std::move(b);
  EXPECT_EQ(c.reveal(), a.reveal());
  a = c;
  EXPECT_EQ(a.reveal(), c.reveal());
}

}  // namespace
}  // namespace candor
