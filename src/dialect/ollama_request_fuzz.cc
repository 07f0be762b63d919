// Property: testing/request_property.h, for each of Ollama's routes.
#include <cstdint>

#include "dialect/testing/request_property.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using candor::dialect::Api;
  const std::string_view body(reinterpret_cast<const char*>(data), size);
  for (const Api api : {Api::kOllamaChat, Api::kOllamaGenerate, Api::kOllamaEmbed}) {
    candor::dialect::testing::check_request(api, body);
  }
  return 0;
}
