// Whatever a publisher answers, the plan made of it is one that our own documents can hold, and
// every file of it has a path that stays inside the model and a digest to be held against.
#include <cstdint>

#include "base/check.h"
#include "models/reference.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace candor;
  using namespace candor::models;
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  const Mirrors mirrors{.huggingface = "https://a.example", .ollama = "https://b.example"};
  const auto check = [](const Result<Plan>& plan) {
    if (!plan) return;
    CANDOR_CHECK(!plan->files.empty());
    for (const PlannedFile& file : plan->files) {
      CANDOR_CHECK(is_file_path(file.path));
      CANDOR_CHECK(file.sha256.has_value() || file.git_sha1.size() == 40);
    }
    if (const auto written = to_json(*plan)) CANDOR_CHECK(!written->empty());
  };
  switch (data[0] % 4) {
    case 0:
      check(plan_from_huggingface(text, {.publisher = Publisher::kHuggingFace, .what = "o/r"},
                                  std::string(40, 'c'), mirrors));
      break;
    case 1:
      check(plan_from_ollama(
          text, {.publisher = Publisher::kOllama, .what = "m", .revision = "latest"}, mirrors));
      break;
    case 2:
      check(plan_from_pypi(text, {.publisher = Publisher::kPypi, .what = "p", .revision = "1.0"}));
      break;
    default: {
      const auto range = content_range(text);
      if (range) CANDOR_CHECK(range->begin < range->end && range->end <= range->total);
      const auto parts = url_parts(text);
      if (parts) CANDOR_CHECK(!parts->host.empty() && parts->host.find('@') == std::string::npos);
      if (const auto reference = parse_reference(text)) {
        const std::string name = name_for(*reference);
        CANDOR_CHECK(name.empty() || is_name(name));
      }
    }
  }
  return 0;
}
