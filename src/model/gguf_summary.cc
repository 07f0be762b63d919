#include <algorithm>

#include "base/text.h"
#include "json/json.h"
#include "model/gguf_reader.h"

namespace candor::model {
namespace {

constexpr std::size_t kMaxText = 1'024;

Result<std::uint64_t> get_count(const json::Object& object, std::string_view key) {
  const std::int64_t value = TRY(json::get_int(object, key));
  if (value < 0) return fail(Code::kInvalidArgument, "summary: a negative number");
  return static_cast<std::uint64_t>(value);
}

Result<std::string> get_text(const json::Object& object, std::string_view key) {
  const std::string_view value = TRY(json::get_string(object, key));
  if (value.size() > kMaxText || strip_controls(value) != value) {
    return fail(Code::kInvalidArgument, "summary: a text is too long or holds controls");
  }
  return std::string(value);
}

}  // namespace

std::uint64_t context_bytes_per_token(const GgufSummary& s) {
  // Bounded before multiplied: the numbers are the file's.
  const auto bounded = [](std::uint64_t value) {
    return std::min<std::uint64_t>(value, 1U << 20U);
  };
  const std::uint64_t heads = std::max<std::uint64_t>(s.head_count, 1);
  const std::uint64_t kv_heads = s.head_count_kv != 0 ? std::min(s.head_count_kv, heads) : heads;
  const std::uint64_t usual = s.embedding_length / heads;
  const std::uint64_t keys = s.key_length != 0 ? s.key_length : usual;
  const std::uint64_t values = s.value_length != 0 ? s.value_length : usual;
  const std::uint64_t layers = std::min<std::uint64_t>(s.block_count, 4'096);
  const std::uint64_t a_layer = bounded(bounded(keys) + bounded(values)) * bounded(kv_heads);
  return 2 * layers * std::min<std::uint64_t>(a_layer, 1U << 21U);
}

Result<std::string> to_json(const GgufSummary& s) {
  json::Array types;
  for (const TensorTypeUse& use : s.tensor_types) {
    types.push_back(json::Object{{"elements", use.elements},
                                 {"name", use.name},
                                 {"tensors", use.tensors},
                                 {"type", use.type}});
  }
  json::Object out{{"adds_bos", s.adds_bos},
                   {"architecture", s.architecture},
                   {"block_count", s.block_count},
                   {"context_length", s.context_length},
                   {"embedding_length", s.embedding_length},
                   {"head_count", s.head_count},
                   {"head_count_kv", s.head_count_kv},
                   {"key_length", s.key_length},
                   {"licence", s.licence},
                   {"name", s.name},
                   {"parameters", s.parameters},
                   {"tensor_types", std::move(types)},
                   {"tensors", s.tensors},
                   {"tokenizer_model", s.tokenizer_model},
                   {"value_length", s.value_length},
                   {"version", s.version},
                   {"vocabulary", s.vocabulary}};
  if (s.file_type) out["file_type"] = *s.file_type;
  if (s.chat_template) out["chat_template"] = *s.chat_template;
  if (s.chat_template_digest) out["chat_template_sha256"] = to_hex(*s.chat_template_digest);
  std::string text = TRY(json::canonical(out));
  if (text.size() > kMaxSummaryBytes) {
    return fail(Code::kResourceExhausted, "the model's metadata do not fit into a summary");
  }
  return text;
}

Result<GgufSummary> summary_from_json(std::string_view line) {
  const json::Value value =
      TRY(json::parse_canonical(line, {.max_bytes = kMaxSummaryBytes, .max_depth = 4}));
  const json::Object& in = *TRY(json::as_object(value, "summary"));
  TRY(json::only_keys(in, {"adds_bos",
                           "architecture",
                           "block_count",
                           "chat_template",
                           "chat_template_sha256",
                           "context_length",
                           "embedding_length",
                           "file_type",
                           "head_count",
                           "head_count_kv",
                           "key_length",
                           "licence",
                           "name",
                           "parameters",
                           "tensor_types",
                           "tensors",
                           "tokenizer_model",
                           "value_length",
                           "version",
                           "vocabulary"}));
  GgufSummary s;
  s.adds_bos = TRY(json::get_bool(in, "adds_bos"));
  s.architecture = TRY(get_text(in, "architecture"));
  s.block_count = TRY(get_count(in, "block_count"));
  s.context_length = TRY(get_count(in, "context_length"));
  s.embedding_length = TRY(get_count(in, "embedding_length"));
  s.head_count = TRY(get_count(in, "head_count"));
  s.head_count_kv = TRY(get_count(in, "head_count_kv"));
  s.key_length = TRY(get_count(in, "key_length"));
  s.value_length = TRY(get_count(in, "value_length"));
  s.licence = TRY(get_text(in, "licence"));
  s.name = TRY(get_text(in, "name"));
  s.parameters = TRY(get_count(in, "parameters"));
  s.tensors = TRY(get_count(in, "tensors"));
  s.tokenizer_model = TRY(get_text(in, "tokenizer_model"));
  s.vocabulary = TRY(get_count(in, "vocabulary"));
  const std::uint64_t version = TRY(get_count(in, "version"));
  if (version != 2 && version != 3) return fail(Code::kInvalidArgument, "summary: bad version");
  s.version = static_cast<std::uint32_t>(version);
  if (in.contains("file_type")) s.file_type = TRY(get_count(in, "file_type"));
  if (in.contains("chat_template")) {
    s.chat_template = std::string(TRY(json::get_string(in, "chat_template")));
    const std::string_view digest = TRY(json::get_string(in, "chat_template_sha256"));
    s.chat_template_digest = TRY(digest_from_hex(digest));
  } else if (in.contains("chat_template_sha256")) {
    return fail(Code::kInvalidArgument, "summary: a digest without its template");
  }
  for (const json::Value& item : *TRY(json::get_array(in, "tensor_types"))) {
    const json::Object& type = *TRY(json::as_object(item, "tensor type"));
    TRY(json::only_keys(type, {"elements", "name", "tensors", "type"}));
    TensorTypeUse use;
    use.elements = TRY(get_count(type, "elements"));
    use.name = TRY(get_text(type, "name"));
    use.tensors = TRY(get_count(type, "tensors"));
    const std::uint64_t number = TRY(get_count(type, "type"));
    if (number > UINT32_MAX) return fail(Code::kInvalidArgument, "summary: bad tensor type");
    use.type = static_cast<std::uint32_t>(number);
    s.tensor_types.push_back(std::move(use));
  }
  return s;
}

}  // namespace candor::model
