// docs/dialects/*.md say what the code does: their tables are the code's tables. With
// CANDOR_WRITE_DOCUMENTS=1 in the environment the tables are written into the documents instead.
#include <cstdlib>
#include <set>

#include <gmock/gmock.h>

#include "dialect/answer_fields.h"
#include "dialect/schema.h"
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
std::string_view word(Origin origin) {
  switch (origin) {
    case Origin::kModel: return "model";
    case Origin::kEngine: return "engine";
    case Origin::kMonitor: return "Candor";
    case Origin::kRequest: return "request";
    case Origin::kConstant: return "constant";
  }
  return "";
}
std::string_view word(KeywordAction action) {
  switch (action) {
    case KeywordAction::kEnforce: return "enforced";
    case KeywordAction::kDescribe: return "shown to the model";
    case KeywordAction::kIgnore: return "no constraint, not passed on";
    case KeywordAction::kCannot: return "cannot be enforced";
  }
  return "";
}

std::string row(std::string_view name, std::string_view what, std::string_view note) {
  std::string out = "| `" + std::string(name) + "` | " + std::string(what) + " | ";
  out += note;
  return out + (note.empty() ? "|\n" : " |\n");
}

std::string request_table(Api api) {
  std::string out = "| field | | |\n| --- | --- | --- |\n";
  for (const FieldRule& rule : dialect_of(api).fields(api)) {
    out += row(rule.name, word(rule.action), rule.note);
  }
  return out;
}
std::string answer_table(Api api) {
  std::string out = "| field of the answer | from | |\n| --- | --- | --- |\n";
  for (const AnswerField& field : answer_fields(api)) {
    out += row(field.name, word(field.origin), field.note);
  }
  return out;
}
std::string keyword_table() {
  std::string out = "| keyword | | |\n| --- | --- | --- |\n";
  for (const KeywordRule& rule : schema_keywords()) {
    out += row(rule.name, word(rule.action), rule.note);
  }
  return out;
}

// The table that begins at a line starting with `head`, after the heading.
void hold(const std::string& file, const std::string& heading, const std::string& table) {
  const std::filesystem::path path = testing::module_folder() / "../../docs/dialects" / file;
  std::string document = testing::file_text(path);
  const std::size_t section = document.find(heading + "\n");
  ASSERT_NE(section, std::string::npos) << file << " must have the heading " << heading;
  const std::string head = table.substr(0, table.find('\n') + 1);
  const std::size_t begin = document.find(head, section);
  ASSERT_NE(begin, std::string::npos) << file << " must hold after " << heading << "\n" << table;
  std::size_t end = begin;
  while (end < document.size() && document[end] == '|') end = document.find('\n', end) + 1;
  if (std::getenv("CANDOR_WRITE_DOCUMENTS") != nullptr) {
    document.replace(begin, end - begin, table);
    std::ofstream(path, std::ios::binary) << document;
    return;
  }
  EXPECT_EQ(document.substr(begin, end - begin), table) << file << ": " << heading;
}

TEST(DialectsDocumentTest, B3_ShowsEachTableAsTheCodeHasIt) {
  for (const Dialect* dialect : dialects()) {
    const std::string file = std::string(dialect->name()) + ".md";
    for (const Route& route : dialect->routes()) {
      const std::string heading =
          "## `" + std::string(route.method) + " " + std::string(route.path) + "`";
      hold(file, heading, request_table(route.api));
      hold(file, heading, answer_table(route.api));
    }
  }
  hold("schemas.md", "# JSON Schemas", keyword_table());
}

TEST(DialectsDocumentTest, NoFieldStandsTwiceInATable) {
  for (const Dialect* dialect : dialects()) {
    for (const Route& route : dialect->routes()) {
      std::vector<std::string_view> names;
      for (const FieldRule& rule : dialect->fields(route.api)) names.push_back(rule.name);
      std::ranges::sort(names);
      EXPECT_EQ(std::ranges::adjacent_find(names), names.end());
      names.clear();
      for (const AnswerField& field : answer_fields(route.api)) names.push_back(field.name);
      std::ranges::sort(names);
      EXPECT_EQ(std::ranges::adjacent_find(names), names.end());
    }
  }
}

// --- what the writers write ---

void collect(const json::Value& value, const std::string& path, std::set<std::string>& out) {
  if (const auto* object = value.if_object(); object != nullptr && !object->empty()) {
    for (const auto& member : *object) {
      collect(member.value(), path + (path.empty() ? "" : ".") + std::string(member.key()), out);
    }
  } else if (const auto* array = value.if_array(); array != nullptr && !array->empty()) {
    for (const json::Value& item : *array) collect(item, path + "[]", out);
  } else {
    out.insert(path);
  }
}

TokenLogprob sample_token() {
  TokenLogprob token;
  token.token = token.bytes = Text("a");
  token.logprob = -0.5F;
  token.top.push_back({Text("b"), Text("b"), -1.0F});
  return token;
}

// Every field that answers of this API can have.
std::set<std::string> written(Api api) {
  std::set<std::string> out;
  const FinishReason reasons[] = {FinishReason::kStop, FinishReason::kLength, FinishReason::kError};
  for (int variant = 0; variant < 24; ++variant) {
    WriterOptions options;
    options.api = api;
    options.exchange = "00112233445566778899aabbccddeeff";
    options.model = "m";
    options.stream = variant % 2 == 0;
    options.include_usage = variant % 4 < 2;
    options.base64 = variant % 4 < 2;
    options.logprobs = variant % 8 < 4;
    if (api == Api::kOpenAiResponses) {
      auto request = dialect_of(api).parse_request(
          api,
          variant % 4 < 2
              ? R"({"model":"m","input":"x"})"
              : R"({"model":"m","input":"x","tool_choice":{"type":"function","name":"f"},"tools":[
                    {"type":"function","name":"f","parameters":{"type":"object","properties":{}}}]})",
          {});
      EXPECT_TRUE(request);
      request->stream = options.stream;
      request->parameters.logprobs = options.logprobs;
      options = writer_options(*request, options.exchange, "m", 1);
    }
    const auto writer = dialect_of(api).make_writer(options);
    std::string bytes;
    const std::vector<TokenLogprob> tokens =
        options.logprobs ? std::vector{sample_token()} : std::vector<TokenLogprob>();
    writer->write(AnswerStart{}, bytes);
    writer->write(EmbeddingResult{Embedding(std::vector<float>{1, 2})}, bytes);
    writer->write(TokenCount{3}, bytes);
    writer->write(ReasoningDelta{0, Text("r")}, bytes);
    writer->write(TextDelta{0, Text("t"), tokens}, bytes);
    writer->write(RefusalDelta{0, Text("n")}, bytes);
    writer->write(ToolCallDelta{0, 0, Text("f"), Text(R"({"a":1})")}, bytes);
    if (variant % 3 == 0) writer->write(ToolCallDelta{0, 1, Text("g"), Text("{}")}, bytes);
    writer->write(Finish{0, reasons[variant % 3], std::nullopt}, bytes);
    writer->write(UsageReport{{3, 2, 1}}, bytes);
    writer->finish({.exchange = options.exchange, .receipt = "r"}, bytes);
    for (const std::string& event : testing::events_of(bytes)) {
      const auto value = json::parse(event);
      EXPECT_TRUE(value) << event;
      if (value) collect(*value, "", out);
    }
  }
  return out;
}

bool covers(std::string_view name, std::string_view path) {
  if (!name.ends_with(".*")) return name == path;
  name.remove_suffix(1);  // the dot stays
  return path.starts_with(name);
}

TEST(DialectsDocumentTest, B3_EveryFieldOfAnAnswerHasItsOriginAndNoneIsInvented) {
  for (const Dialect* dialect : dialects()) {
    for (const Route& route : dialect->routes()) {
      const std::set<std::string> paths = written(route.api);
      const auto fields = answer_fields(route.api);
      for (const std::string& path : paths) {
        EXPECT_TRUE(std::ranges::any_of(
            fields, [&](const AnswerField& field) { return covers(field.name, path); }))
            << to_string(route.api) << " writes " << path;
      }
      for (const AnswerField& field : fields) {
        EXPECT_TRUE(std::ranges::any_of(
            paths, [&](const std::string& path) { return covers(field.name, path); }))
            << to_string(route.api) << " never writes " << field.name;
      }
    }
  }
}

}  // namespace
}  // namespace candor::dialect
