// Requests out of a fuzzer's bytes: an API, fields of its own table with lawful values, unknown
// fields that hold a canary; and sometimes, on purpose, something broken in the structure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <fuzzer/FuzzedDataProvider.h>

#include "dialect/dialect.h"
#include "json/json.h"

namespace candor::dialect::testing {

// Stands in fields that have no effect. Neither an engine nor an answer may ever show it.
inline constexpr std::string_view kCanary = "QQcanaryQQ";

// What must hold between the fields of a lawful request. Chosen first.
struct RequestPlan {
  bool stream = false;
  bool logprobs = false;
  bool raw = false;  // Ollama's prompts without a template
  std::size_t tools = 0;
  ToolChoice::Mode choice = ToolChoice::Mode::kAuto;
  ResponseFormat::Kind format = ResponseFormat::Kind::kText;
};

class RequestMaker {
 public:
  explicit RequestMaker(FuzzedDataProvider& data) : data_(data) {}

  // A lawful request, as a tree. CANDOR_CHECK: every honoured field of the table is known here.
  [[nodiscard]] json::Object lawful(Api api);
  // Breaks it in one to three places.
  void break_structure(json::Object& body);
  // Breaks its text: cut, overwritten, a key twice.
  void break_text(std::string& body);
  // The same values in another spelling: white space, escapes, numbers, order of the fields.
  [[nodiscard]] std::string spelled(const json::Object& body);

 private:
  struct Call {
    std::string id = {}, name = {};
    json::Value arguments = {};
  };
  struct Turn {
    Role role = Role::kUser;
    std::string text = {};
    std::vector<Call> calls = {};
    std::string answers = {};       // id, role tool
    std::string answers_name = {};  // its call's name
  };

  // One in n; never when the bytes are used up.
  bool chance(std::uint32_t n) { return data_.ConsumeIntegralInRange<std::uint32_t>(1, n) == n; }
  std::string text();
  std::string filled_text();  // never empty
  json::Value fraction(int least, int most);
  json::Value any(int depth);
  json::Value schema(int depth, bool object);
  json::Object function(std::size_t index, std::string_view key);
  json::Value tools(Api api);
  json::Value tool_choice(Api api);
  json::Value response_format(Api api);
  json::Value stops(bool as_list);
  json::Value texts(std::size_t most);
  json::Value options();
  json::Value thinking();

  std::vector<Turn> conversation();
  json::Value parts(const std::string& text, std::string_view type);
  json::Array openai_messages();
  json::Array response_items();
  json::Array anthropic_messages();
  json::Array ollama_messages();
  // nullptr value: leave it out this time.
  json::Value value_of(Api api, std::string_view name);

  void break_value(json::Value& value);
  json::Value* somewhere(json::Value& root);
  void spell(std::string& out, const json::Value& value);
  void spell_string(std::string& out, std::string_view text);
  void space(std::string& out);

  FuzzedDataProvider& data_;
  RequestPlan plan_;
  std::uint32_t spaces_ = 0, escapes_ = 0;  // one in so many; 0: none
};

}  // namespace candor::dialect::testing
