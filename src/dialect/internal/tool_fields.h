// Tools, schemas and the conversation that calls them, as every dialect's parser reads them.
// Internal.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "dialect/internal/request_reader.h"

namespace candor::dialect {

inline constexpr std::size_t kMaxTools = 128;
inline constexpr std::size_t kMaxToolBytes = 512U << 10U;  // all schemas and descriptions together

// A schema at its place. Keywords that cannot be enforced are refused when strict, else dropped.
bool read_schema(RequestReader& reader, const json::Value& value, std::string_view name,
                 bool strict, Schema& schema, Exchange& out);

// One tool: name, description and the schema of its parameters are members of `from`.
struct ToolKeys {
  std::string_view place;       // "tools[].function"
  std::string_view parameters;  // "parameters"
};
bool read_tool(RequestReader& reader, const json::Object& from, const ToolKeys& keys,
               Exchange& out);
// As OpenAI chat and Ollama have them: {"type":"function","function":{...}}.
bool read_function_tools(RequestReader& reader, const json::Value& value, Exchange& out);
// A name of [A-Za-z0-9_.-], 1 to 128.
bool read_tool_name(RequestReader& reader, const json::Value* value, std::string_view place,
                    Text& name);
// Arguments given as text or as an object, in canonical form.
bool read_arguments(RequestReader& reader, const json::Value* value, std::string_view place,
                    Text& arguments);

// What ids of calls become: positions (docs/formats/transcript.md).
class CallIds {
 public:
  // The call that was just appended to messages.back().
  void add(const Exchange& out, std::string_view id);
  // For messages.back(), which answers the call of that id.
  bool answer(RequestReader& reader, std::string_view id, std::string_view place, Exchange& out);

 private:
  struct Known {
    std::string id;
    Message::CallPosition position;
  };
  std::vector<Known> known_;
};

// Puts a message before all others; calls that were read keep their places.
void insert_first(Message message, Exchange& out);

// Rules of the whole: choices that name tools, what cannot go together (B2).
bool check_tools(RequestReader& reader, Exchange& out);

}  // namespace candor::dialect
