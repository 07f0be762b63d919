// Property: a schema is refused, or what is made of it is JSON within the bounds that gives itself
// when it is bounded again, and so does the schema of forced calls that holds it.
#include <cstdint>

#include "base/check.h"
#include "base/text.h"
#include "dialect/schema.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace candor;
  const auto value = json::parse({reinterpret_cast<const char*>(data), size});
  if (!value) return 0;
  const auto bounded = dialect::bound_schema(*value, /*strict=*/false);
  const auto strict = dialect::bound_schema(*value, /*strict=*/true);
  if (!bounded) {
    CANDOR_CHECK(!strict && !bounded.error().message.empty());
    return 0;
  }
  CANDOR_CHECK(strict.has_value() == bounded->not_enforced.empty());
  const std::string& text = bounded->schema.enforced.reveal();
  CANDOR_CHECK(text.size() <= dialect::SchemaLimits().max_bytes && is_utf8(text));
  const auto again = json::parse(text);
  CANDOR_CHECK(again.has_value());
  const auto twice = dialect::bound_schema(*again, /*strict=*/true);
  CANDOR_CHECK(twice.has_value() && twice->schema.enforced.reveal() == text);
  if (!text.starts_with(R"({"type":"object")")) return 0;
  dialect::Exchange exchange;
  for (const char* name : {"f", "g"}) {
    dialect::Tool tool;
    tool.name = dialect::Text(name);
    tool.parameters = bounded->schema;
    exchange.tools.push_back(std::move(tool));
  }
  exchange.tool_choice.mode = dialect::ToolChoice::Mode::kRequired;
  exchange.parameters.parallel_calls = true;
  CANDOR_CHECK(json::parse(dialect::forced_calls_schema(exchange)).has_value());
  return 0;
}
