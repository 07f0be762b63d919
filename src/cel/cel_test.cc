// Parser, checker and evaluator together. The specification's cases:
// src/policy/cel_conformance_test.cc.
#include <random>

#include <fmt/format.h>
#include <gmock/gmock.h>

#include "base/testing/result_matchers.h"
#include "cel/parser.h"
#include "cel/program.h"
#include "cel/regex.h"
#include "cel/time.h"

namespace candor::cel {
namespace {

using ::testing::HasSubstr;

Environment environment() {
  Environment env;
  const TypeId text = Types::simple(TypeKind::kString);
  const TypeId inner = env.add_record({"Inner", {{"name", text}}});
  const TypeId outer = env.add_record({"Outer",
                                       {{"text", text},
                                        {"count", Types::simple(TypeKind::kInt)},
                                        {"inner", inner},
                                        {"tags", env.types.list(text)}}});
  env.add_variable("o", outer);
  env.add_variable("texts", env.types.list(text));
  env.add_variable("any", Types::simple(TypeKind::kDyn));
  return env;
}

std::string problem_of(std::string_view source, const CompileOptions& options = {}) {
  const auto program = compile(environment(), source, options);
  if (program) return "accepted";
  const Problem& problem = program.error().front();
  const Shown shown = show_place(source, problem.place, problem.length);
  return fmt::format("{}:{} {} {}", shown.line, shown.column, to_string(problem.what),
                     problem.message);
}

// The value as text, "problem" or the error.
std::string value_of(std::string_view source, std::uint64_t max_cost = 10'000) {
  const Environment env = environment();
  const auto program = compile(env, source, {});
  if (!program) return "problem: " + program.error().front().message;
  Arena arena;
  const Value inner[] = {Value::of_text("in")};
  const Value tags[] = {Value::of_text("a"), Value::of_text("b")};
  const Value outer[] = {Value::of_text("t"), Value::of_int(0), Value::record(inner),
                         Value::list(tags)};
  const Value slots[] = {Value::record(outer), Value::list(tags), Value::of_int(7)};
  return to_text(program->evaluate(slots, {.max_cost = max_cost}, arena).value);
}

TEST(CelTest, RecordsHaveFieldsAndHasSeesDefaults) {
  EXPECT_EQ(value_of("o.inner.name + o.text"), "\"int\"");
  EXPECT_EQ(value_of("has(o.text) && has(o.tags) && has(o.inner)"), "true");
  EXPECT_EQ(value_of("has(o.count)"), "false");
  EXPECT_EQ(value_of("o.tags.exists(t, t == 'b')"), "true");
  EXPECT_THAT(problem_of("has(o.nothing)"), HasSubstr("unknown_name"));
}

TEST(CelTest, ProblemsHaveTheirPlace) {
  EXPECT_EQ(problem_of("o.text ==\n 3"), "1:8 type == cannot be used with (string, int)");
  EXPECT_EQ(problem_of("o.cuont > 1"), "1:3 unknown_name Outer has no field cuont");
  EXPECT_EQ(problem_of("o.text.size("), "1:13 syntax the expression ends where a value is needed");
  EXPECT_EQ(problem_of("'abc"), "1:1 syntax this text is not closed");
  EXPECT_EQ(problem_of("1 + + 2"), "1:5 syntax a value is needed here");
  EXPECT_EQ(problem_of("texts.all(3, true)"),
            "1:11 syntax the first argument of all is a variable's name");
  EXPECT_EQ(problem_of("o.text.matches('[')"),
            "1:16 pattern not a regular expression of RE2: missing ]: [");
  EXPECT_EQ(problem_of("x{a: 1}"), "1:2 outside_subset messages cannot be built here; use a map");
  EXPECT_EQ(problem_of("if"), "1:1 syntax if is a reserved word");
  EXPECT_EQ(problem_of("9223372036854775808"), "1:1 syntax this number is too large for its type");
  EXPECT_EQ(problem_of("o.text", {.result = TypeKind::kBool}),
            "1:3 type the whole must be bool, and is string");
}

TEST(CelTest, TheCheckerTypesListsMapsAndConditionals) {
  const auto type_of = [](std::string_view source) {
    const auto program = compile(environment(), source, {});
    return program ? program->type_text() : "problem: " + program.error().front().message;
  };
  EXPECT_EQ(type_of("[1, 2]"), "list(int)");
  EXPECT_EQ(type_of("[1, 'a']"), "list(dyn)");
  EXPECT_EQ(type_of("[]"), "list(dyn)");
  EXPECT_EQ(type_of("[] + [1u]"), "list(uint)");
  EXPECT_EQ(type_of("{'a': [1.5]}"), "map(string, list(double))");
  EXPECT_EQ(type_of("true ? [] : ['a']"), "list(string)");
  EXPECT_EQ(type_of("texts.map(t, t.size())"), "list(int)");
  EXPECT_EQ(type_of("{'a': 1}.map(k, k)"), "list(string)");
  EXPECT_EQ(type_of("any + 1"), "int");
  EXPECT_EQ(type_of("any"), "dyn");
  EXPECT_EQ(type_of("type(1)"), "type");
  EXPECT_EQ(type_of("[[]].exists(x, x == [1])"), "bool");
  EXPECT_THAT(type_of("true ? 1 : 'a'"), HasSubstr("problem"));
  EXPECT_THAT(type_of("1 + 1u"), HasSubstr("problem"));
  EXPECT_THAT(type_of("o.count.x"), HasSubstr("problem"));
  EXPECT_THAT(type_of("texts[0].all(x, true)"), HasSubstr("goes through a list or a map"));
}

TEST(CelTest, EveryEvaluationEndsWithinItsCost) {
  // Exponential in its length (cel-spec, "Macro Performance").
  std::string bomb = "[1, 2].all(x, [1, 2].all(x, [1, 2].all(x, [1, 2].all(x, true))))";
  for (int i = 0; i < 12; ++i) bomb = fmt::format("[1, 2].all(v{}, {})", i, bomb);
  EXPECT_EQ(value_of(bomb), "error: cost limit exceeded");
  std::string doubling = "texts";
  for (int i = 0; i < 20; ++i)
    doubling = fmt::format("{}.map(x, [x + x, x + x]).map(x, x[0])", doubling);
  EXPECT_EQ(value_of(doubling, 500), "error: cost limit exceeded");
  EXPECT_EQ(value_of("o.count == 0 || o.text == 'x'", 2), "error: cost limit exceeded");
}

TEST(CelTest, TheCostLimitIsNotAbsorbed) {
  const std::string slow = "[1, 2, 3].all(a, texts.all(b, texts.all(c, a > 0)))";
  EXPECT_EQ(value_of(slow + " || true", 10), "error: cost limit exceeded");
  EXPECT_EQ(value_of("false && " + slow, 10), "false");
}

TEST(CelTest, DepthAndSizeAreLimitedBeforeTheStackIs) {
  for (const char bracket : {'(', '[', '-', '!'}) {
    const std::string deep(100'000, bracket);
    EXPECT_FALSE(parse(deep, {.max_bytes = 1'000'000}).has_value());
  }
  std::string sum = "1";
  for (int i = 0; i < 5'000; ++i) sum += "+1";
  const auto tall = parse(sum);
  ASSERT_FALSE(tall.has_value());
  EXPECT_EQ(tall.error().what, Problem::What::kTooLarge);
  std::string wide = "true";
  for (int i = 0; i < 5'000; ++i) wide += "||true";  // one node
  EXPECT_TRUE(parse(wide).has_value());
  EXPECT_FALSE(parse(std::string(70'000, ' ')).has_value());
}

TEST(CelTest, PrintGivesOneSpellingThatParsesToTheSameTree) {
  for (const auto& [source, printed] : std::initializer_list<std::pair<const char*, const char*>>{
           {"((a)&&(b&&c))||d", "a && b && c || d"},
           {"a && (b || c)", "a && (b || c)"},
           {"1-(2-3)", "1 - (2 - 3)"},
           {"(1-2)-3", "1 - 2 - 3"},
           {"-(1)", "-(1)"},
           {"-1", "-1"},
           {"- -x", "--x"},
           {"!(-x)", "!(-x)"},
           {"-(1).f()", "-(1.f())"},
           {"(a ? b : c) ? d : e", "(a ? b : c) ? d : e"},
           {"a ? b : c ? d : e", "a ? b : c ? d : e"},
           {"'it''s'.x", nullptr},
           {"\"\\u00e4\\n\\x01\"", "\"ä\\n\\x01\""},
           {"b'\\xff\"'", "b\"\\xff\\\"\""},
           {"1e3", "1000.0"},
           {"x.`a-b`.c", "x.`a-b`.c"},
           {"has(a.b) && a.map(x, x > 1, x)", "has(a.b) && a.map(x, x > 1, x)"},
           {"{1: 2,}[1]", "{1: 2}[1]"},
           {".a.b(c)", ".a.b(c)"},
           {"a in [b] == c", "a in [b] == c"}}) {
    const auto ast = parse(source);
    ASSERT_EQ(ast.has_value(), printed != nullptr) << source;
    if (!ast) continue;
    EXPECT_EQ(print(*ast, ast->root), printed);
    const auto again = parse(print(*ast, ast->root));
    ASSERT_TRUE(again.has_value()) << printed;
    EXPECT_TRUE(same(*ast, ast->root, *again, again->root)) << printed;
  }
}

TEST(CelTest, PatternsThatAreMadeAtEvaluationAreBounded) {
  EXPECT_EQ(value_of("'aab'.matches(texts[0] + '+b')"), "true");
  EXPECT_EQ(value_of("'aab'.matches(texts[0] + '(')"), "error: not a regular expression");
  EXPECT_EQ(value_of("'aab'.matches(texts[0] + '(')", 60), "error: cost limit exceeded");
  EXPECT_THAT(Regex::compile("(((a{100}){100}){100})"), HasCode(Code::kInvalidArgument));
}

TEST(CelTest, ValuesWithoutANumberKeepTheirOrder) {
  EXPECT_EQ(value_of("0.0 / 0.0 < 1.0"), "false");
  EXPECT_EQ(value_of("0.0 / 0.0 >= 1.0"), "false");
  EXPECT_EQ(value_of("!(0.0 / 0.0 == 0.0 / 0.0)"), "true");
}

// Instants against the C library, which is another implementation.
TEST(CelTimeTest, CalendarAgreesWithTheCLibrary) {
  std::mt19937_64 random(7);
  std::uniform_int_distribution<std::int64_t> pick(kMinTimestamp, kMaxTimestamp);
  for (int i = 0; i < 20'000; ++i) {
    const std::int64_t seconds = pick(random);
    const auto time = static_cast<std::time_t>(seconds);
    std::tm broken{};
    ASSERT_NE(::gmtime_r(&time, &broken), nullptr);
    const Civil civil = to_civil(seconds);
    ASSERT_EQ(civil.year, broken.tm_year + 1900);
    ASSERT_EQ(civil.month, broken.tm_mon + 1);
    ASSERT_EQ(civil.day, broken.tm_mday);
    ASSERT_EQ(civil.hour * 3600 + civil.minute * 60 + civil.second,
              broken.tm_hour * 3600 + broken.tm_min * 60 + broken.tm_sec);
    ASSERT_EQ(civil.weekday, broken.tm_wday);
    ASSERT_EQ(civil.year_day, broken.tm_yday);
    const auto again = parse_timestamp(format_timestamp({seconds, 0}));
    ASSERT_TRUE(again && again->seconds == seconds);
  }
}

TEST(CelTimeTest, TimesThatAreNoneAreRefused) {
  for (const char* text :
       {"", "2020-01-01", "2020-01-01T00:00:00", "2020-13-01T00:00:00Z", "2021-02-29T00:00:00Z",
        "2020-01-01T24:00:00Z", "2020-01-01T00:00:60Z", "2020-01-01T00:00:00.Z",
        "2020-01-01T00:00:00.1234567890Z", "2020-01-01T00:00:00+24:00", "2020-01-01T00:00:00Zx",
        "0000-12-31T23:59:59Z", "-001-01-01T00:00:00Z", "9999-12-31T23:59:59-00:01"}) {
    EXPECT_FALSE(parse_timestamp(text)) << text;
  }
  for (const char* text :
       {"", "-", "1", "1x", "s", ".s", "1h-1m", "1 s", "315576000001s", "--1s"}) {
    EXPECT_FALSE(parse_duration(text)) << text;
  }
  EXPECT_EQ(format_duration(*parse_duration("-1.5s")), "-1.5s");
  EXPECT_EQ(format_duration(*parse_duration("1h0m0.000000001s")), "3600.000000001s");
}

TEST(CelZoneTest, OffsetsAndZonesOfTheSystem) {
  EXPECT_EQ(fixed_offset("+05:45"), 20'700);
  EXPECT_EQ(fixed_offset("-02:30"), -9'000);
  EXPECT_FALSE(fixed_offset("5:45") || fixed_offset("+25:00") || fixed_offset("+0545"));
  if (!std::filesystem::exists("/usr/share/zoneinfo/Europe/Berlin")) GTEST_SKIP() << "no tzdata";
  Zones zones(real_file_system());
  const Zone* berlin = zones.find("Europe/Berlin");
  ASSERT_NE(berlin, nullptr);
  EXPECT_EQ(zones.find("Europe/Berlin"), berlin);
  EXPECT_EQ(berlin->offset_at(parse_timestamp("2020-07-01T00:00:00Z")->seconds), 7'200);
  EXPECT_EQ(berlin->offset_at(parse_timestamp("2100-07-01T00:00:00Z")->seconds), 7'200);
  EXPECT_EQ(berlin->offset_at(parse_timestamp("2100-01-01T00:00:00Z")->seconds), 3'600);
  EXPECT_EQ(zones.find("../../../etc/passwd"), nullptr);
  EXPECT_EQ(zones.find("/etc/passwd"), nullptr);
  EXPECT_EQ(zones.find("tzdata.zi"), nullptr);
  EXPECT_EQ(zones.find(""), nullptr);
}

}  // namespace
}  // namespace candor::cel
