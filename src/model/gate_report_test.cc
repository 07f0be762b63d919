#include "model/gate_report.h"

#include <algorithm>

#include <gtest/gtest.h>

#include "base/testing/result_matchers.h"

namespace candor::model {
namespace {

GateReport sample() {
  GateReport report;
  report.format = "gguf";
  report.file_bytes = 1'234;
  report.architecture = "llama";
  report.licence = "apache-2.0";
  report.languages = {"en", "de"};
  GateFindings findings(report);
  findings.add("gguf.no-tensors", {});
  findings.add("gguf.tensor-overlap", {.offset = 99, .name = "blk.0.attn_q.weight"}, "shares 32");
  findings.add("template.condition", {.name = "tokenizer.chat_template", .line = 3, .column = 7});
  findings.finish();
  return report;
}

TEST(GateReportTest, RulesAreSortedUniqueAndSayWhatToDo) {
  const auto& rules = gate_rules();
  for (std::size_t i = 1; i < rules.size(); ++i) EXPECT_LT(rules[i - 1].id, rules[i].id);
  for (const GateRule& rule : rules) {
    EXPECT_FALSE(rule.meaning.empty() || rule.remedy.empty()) << rule.id;
    EXPECT_EQ(find_gate_rule(rule.id), &rule);
  }
  EXPECT_EQ(find_gate_rule("gguf.nothing"), nullptr);
}

TEST(GateReportTest, WorstComesFirstAndRefuses) {
  const GateReport report = sample();
  EXPECT_FALSE(report.passes());
  EXPECT_EQ(report.findings.front().id, "gguf.tensor-overlap");
  EXPECT_EQ(report.worst()->id, "gguf.tensor-overlap");
  EXPECT_EQ(describe(report.findings.front()),
            "error gguf.tensor-overlap: Two tensors share bytes. ['blk.0.attn_q.weight', byte 99]: "
            "shares 32");
}

TEST(GateReportTest, ReadsBackFromItsJson) {
  const auto text = to_json(sample());
  ASSERT_OK(text);
  const auto again = gate_report_from_json(*text);
  ASSERT_OK(again);
  EXPECT_EQ(*again, sample());
}

TEST(GateReportTest, AHostileLineIsRefused) {
  const std::string text = *to_json(sample());
  const auto changed = [&text](std::string_view from, std::string_view to) {
    std::string out = text;
    const std::size_t at = out.find(from);
    EXPECT_NE(at, std::string::npos) << from;
    return out.replace(at, from.size(), to);
  };
  for (const std::string& line :
       {std::string("{}"), text + " ", changed("\"verdict\":\"fail\"", "\"verdict\":\"pass\""),
        changed("\"severity\":\"error\"", "\"severity\":\"note\""),
        changed("gguf.tensor-overlap", "gguf.tensor-fiction"),
        changed("Two tensors share bytes.", "All is well."), changed("shares 32", "\\u001b[2J"),
        changed("\"format\":\"gguf\"", "\"format\":\"exe\""),
        changed("\"offset\":99", "\"offset\":-1"), changed("\"line\":3", "\"line\":0"),
        changed("candor.gate/1", "candor.gate/2")}) {
    EXPECT_THAT(gate_report_from_json(line), HasCode(Code::kInvalidArgument)) << line;
  }
  EXPECT_FALSE(gate_report_from_json(std::string(kMaxGateReportBytes + 1, ' ')).has_value());
}

TEST(GateReportTest, AFloodOfFindingsIsBoundedAndKeepsTheWorst) {
  GateReport report;
  report.format = "gguf";
  GateFindings findings(report);
  for (int i = 0; i < 5'000; ++i) {
    findings.add("gguf.key-style", {.name = std::string(1'000, 'k')}, std::string(1'000, '\x01'));
  }
  findings.add("gguf.truncated", {.offset = ~0ULL});
  findings.finish();
  EXPECT_EQ(report.findings.size(), kMaxGateFindings);
  EXPECT_EQ(report.withheld, 5'001 - kMaxGateFindings);
  EXPECT_EQ(report.findings.front().id, "gguf.truncated");
  EXPECT_FALSE(report.passes());
  const auto text = to_json(report);
  ASSERT_OK(text);
  ASSERT_OK(gate_report_from_json(*text));
}

}  // namespace
}  // namespace candor::model
