// The Common Expression Language against google/cel-spec's own cases (C18), in the JSON lines of
// the shared data's vectors/cel-spec, or of whatever folder CANDOR_DATA has there. Prints how many
// passed, and each exclusion with its reason; nothing inside the documented subset may fail.
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <map>
#include <set>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "base/bytes.h"
#include "cel/program.h"
#include "cel/time.h"
#include "json/json.h"

namespace candor::policy {
namespace {

namespace fs = std::filesystem;
using cel::Kind;
using cel::TypeKind;
using cel::Value;

// What a case is excluded for. Each is named in docs/policy-language.md.
struct Excluded {
  std::string reason;
};

std::string text_of(const json::Object& object, std::string_view key) {
  const json::Value* found = json::find(object, key);
  if (found == nullptr || !found->is_string()) return {};
  return std::string(found->get_string());
}

bool flag(const json::Object& object, std::string_view key) {
  const json::Value* found = json::find(object, key);
  return found != nullptr && found->is_bool() && found->get_bool();
}

double number_of(const json::Value& value) {
  if (value.is_double()) return value.get_double();
  if (value.is_int64()) return static_cast<double>(value.get_int64());
  if (value.is_uint64()) return static_cast<double>(value.get_uint64());
  const std::string text(value.get_string());
  if (text == "NaN") return std::nan("");
  if (text == "Infinity") return INFINITY;
  return text == "-Infinity" ? -INFINITY : std::stod(text);
}

// A value in proto3 JSON (google.api.expr.v1alpha1.Value).
Value value_of(const json::Object& object, cel::Arena& arena) {
  const auto& [key, inner] = *object.begin();
  const std::string kind(key.data(), key.size());
  if (kind == "nullValue") return Value::null();
  if (kind == "boolValue") return Value::boolean(inner.get_bool());
  if (kind == "int64Value") return Value::of_int(std::stoll(std::string(inner.get_string())));
  if (kind == "uint64Value") return Value::of_uint(std::stoull(std::string(inner.get_string())));
  if (kind == "doubleValue") return Value::of_double(number_of(inner));
  if (kind == "stringValue") {
    return Value::of_text(arena.copy({inner.get_string().data(), inner.get_string().size()}));
  }
  if (kind == "bytesValue") {
    const auto bytes = from_base64({inner.get_string().data(), inner.get_string().size()});
    return Value::of_text(arena.copy(as_text(bytes.value())), Kind::kBytes);
  }
  if (kind == "typeValue") {
    return Value::of_text(arena.copy({inner.get_string().data(), inner.get_string().size()}),
                          Kind::kType);
  }
  if (kind == "listValue") {
    const json::Value* values = json::find(inner.get_object(), "values");
    if (values == nullptr) return Value::list({});
    const auto items = arena.values(values->get_array().size());
    for (std::size_t i = 0; i < items.size(); ++i) {
      items[i] = value_of(values->get_array()[i].get_object(), arena);
    }
    return Value::list(items);
  }
  if (kind == "mapValue") {
    const json::Value* values = json::find(inner.get_object(), "entries");
    if (values == nullptr) return Value::map({});
    const auto entries = arena.entries(values->get_array().size());
    for (std::size_t i = 0; i < entries.size(); ++i) {
      const json::Object& entry = values->get_array()[i].get_object();
      entries[i] = {value_of(entry.at("key").get_object(), arena),
                    value_of(entry.at("value").get_object(), arena)};
    }
    return Value::map(entries);
  }
  if (kind == "objectValue") {
    const std::string type = text_of(inner.get_object(), "@type");
    const std::string text = text_of(inner.get_object(), "value");
    if (type.ends_with("google.protobuf.Timestamp")) {
      if (const auto time = cel::parse_timestamp(text)) {
        return Value::of_time(Kind::kTimestamp, time->seconds, time->nanos);
      }
    }
    if (type.ends_with("google.protobuf.Duration")) {
      if (const auto length = cel::parse_duration(text)) {
        return Value::of_time(Kind::kDuration, length->seconds, length->nanos);
      }
    }
    throw Excluded{"protobuf message"};
  }
  throw Excluded{"a value of kind " + kind};
}

cel::TypeId type_of(const json::Object& object, cel::Environment& env) {
  const auto& [key, inner] = *object.begin();
  const std::string kind(key.data(), key.size());
  static const std::map<std::string, TypeKind> kSimple{
      {"BOOL", TypeKind::kBool},           {"INT64", TypeKind::kInt},
      {"UINT64", TypeKind::kUint},         {"DOUBLE", TypeKind::kDouble},
      {"STRING", TypeKind::kString},       {"BYTES", TypeKind::kBytes},
      {"TIMESTAMP", TypeKind::kTimestamp}, {"DURATION", TypeKind::kDuration}};
  if (kind == "dyn" || (kind == "wellKnown" && inner.is_string() && inner.get_string() == "ANY")) {
    return cel::Types::simple(TypeKind::kDyn);
  }
  if (kind == "null") return cel::Types::simple(TypeKind::kNull);
  if ((kind == "primitive" || kind == "wellKnown") && inner.is_string()) {
    const auto known = kSimple.find(std::string(inner.get_string()));
    if (known != kSimple.end()) return cel::Types::simple(known->second);
  }
  if (kind == "listType") {
    const json::Value* items = json::find(inner.get_object(), "elemType");
    return env.types.list(items == nullptr ? cel::Types::simple(TypeKind::kDyn)
                                           : type_of(items->get_object(), env));
  }
  if (kind == "mapType") {
    const cel::TypeId keys = type_of(inner.get_object().at("keyType").get_object(), env);
    return env.types.map(keys, type_of(inner.get_object().at("valueType").get_object(), env));
  }
  if (kind == "messageType") {
    const std::string name(inner.get_string());
    if (name == "google.protobuf.Timestamp") return cel::Types::simple(TypeKind::kTimestamp);
    if (name == "google.protobuf.Duration") return cel::Types::simple(TypeKind::kDuration);
    throw Excluded{"protobuf message"};
  }
  throw Excluded{"protobuf type " + kind};
}

// Equality in which NaN is NaN, and int is not double.
bool identical(const Value& a, const Value& b) {
  if (a.kind != b.kind) return false;
  if (a.is(Kind::kDouble)) {
    return (std::isnan(a.real) && std::isnan(b.real)) || a.real == b.real;
  }
  if (a.is(Kind::kList)) {
    return std::ranges::equal(a.list_items(), b.list_items(), identical);
  }
  if (a.is(Kind::kMap)) {
    return a.size == b.size && std::ranges::all_of(a.map_entries(), [&](const cel::Entry& mine) {
             return std::ranges::any_of(b.map_entries(), [&](const cel::Entry& theirs) {
               return identical(mine.key, theirs.key) && identical(mine.value, theirs.value);
             });
           });
  }
  std::uint64_t cost = 0;
  return cel::equal(a, b, cost);
}

class Case {
 public:
  explicit Case(const json::Object& object, cel::Zones& zones) : case_(object), zones_(zones) {}

  // Empty: it holds. Throws Excluded.
  std::string failure() {
    static const std::set<std::string> kKnown{
        "section", "name", "description", "expr",         "bindings",  "typeEnv",
        "value",   "file", "evalError",   "disableCheck", "container", "anyEvalErrors"};
    for (const auto& [key, unused] : case_) {
      if (!kKnown.contains(std::string(key.data(), key.size()))) {
        throw Excluded{fmt::format("the case needs {}", std::string_view(key.data(), key.size()))};
      }
    }
    declare();
    cel::CompileOptions options{.zones = &zones_};
    if (flag(case_, "disableCheck")) options.checking = cel::Checking::kDynamic;
    const auto program = cel::compile(env_, text_of(case_, "expr"), options);
    const bool wants_error = case_.contains("evalError") || case_.contains("anyEvalErrors");
    if (!program) {
      const cel::Problem& problem = program.error().front();
      exclude_if_outside(problem);
      return fmt::format("not accepted: {}", problem.message);
    }
    cel::Arena arena;
    const cel::Outcome outcome = program->evaluate(slots_, {.max_cost = 100'000}, arena);
    if (wants_error) {
      return outcome.value.is_error() ? "" : "an error is wanted, not " + to_text(outcome.value);
    }
    const json::Value* value = json::find(case_, "value");
    const Value wanted =
        value == nullptr ? Value::boolean(true) : value_of(value->get_object(), arena);
    if (identical(outcome.value, wanted)) return {};
    return fmt::format("{} is wanted, not {}", to_text(wanted), to_text(outcome.value));
  }

 private:
  void bind(const std::string& name, cel::TypeId type, Value value) {
    env_.add_variable(name, type);
    slots_.push_back(value);
  }

  void declare() {
    env_.container = text_of(case_, "container");
    std::map<std::string, Value> values;
    if (const json::Value* bindings = json::find(case_, "bindings")) {
      for (const auto& [name, binding] : bindings->get_object()) {
        values[std::string(name.data(), name.size())] =
            value_of(binding.get_object().at("value").get_object(), arena_);
      }
    }
    if (const json::Value* types = json::find(case_, "typeEnv")) {
      for (const json::Value& declared : types->get_array()) {
        const json::Object& one = declared.get_object();
        if (!one.contains("ident")) throw Excluded{"a function declared by the case"};
        const std::string name = text_of(one, "name");
        const auto bound = values.find(name);
        bind(name, type_of(one.at("ident").get_object().at("type").get_object(), env_),
             bound == values.end() ? Value::error(cel::Fault::kNoName, 0) : bound->second);
        values.erase(name);
      }
    }
    for (const auto& [name, value] : values) bind(name, cel::Types::simple(TypeKind::kDyn), value);
  }

  static void exclude_if_outside(const cel::Problem& problem) {
    using What = cel::Problem::What;
    if (problem.what == What::kOutsideSubset) throw Excluded{problem.message};
    if (problem.what == What::kUnknownFunction && problem.message.starts_with("there is no")) {
      throw Excluded{"a function of an extension: " + problem.message.substr(24)};
    }
  }

  const json::Object& case_;
  cel::Zones& zones_;
  cel::Environment env_;
  cel::Arena arena_;
  std::vector<Value> slots_;
};

// Two cases want a backslash that their literal does not hold; their twins among the string
// literals do not, nor does cel-go answer it (testdata/cel/answers.jsonl, the last line).
bool contradicts_itself(const json::Object& one) {
  return text_of(one, "section") == "bytes_literals" &&
         text_of(one, "name").ends_with("_unescaped_punctuation") &&
         text_of(one, "expr").find("\\?") == std::string::npos &&
         text_of(one.at("value").get_object(), "bytesValue") == "IFw/ICIgJyBgIA==";
}

struct Tally {
  std::size_t passed = 0;
  std::map<std::string, std::size_t> excluded;
  std::vector<std::string> failed;
};

void run_file(const fs::path& file, cel::Zones& zones, Tally& tally) {
  std::ifstream in(file);
  for (std::string line; std::getline(in, line);) {
    if (line.find_first_not_of(" \t\r") == std::string::npos) continue;
    const auto parsed = json::parse(line);
    ASSERT_TRUE(parsed.has_value()) << file << ": " << parsed.error().message();
    const json::Object& one = parsed->get_object();
    try {
      if (contradicts_itself(one)) throw Excluded{"the case contradicts itself"};
      const std::string failure = Case(one, zones).failure();
      if (failure.empty()) {
        ++tally.passed;
      } else {
        tally.failed.push_back(fmt::format("{} {}/{}: {}\n    {}", file.filename().string(),
                                           text_of(one, "section"), text_of(one, "name"),
                                           text_of(one, "expr"), failure));
      }
    } catch (const Excluded& reason) {
      ++tally.excluded[reason.reason];
    }
  }
}

Tally run_folder(const fs::path& folder) {
  cel::Zones zones(real_file_system());
  std::set<fs::path> files;
  for (const auto& entry : fs::directory_iterator(folder)) {
    if (entry.path().extension() == ".jsonl") files.insert(entry.path());
  }
  Tally tally;
  for (const fs::path& file : files) run_file(file, zones, tally);
  std::size_t excluded = 0;
  for (const auto& [reason, count] : tally.excluded) excluded += count;
  std::cout << fmt::format("cel-spec: {} passed, {} excluded, {} failed\n", tally.passed, excluded,
                           tally.failed.size());
  for (const auto& [reason, count] : tally.excluded) {
    std::cout << fmt::format("  excluded {:3}: {}\n", count, reason);
  }
  for (const std::string& failure : tally.failed) ADD_FAILURE() << failure;
  return tally;
}

TEST(CelConformanceTest, C18_NothingOfTheSpecificationsCasesInsideTheSubsetFails) {
  const char* set = std::getenv("CANDOR_DATA");
  const fs::path data =
      set != nullptr ? fs::path(set) : fs::path(CANDOR_SOURCE_DIR) / ".." / "shared" / "data";
  const fs::path folder = data / "vectors" / "cel-spec";
  if (!fs::exists(folder))
    GTEST_SKIP() << folder << " is absent (CANDOR_DATA names its data folder)";
  const Tally tally = run_folder(folder);
  EXPECT_GT(tally.passed, 0U);
  EXPECT_TRUE(tally.failed.empty());
}

TEST(CelConformanceTest, C18_NothingOfTheProjectsOwnCasesFails) {
  const Tally tally = run_folder(fs::path(POLICY_TESTDATA) / "cel");
  EXPECT_GT(tally.passed, 100U);
  EXPECT_TRUE(tally.excluded.empty());
}

}  // namespace
}  // namespace candor::policy
