// candor-inspect: the gate. Judges one model file and reads its metadata with our own small
// readers, sealed as the engine is (house style, decision 3; L11). Started by engine/inspect.h:
//   candor-inspect --model-fd N --report-fd N [--values yes]
// With --values every tensor is read for numbers that are not finite.
// Writes three lines to report: the measured grants, the gate's report (model/gate_report.h), then
// the summary of a GGUF file (model/gguf_reader.h) or {"error":"code","message":"..."}. Exit: 0, 64
// (bad use), 70 (could not seal).
#include <cerrno>
#include <charconv>
#include <string>
#include <string_view>

#include <unistd.h>

#include "base/text.h"
#include "engine/sandbox.h"
#include "json/json.h"
#include "model/descriptor_source.h"
#include "model/gate.h"
#include "model/gguf_reader.h"

namespace {

using namespace candor;

constexpr std::uint64_t kDataLimit = 512ULL << 20U;

void report(int fd, std::string text) {
  text.push_back('\n');
  std::string_view rest = text;
  while (!rest.empty()) {
    const ssize_t wrote = write(fd, rest.data(), rest.size());
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote <= 0) return;
    rest.remove_prefix(static_cast<std::size_t>(wrote));
  }
}

Result<std::string> summarise(model::ByteSource& source) {
  const model::GgufSummary summary = TRY(model::read_gguf(source));
  return model::to_json(summary);
}

int descriptor(std::string_view text) {
  int fd = -1;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), fd);
  return error == std::errc() && end == text.data() + text.size() ? fd : -1;
}

}  // namespace

int main(int argc, char** argv) {
  int model_fd = -1;
  int report_fd = -1;
  model::GateLimits limits;
  for (int i = 1; i + 1 < argc; i += 2) {
    if (std::string_view(argv[i]) == "--model-fd") model_fd = descriptor(argv[i + 1]);
    if (std::string_view(argv[i]) == "--report-fd") report_fd = descriptor(argv[i + 1]);
    if (std::string_view(argv[i]) == "--values") limits.values = true;
  }
  if (model_fd < 0 || report_fd < 0) _exit(64);
  engine::SealRequest request;
  request.data_limit_bytes = kDataLimit;
  const auto grants = engine::seal(request);
  if (!grants) _exit(70);
  report(report_fd, engine::to_json(*grants));
  model::DescriptorSource source(model_fd, model::size_of(model_fd));
  const auto gate = model::to_json(model::judge(source, limits));
  if (!gate) _exit(70);
  report(report_fd, *gate);
  const auto summary = summarise(source);
  if (summary) {
    report(report_fd, *summary);
  } else {
    std::string line = "{\"error\":\"";
    line.append(to_string(summary.error().code())).append("\",\"message\":");
    json::append_string(line, summary.error().message());
    report(report_fd, line + "}");
  }
  _exit(0);  // nothing to clean up, and no exit handlers inside the sandbox
}
