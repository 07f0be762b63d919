// Property: an OpenAI request is refused with a sentence, or becomes an exchange whose forwarded
// body is valid JSON with known names only, and whose transcript has unique paths.
#include "dialect/testing/request_property.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using candor::dialect::Api;
  const std::string_view body(reinterpret_cast<const char*>(data), size);
  for (const Api api :
       {Api::kOpenAiChat, Api::kOpenAiCompletions, Api::kOpenAiResponses, Api::kOpenAiEmbeddings}) {
    candor::dialect::testing::check_request(api, body);
  }
  return 0;
}
