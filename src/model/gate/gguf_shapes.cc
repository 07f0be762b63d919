// Holds a GGUF file's values and tensors against each other and against what llama.cpp v0.5.0 does
// with them (src/llama-model.cpp, src/llama-vocab.cpp, ggml/src/gguf.cpp).
#include <algorithm>
#include <charconv>
#include <cmath>
#include <optional>

#include <fmt/format.h>

#include "model/gate/gguf_facts.h"

namespace candor::model::gate {
namespace {

struct Range {
  std::string_view rest;  // of the key, behind the architecture
  std::int64_t least, most;
};
constexpr std::int64_t kMost = INT32_MAX;
constexpr Range kRanges[] = {
    {".context_length", 1, kMost},
    {".embedding_length", 1, 1 << 20},
    {".block_count", 1, 4'096},
    {".feed_forward_length", 0, 1 << 24},
    {".attention.head_count", 0, 65'536},
    {".attention.head_count_kv", 0, 65'536},
    {".attention.key_length", 1, 1 << 20},
    {".attention.value_length", 1, 1 << 20},
    {".rope.dimension_count", 0, 1 << 20},
    {".expert_count", 0, 65'536},
    {".expert_used_count", 0, 65'536},
    {".vocab_size", 1, 1 << 26},
};

enum class Kind : std::uint8_t { kText, kTexts, kReals, kWhole, kWholes };
struct Typed {
  std::string_view key;
  Kind kind;
};
constexpr Typed kTyped[] = {
    {"general.architecture", Kind::kText},
    {"general.name", Kind::kText},
    {"general.license", Kind::kText},
    {"general.file_type", Kind::kWhole},
    {"general.quantization_version", Kind::kWhole},
    {"split.count", Kind::kWhole},
    {"split.no", Kind::kWhole},
    {"tokenizer.chat_template", Kind::kText},
    {"tokenizer.ggml.model", Kind::kText},
    {"tokenizer.ggml.pre", Kind::kText},
    {"tokenizer.ggml.tokens", Kind::kTexts},
    {"tokenizer.ggml.merges", Kind::kTexts},
    {"tokenizer.ggml.scores", Kind::kReals},
    {"tokenizer.ggml.token_type", Kind::kWholes},
};

bool is_kind(const GgufFact& fact, Kind kind) {
  GgufFact item;
  item.type = fact.items;
  switch (kind) {
    case Kind::kText: return fact.type == GgufValue::kString;
    case Kind::kTexts: return fact.is_list() && fact.items == GgufValue::kString;
    case Kind::kReals: return fact.is_list() && item.is_real();
    case Kind::kWhole: return fact.is_whole();
    case Kind::kWholes: return fact.is_list() && item.is_whole();
  }
  return false;
}

void about(GateFindings& findings, std::string_view id, std::string_view key, const GgufFact& fact,
           std::string_view detail = {}) {
  findings.add(id, {.offset = fact.offset, .name = std::string(key)}, detail);
}

void judge_real(const std::string& key, std::string_view rest, const GgufFact& fact,
                GateFindings& findings) {
  if (!std::isfinite(fact.real)) return about(findings, "gguf.not-finite", key, fact);
  const bool epsilon = rest.ends_with("_epsilon") || rest.ends_with("_eps");
  const bool positive = rest.ends_with(".freq_base") || rest.ends_with(".freq_base_swa");
  if ((epsilon && (fact.real <= 0 || fact.real > 1)) || (positive && fact.real <= 0) ||
      std::fabs(fact.real) > 1e15) {
    about(findings, "gguf.range", key, fact, fmt::format("{}", fact.real));
  }
}

void judge_whole(const std::string& key, std::string_view rest, const GgufFact& fact,
                 GateFindings& findings) {
  if (fact.whole < 0) {
    return about(findings, "gguf.negative", key, fact, fmt::format("{}", fact.whole));
  }
  std::int64_t least = 0;
  std::int64_t most = UINT32_MAX;
  for (const Range& range : kRanges) {
    if (rest == range.rest) {
      least = range.least;
      most = range.most;
    }
  }
  if (fact.whole < least || fact.whole > most) {
    about(findings, "gguf.range", key, fact,
          fmt::format("{} is not from {} to {}", fact.whole, least, most));
  }
}

void judge_lists(const GgufFacts& facts, GateFindings& findings) {
  const GgufFact* tokens = facts.find("tokenizer.ggml.tokens");
  if (tokens == nullptr || !tokens->is_list()) return;
  for (const std::string_view key : {"tokenizer.ggml.scores", "tokenizer.ggml.token_type"}) {
    const GgufFact* list = facts.find(key);
    if (list != nullptr && list->is_list() && list->count != tokens->count) {
      about(findings, "gguf.array-length", key, *list,
            fmt::format("{} for {} tokens", list->count, tokens->count));
    }
  }
  for (const auto& [key, fact] : facts.values) {
    if (!key.starts_with("tokenizer.ggml.") || !key.ends_with("_token_id") || !fact.is_whole()) {
      continue;
    }
    // All bits set is how converters write "none".
    const bool none = fact.whole == UINT32_MAX || fact.whole == -1;
    if (!none && (fact.whole < 0 || static_cast<std::uint64_t>(fact.whole) >= tokens->count)) {
      about(findings, "gguf.token-id", key, fact,
            fmt::format("{} of {} tokens", fact.whole, tokens->count));
    }
  }
}

std::optional<std::uint64_t> whole_of(const GgufFacts& facts, std::string_view rest) {
  const GgufFact* fact = facts.of_architecture(rest);
  if (fact == nullptr || !fact->is_whole() || fact->whole < 0) return std::nullopt;
  return static_cast<std::uint64_t>(fact->whole);
}

// N of "blk.N.rest".
std::optional<std::uint64_t> block_of(std::string_view name, std::string_view& rest) {
  if (!name.starts_with("blk.")) return std::nullopt;
  name.remove_prefix(4);
  std::uint64_t block = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), block);
  if (error != std::errc() || end == name.data() + name.size() || *end != '.') return std::nullopt;
  rest = name.substr(static_cast<std::size_t>(end - name.data()) + 1);
  return block;
}

void judge_places(GgufFacts& facts, GateFindings& findings) {
  auto& tensors = facts.tensors;
  std::ranges::sort(tensors, {}, &GgufTensor::offset);
  const std::uint64_t room =
      facts.file_bytes > facts.data_begin ? facts.file_bytes - facts.data_begin : 0;
  std::uint64_t end = 0;  // of the tensor before
  const auto padded = [&](std::uint64_t value) {
    return (value + facts.alignment - 1) / facts.alignment * facts.alignment;
  };
  for (const GgufTensor& one : tensors) {
    const auto tell = [&](std::string_view id, std::string_view detail) {
      findings.add(id, {.offset = one.at, .name = one.name}, detail);
    };
    if (one.offset % facts.alignment != 0) {
      tell("gguf.tensor-alignment", fmt::format("offset {} of {}", one.offset, facts.alignment));
    }
    std::uint64_t last = 0;
    if (__builtin_add_overflow(one.offset, one.bytes, &last)) {
      tell("gguf.size-overflow", "its offset and size");
      return;
    }
    if (last > room) {
      tell("gguf.tensor-past-end", fmt::format("its data end at {} of {}", last, room));
      return;
    }
    if (one.offset < end) {
      tell("gguf.tensor-overlap", fmt::format("{} bytes are another's too", end - one.offset));
    } else if (one.offset > padded(end)) {
      tell("gguf.gap", fmt::format("{} bytes before it", one.offset - end));
    }
    end = std::max(end, last);
  }
  const std::uint64_t used = facts.data_begin + padded(end);
  const std::uint64_t behind = tensors.empty()
                                   ? facts.file_bytes - std::min(facts.file_bytes, facts.data_begin)
                                   : facts.file_bytes - std::min(facts.file_bytes, used);
  if (behind > 0) {
    findings.add("gguf.trailing", {.offset = facts.file_bytes - behind},
                 fmt::format("{} bytes", behind));
  }
}

void judge_shapes(const GgufFacts& facts, GateFindings& findings) {
  // Adapters and projectors have shapes of their own; so has this vocoder.
  if (!facts.type.empty() && facts.type != "model") return;
  if (facts.architecture == "wavtokenizer-dec" || facts.architecture == "clip") return;
  const auto width = whole_of(facts, ".embedding_length");
  const auto blocks = whole_of(facts, ".block_count");
  const GgufFact* tokens = facts.find("tokenizer.ggml.tokens");
  std::optional<std::uint64_t> vocabulary = whole_of(facts, ".vocab_size");
  if (tokens != nullptr && tokens->is_list()) vocabulary = tokens->count;
  std::vector<bool> seen(blocks ? std::min<std::uint64_t>(*blocks, 4'096) : 0);
  bool any_block = false;
  for (const GgufTensor& one : facts.tensors) {
    const auto expect = [&](std::uint32_t at, std::optional<std::uint64_t> size,
                            std::string_view what) {
      if (!size || one.sizes[at] == *size) return;
      findings.add("gguf.shape", {.offset = one.at, .name = one.name},
                   fmt::format("dimension {} is {}, {} is {}", at, one.sizes[at], what, *size));
    };
    if (one.name == "token_embd.weight" || one.name == "output.weight") {
      expect(0, width, "embedding_length");
      expect(1, vocabulary, "the vocabulary");
    } else if (one.name == "output_norm.weight") {
      expect(0, width, "embedding_length");
    }
    std::string_view rest;
    const auto block = block_of(one.name, rest);
    if (!block) continue;
    any_block = true;
    if (blocks && *block >= *blocks) {
      findings.add("gguf.block-missing", {.offset = one.at, .name = one.name},
                   fmt::format("block {}, block_count is {}", *block, *blocks));
      continue;
    }
    if (*block < seen.size()) seen[*block] = true;
    if (rest == "attn_norm.weight" || rest == "attn_q.weight" || rest == "ffn_norm.weight" ||
        rest == "ffn_up.weight") {
      expect(0, width, "embedding_length");
    }
  }
  if (!any_block || facts.architecture == "deci") return;  // which has layers of nothing
  const auto missing = std::ranges::find(seen, false);
  if (missing != seen.end()) {
    findings.add("gguf.block-missing", {},
                 fmt::format("block {} of {}", missing - seen.begin(), seen.size()));
  }
}

}  // namespace

void judge_gguf_values(const GgufFacts& facts, GateFindings& findings) {
  if (facts.architecture.empty() && facts.find("general.architecture") == nullptr) {
    findings.add("gguf.architecture", {});
  }
  for (const Typed& typed : kTyped) {
    const GgufFact* fact = facts.find(typed.key);
    if (fact != nullptr && !is_kind(*fact, typed.kind)) {
      about(findings, "gguf.value-type", typed.key, *fact);
    }
  }
  const GgufFact* split = facts.find("split.count");
  if (split != nullptr && split->is_whole() && split->whole > 1) {
    about(findings, "gguf.file-reference", "split.count", *split,
          fmt::format("one of {} parts", split->whole));
  }
  bool sampling = false;
  const std::string own = facts.architecture.empty() ? "?" : facts.architecture + ".";
  const auto blocks = whole_of(facts, ".block_count");
  for (const auto& [key, fact] : facts.values) {
    if (key.starts_with("general.sampling.")) {
      if (fact.is_real() && !std::isfinite(fact.real))
        about(findings, "gguf.not-finite", key, fact);
      if (!sampling) about(findings, "gguf.sampling", key, fact);
      sampling = true;
    }
    const bool adapter = key.starts_with("adapter.");
    if (!key.starts_with(own) && !adapter) continue;
    const std::string_view rest =
        std::string_view(key).substr(adapter ? 7 : facts.architecture.size());
    if (fact.is_whole()) judge_whole(key, rest, fact, findings);
    if (fact.is_real()) judge_real(key, rest, fact, findings);
    for (const Range& range : kRanges) {
      if (rest != range.rest) continue;
      if (!fact.is_whole() && !fact.is_list()) about(findings, "gguf.value-type", key, fact);
      if (fact.is_list() && blocks && fact.count != *blocks) {
        about(findings, "gguf.array-length", key, fact,
              fmt::format("{} for {} blocks", fact.count, *blocks));
      }
    }
  }
  const auto experts = whole_of(facts, ".expert_count");
  const auto used = whole_of(facts, ".expert_used_count");
  if (experts && used && *used > *experts) {
    about(findings, "gguf.range", facts.architecture + ".expert_used_count",
          *facts.of_architecture(".expert_used_count"),
          fmt::format("{} of {} experts", *used, *experts));
  }
  judge_lists(facts, findings);
}

void judge_gguf_tensors(GgufFacts& facts, GateFindings& findings) {
  if (facts.tensors.empty() && !findings.refuses()) findings.add("gguf.no-tensors", {});
  judge_places(facts, findings);
  judge_shapes(facts, findings);
}

}  // namespace candor::model::gate
