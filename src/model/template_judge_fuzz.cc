// Whatever a template holds, judging it ends with a report within its bounds, and a template that
// is no Jinja does not pass.
#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "model/gate.h"
#include "model/gate/template_lexer.h"
#include "model/gate/template_tree.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace candor;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  model::GateReport report;
  report.format = "template";
  model::GateFindings findings(report);
  model::judge_template(text, "tokenizer.chat_template", "SmolLM2", {}, findings);
  findings.finish();
  const auto line = model::to_json(report);
  CANDOR_CHECK(line.has_value() && model::gate_report_from_json(*line).has_value());
  const auto lexed = model::gate::lex_template(text, 65'536);
  const bool follows =
      lexed.error.empty() && model::gate::parse_template(lexed.tokens, 64).error.empty();
  CANDOR_CHECK(follows || !report.passes());
  return 0;
}
