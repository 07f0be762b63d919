// Structure-aware, for Anthropic's two routes. Property: testing/request_property.h.
#include "dialect/testing/request_property.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using candor::dialect::Api;
  static constexpr Api kApis[] = {Api::kAnthropicMessages, Api::kAnthropicCountTokens};
  candor::dialect::testing::check_structure(kApis, data, size);
  return 0;
}
