// Property: however the bytes of a stream are cut, the same requests come out, then the same
// refusal or the same wait for more; and a path, a header name and a header value never hold a line
// break.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "http/browser_guard.h"
#include "http/request_reader.h"

namespace {

using candor::http::ReaderLimits;
using candor::http::Request;
using candor::http::RequestReader;

void require(bool condition) {
  if (!condition) std::abort();
}

std::string describe(Request request) {
  std::string out = std::to_string(static_cast<int>(request.method)) + request.path + "?" +
                    request.query + (request.keep_alive ? "+" : "-");
  for (std::size_t i = 0; i < request.headers.size(); ++i) {
    const auto [name, value] = request.headers.at(i);
    require(candor::http::is_token(name));
    require(name.find_first_of("\r\n") == std::string_view::npos);
    require(value.find_first_of("\r\n") == std::string_view::npos);
    out.append("|").append(name).append("=").append(value);
  }
  require(request.path.starts_with('/') && request.path.find_first_of("\r\n") == std::string::npos);
  (void)candor::http::check_browser(request, {}, false);
  return out + "#" + request.body.reveal();
}

// The cut sizes come from a small generator, so that they do not depend on the input.
std::vector<std::string> run(std::string_view input, std::uint32_t seed) {
  constexpr ReaderLimits kLimits{.header_bytes = 512, .body_bytes = 256};
  std::vector<std::string> seen;
  RequestReader reader(kLimits);
  std::string pending;
  while (!input.empty()) {
    seed = seed * 1'664'525U + 1'013'904'223U;
    const std::size_t step = seed == 0 ? input.size() : 1 + (seed >> 24U) % 64U;
    pending += input.substr(0, step);
    input.remove_prefix(std::min(step, input.size()));
    for (;;) {
      const std::size_t used = reader.feed(pending);
      require(used <= pending.size());
      pending.erase(0, used);
      if (reader.state() != RequestReader::State::kComplete) break;
      seen.push_back(describe(reader.take()));
      reader = RequestReader(kLimits);
      if (pending.empty()) break;
    }
    if (reader.state() == RequestReader::State::kRefused) {
      seen.push_back(std::to_string(reader.status()));
      return seen;
    }
  }
  return seen;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const auto whole = run(input, 1);
  require(run(input, 77) == whole);
  require(run(input, 4'711) == whole);
  return 0;
}
