#include "dialect/saved.h"

#include <cmath>
#include <cstring>
#include <vector>

#include "base/bytes.h"
#include "base/check.h"
#include "dialect/internal/dialects.h"
#include "dialect/internal/request_reader.h"
#include "dialect/internal/saved_parts.h"

namespace candor::dialect {
namespace {

constexpr std::size_t kMaxSavedBytes = 256U << 20U;

json::Limits saved_limits() {
  json::Limits limits;
  limits.max_bytes = kMaxSavedBytes;
  return limits;
}

// A saved request was lawful for some server: its limits are not known here, only bounds.
ParseOptions lenient() {
  ParseOptions options;
  options.limits.max_body_bytes = 64U << 20U;
  options.limits.max_messages = 1U << 20U;
  options.limits.max_parts = 1U << 20U;
  options.limits.max_text_bytes = 64U << 20U;
  options.limits.max_model_name = 4096;
  options.limits.max_tokens = 1U << 31U;
  options.limits.max_stops = 4096;
  options.limits.max_stop_bytes = 65'536;
  options.limits.max_choices = 128;
  options.limits.max_prompts = 128;
  options.limits.max_inputs = 1U << 20U;
  return options;
}

std::string_view without_bom(std::string_view bytes) {
  if (bytes.starts_with("\xEF\xBB\xBF")) bytes.remove_prefix(3);
  return bytes;
}

bool is_space(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

// Lines end with LF, CRLF or CR.
std::string_view take_line(std::string_view& rest) {
  const std::size_t end = rest.find_first_of("\r\n");
  if (end == std::string_view::npos) return std::exchange(rest, {});
  const std::string_view line = rest.substr(0, end);
  const bool crlf = rest[end] == '\r' && end + 1 < rest.size() && rest[end + 1] == '\n';
  rest.remove_prefix(end + (crlf ? 2 : 1));
  return line;
}

Result<void> add_object(std::string_view text, std::vector<json::Value>& out) {
  json::Value value = TRY(json::parse(text, saved_limits()));
  if (!value.is_object()) return fail(Code::kInvalidArgument, "an event is not a JSON object");
  out.push_back(std::move(value));
  return {};
}

// WHATWG HTML section 9.2.6, `data` only.
Result<std::vector<json::Value>> read_sse(std::string_view rest) {
  std::vector<json::Value> out;
  std::string data;
  bool has_data = false;
  const auto dispatch = [&]() -> Result<bool> {  // false: the end of the stream
    if (!has_data) return true;
    has_data = false;
    if (data == "[DONE]") return false;
    TRY(add_object(data, out));
    data.clear();
    return true;
  };
  while (!rest.empty()) {
    const std::string_view line = take_line(rest);
    if (line.empty()) {
      if (!TRY(dispatch())) return out;
      continue;
    }
    if (!line.starts_with("data")) continue;
    std::string_view value = line.substr(4);
    if (!value.empty() && value[0] != ':') continue;
    if (!value.empty()) value.remove_prefix(1);
    if (value.starts_with(' ')) value.remove_prefix(1);
    if (has_data) data += '\n';
    data += value;
    has_data = true;
  }
  TRY(dispatch());  // a file may have lost its last blank line
  return out;
}

Result<std::vector<json::Value>> read_lines(std::string_view rest) {
  std::vector<json::Value> out;
  while (!rest.empty()) {
    const std::string_view line = take_line(rest);
    if (line.find_first_not_of(" \t") == std::string_view::npos) continue;
    TRY(add_object(line, out));
  }
  return out;
}

Result<std::vector<json::Value>> read_objects(std::string_view bytes) {
  std::size_t start = 0;
  while (start < bytes.size() && is_space(bytes[start])) ++start;
  if (start == bytes.size()) return fail(Code::kInvalidArgument, "the response file is empty");
  if (bytes[start] != '{' && bytes[start] != '[') return read_sse(bytes);
  Result<json::Value> whole = json::parse(bytes, saved_limits());
  if (!whole) {
    if (bytes[start] != '{') return std::unexpected(std::move(whole).error());
    // Several objects, one a line; if that fails too, the first error is the better one.
    Result<std::vector<json::Value>> lines = read_lines(bytes);
    if (!lines || lines->size() < 2) return std::unexpected(std::move(whole).error());
    return lines;
  }
  std::vector<json::Value> out;
  if (!whole->is_array()) {
    out.push_back(*std::move(whole));
    return out;
  }
  for (json::Value& item : whole->get_array()) {
    if (!item.is_object()) return fail(Code::kInvalidArgument, "an event is not a JSON object");
    out.push_back(std::move(item));
  }
  return out;
}

}  // namespace

bool read_saved_vector(const json::Value& value, Answer& answer) {
  std::vector<float> numbers;
  if (const auto* text = value.if_string()) {
    const auto bytes = from_base64({text->data(), text->size()});
    if (!bytes || bytes->size() % sizeof(float) != 0) return false;
    numbers.resize(bytes->size() / sizeof(float));
    std::memcpy(numbers.data(), bytes->data(), bytes->size());
  } else if (const json::Array* list = value.if_array()) {
    for (const json::Value& item : *list) {
      if (const auto* real = item.if_double()) {
        if (!(std::abs(*real) < 1e30)) return false;
        numbers.push_back(static_cast<float>(*real));
      } else if (const auto* whole = item.if_int64()) {
        numbers.push_back(static_cast<float>(*whole));
      } else {
        return false;
      }
    }
  } else {
    return false;
  }
  answer.embeddings.emplace_back(std::move(numbers));
  return true;
}

namespace {

std::vector<Api> likely_apis(std::string_view bytes) {
  const Result<json::Value> value = json::parse(bytes, saved_limits());
  const json::Object* object = value ? value->if_object() : nullptr;
  if (object == nullptr) return {Api::kOpenAiChat};
  if (present(*object, "messages") == nullptr) {
    if (present(*object, "prompt") != nullptr) {
      return {Api::kOpenAiCompletions, Api::kOllamaGenerate};
    }
    if (present(*object, "input") != nullptr) {
      return {Api::kOpenAiEmbeddings, Api::kOpenAiResponses, Api::kOllamaEmbed};
    }
  }
  for (const std::string_view key : {"system", "stop_sequences", "thinking"}) {
    if (present(*object, key) != nullptr) return {Api::kAnthropicMessages, Api::kOpenAiChat};
  }
  return {Api::kOpenAiChat, Api::kAnthropicMessages, Api::kOllamaChat};
}

}  // namespace

Result<Exchange> read_saved_request(std::string_view bytes, std::optional<Api> api) {
  bytes = without_bom(bytes);
  const ParseOptions options = lenient();
  std::optional<Error> first;
  for (const Api candidate : api ? std::vector<Api>{*api} : likely_apis(bytes)) {
    auto parsed = dialect_of(candidate).parse_request(candidate, bytes, options);
    if (parsed) return *std::move(parsed);
    if (!first) {
      first.emplace(
          Code::kInvalidArgument,
          "not a request of " + std::string(to_string(candidate)) + ": " + parsed.error().message);
    }
  }
  return std::unexpected(*std::move(first));
}

Result<SavedAnswer> read_saved_response(std::string_view bytes) {
  bytes = without_bom(bytes);
  if (bytes.size() > kMaxSavedBytes) {
    return fail(Code::kInvalidArgument, "the response file is larger than 256 MiB");
  }
  const std::vector<json::Value> objects = TRY(read_objects(bytes));
  if (objects.empty()) {
    return fail(Code::kInvalidArgument,
                "no response found: neither a JSON object nor lines that begin with 'data:'");
  }
  // Each refuses what is none of its own: their shapes have nothing in common.
  for (const auto make : {openai_saved_reader, anthropic_saved_reader, responses_saved_reader,
                          ollama_saved_reader, embeddings_saved_reader, token_count_saved_reader}) {
    const std::unique_ptr<SavedReader> reader = make();
    bool fits = true;
    for (const json::Value& object : objects) {
      fits = reader->add(object.get_object());
      if (!fits) break;
    }
    if (!fits) continue;
    SavedAnswer saved = reader->take();
    if (!saved.consistent) {
      return fail(Code::kInvalidArgument,
                  "the file is not one answer: what its last event repeats differs from what came "
                  "before");
    }
    return saved;
  }
  return fail(Code::kInvalidArgument,
              "the file is JSON, but not a response of any API that Candor serves");
}

}  // namespace candor::dialect
