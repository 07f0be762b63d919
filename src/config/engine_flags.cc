#include <algorithm>

#include <fmt/format.h>

#include "config/internal/collected.h"

namespace candor::config {
namespace {

// What an engine may be given beyond what the monitor sets itself. An allow-list: llama-server has
// flags that open files, ports and tools, print prompts or load further models, and more with each
// version.
constexpr std::string_view kAllowed[] = {"-b",
                                         "--batch-size",
                                         "-ub",
                                         "--ubatch-size",
                                         "-tb",
                                         "--threads-batch",
                                         "-c",
                                         "--ctx-size",
                                         "-fa",
                                         "--flash-attn",
                                         "-ctk",
                                         "--cache-type-k",
                                         "-ctv",
                                         "--cache-type-v",
                                         "-ngl",
                                         "--gpu-layers",
                                         "--n-gpu-layers",
                                         "-sm",
                                         "--split-mode",
                                         "-ts",
                                         "--tensor-split",
                                         "-mg",
                                         "--main-gpu",
                                         "-nkvo",
                                         "--no-kv-offload",
                                         "-nr",
                                         "--no-repack",
                                         "-ot",
                                         "--override-tensor",
                                         "-cmoe",
                                         "--cpu-moe",
                                         "-ncmoe",
                                         "--n-cpu-moe",
                                         "--override-kv",
                                         "--rope-scaling",
                                         "--rope-scale",
                                         "--rope-freq-base",
                                         "--rope-freq-scale",
                                         "--yarn-orig-ctx",
                                         "--yarn-ext-factor",
                                         "--yarn-attn-factor",
                                         "--yarn-beta-slow",
                                         "--yarn-beta-fast",
                                         "--swa-full",
                                         "--no-mmap",
                                         "--mlock",
                                         "--numa",
                                         "--poll",
                                         "--prio",
                                         "--cpu-mask",
                                         "--cpu-range",
                                         "--cpu-strict",
                                         "--no-warmup",
                                         "--check-tensors",
                                         "--jinja",
                                         "--no-jinja",
                                         "--reasoning-format",
                                         "--reasoning-budget",
                                         "--no-context-shift",
                                         "--context-shift",
                                         "--no-prefill-assistant",
                                         "--embeddings",
                                         "--pooling",
                                         "--kv-unified"};

bool is_flag(std::string_view text) {
  return text.size() > 1 && text[0] == '-' && !(text[1] >= '0' && text[1] <= '9');
}

}  // namespace

Result<void> check_engine_flags(const std::vector<std::string>& flags) {
  bool value_may_follow = false;
  for (const std::string& item : flags) {
    if (!is_flag(item)) {
      if (!value_may_follow) {
        return fail(Code::kInvalidArgument, fmt::format("'{}' follows no flag", shown(item)));
      }
      value_may_follow = false;
      continue;
    }
    const std::string_view name = std::string_view(item).substr(0, item.find('='));
    if (std::ranges::find(kAllowed, name) == std::end(kAllowed)) {
      return fail(Code::kInvalidArgument,
                  fmt::format("'{}' is not a flag that an engine may be given", shown(name)));
    }
    value_may_follow = name.size() == item.size();
  }
  return {};
}

}  // namespace candor::config
