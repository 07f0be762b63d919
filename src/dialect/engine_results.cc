#include "dialect/internal/engine_results.h"

#include <cmath>

#include "dialect/internal/engine_errors.h"
#include "dialect/internal/request_reader.h"

namespace candor::dialect {
namespace {

using Kind = EngineError::Kind;
constexpr std::uint64_t kMostTokens = 1ULL << 32U;

Result<json::Value> parse_body(std::string_view body, std::size_t max_bytes) {
  json::Limits bounds;
  bounds.max_bytes = max_bytes;
  bounds.max_depth = 8;
  return json::parse(body, bounds);
}

std::expected<std::vector<float>, EngineError> vector_of(const json::Value& value,
                                                         const EngineLimits& limits) {
  const json::Array* list = value.if_array();
  if (list == nullptr || list->empty()) return bad(Kind::kMalformed);
  if (list->size() > limits.max_dimensions) return bad(Kind::kBound);
  std::vector<float> out;
  out.reserve(list->size());
  for (const json::Value& item : *list) {
    double number = 0;
    if (const auto* real = item.if_double()) {
      number = *real;
    } else if (const auto* whole = item.if_int64()) {
      number = static_cast<double>(*whole);
    } else {
      return bad(Kind::kMalformed);
    }
    if (!(std::abs(number) < 1e30)) return bad(Kind::kMalformed);
    out.push_back(static_cast<float>(number) + 0.0F);  // no -0: some libraries write it as 0
  }
  return out;
}

}  // namespace

std::expected<Usage, EngineError> read_embeddings(std::string_view body, std::size_t inputs,
                                                  const EngineLimits& limits,
                                                  std::vector<AnswerEvent>& out) {
  const auto value = parse_body(body, limits.max_embeddings_bytes);
  const json::Object* object = value ? value->if_object() : nullptr;
  const json::Value* data = object != nullptr ? present(*object, "data") : nullptr;
  if (data == nullptr || !data->is_array() || data->get_array().size() != inputs) {
    return bad(Kind::kMalformed);
  }
  std::vector<std::vector<float>> vectors(inputs);
  for (const json::Value& item : data->get_array()) {
    const json::Object* one = item.if_object();
    const json::Value* numbers = one != nullptr ? present(*one, "embedding") : nullptr;
    const auto index = one != nullptr ? count_of(*one, "index") : std::nullopt;
    if (numbers == nullptr || !index || *index >= inputs || !vectors[*index].empty()) {
      return bad(Kind::kMalformed);
    }
    auto vector = vector_of(*numbers, limits);
    if (!vector) return std::unexpected(vector.error());
    vectors[*index] = *std::move(vector);
  }
  for (const auto& vector : vectors) {
    if (vector.size() != vectors.front().size()) return bad(Kind::kMalformed);
  }
  Usage usage;
  if (const json::Value* counts = present(*object, "usage"); counts && counts->is_object()) {
    usage.prompt_tokens = count_of(counts->get_object(), "prompt_tokens").value_or(0);
  }
  if (usage.prompt_tokens > kMostTokens) return bad(Kind::kBound);
  out.emplace_back(AnswerStart{});
  for (auto& vector : vectors) out.emplace_back(EmbeddingResult{Embedding(std::move(vector))});
  return usage;
}

std::expected<Usage, EngineError> read_token_count(std::string_view body,
                                                   const EngineLimits& limits,
                                                   std::vector<AnswerEvent>& out) {
  const auto value = parse_body(body, limits.max_payload_bytes);
  const json::Object* object = value ? value->if_object() : nullptr;
  const auto count = object != nullptr ? count_of(*object, "input_tokens") : std::nullopt;
  if (!count) return bad(Kind::kMalformed);
  if (*count > kMostTokens) return bad(Kind::kBound);
  Usage usage;
  usage.prompt_tokens = *count;
  out.emplace_back(AnswerStart{});
  out.emplace_back(TokenCount{*count});
  return usage;
}

}  // namespace candor::dialect
