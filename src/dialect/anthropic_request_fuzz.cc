// Property: as openai_request_fuzz, for Anthropic's messages.
#include "dialect/testing/request_property.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view body(reinterpret_cast<const char*>(data), size);
  candor::dialect::testing::check_request(candor::dialect::Api::kAnthropicMessages, body);
  return 0;
}
