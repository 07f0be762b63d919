#include "engine/inspect.h"

#include <cerrno>
#include <cstring>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include "base/text.h"
#include "engine/internal/child_report.h"
#include "json/json.h"
#include "model/descriptor_source.h"

namespace candor::engine {
namespace {

using namespace std::chrono_literals;

constexpr std::uint64_t kValuesBytesPerSecond = 50'000'000;  // of the slowest disk

Code code_named(std::string_view name) {
  for (const Code code : {Code::kInvalidArgument, Code::kFailedPrecondition,
                          Code::kResourceExhausted, Code::kUnavailable}) {
    if (name == to_string(code)) return code;
  }
  return Code::kInvalidArgument;
}

Result<model::GgufSummary> read_summary(std::string_view line) {
  if (!line.starts_with("{\"error\":")) return model::summary_from_json(line);
  const json::Value value = TRY(json::parse(line, {.max_bytes = 4'096, .max_depth = 2}));
  const json::Object& object = *TRY(json::as_object(value, "report"));
  const std::string_view code = TRY(json::get_string(object, "error"));
  const std::string_view message = TRY(json::get_string(object, "message"));
  return fail(code_named(code), strip_controls(message.substr(0, 300)));
}

Result<OwnedFd> open_to_read(const Path& path) {
  OwnedFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (fd.get() >= 0) return fd;
  return fail(errno == ENOENT ? Code::kNotFound : Code::kPermissionDenied,
              fmt::format("{}: {}", path.string(), std::strerror(errno)));
}

}  // namespace

Result<Inspection> inspect_model(Spawner& spawner, int inspect_fd, int null_fd, int model_fd,
                                 InspectDepth depth) {
  std::vector<std::string> arguments{"candor-inspect", "--model-fd", "3", "--report-fd", "4"};
  std::chrono::milliseconds time = 30s;
  if (depth == InspectDepth::kValues) {
    arguments.insert(arguments.end(), {"--values", "yes"});
    time += std::chrono::seconds(model::size_of(model_fd) / kValuesBytesPerSecond);
  }
  internal::Pipe pipe = TRY(internal::make_pipe());
  Child child = TRY(spawner.spawn(
      {.binary_fd = inspect_fd,
       .arguments = std::move(arguments),
       .descriptors = {
           {null_fd, 0}, {null_fd, 1}, {null_fd, 2}, {model_fd, 3}, {pipe.writer.get(), 4}}}));
  const internal::ChildGuard guard(child);
  pipe.writer.reset();
  internal::ReportReader reader(pipe.reader.get(), time);
  const std::string grants_line = TRY(reader.line());
  Inspection out;
  out.grants = internal::with_namespaces(TRY(grants_from_json(grants_line)), child.namespaces);
  const std::string report_line = TRY(reader.line());
  out.report = TRY(model::gate_report_from_json(report_line));
  const std::string summary_line = TRY(reader.line());
  out.summary = read_summary(summary_line);
  return out;
}

Result<Inspection> inspect_file(const Path& inspect_binary, const Path& file, InspectDepth depth) {
  const OwnedFd program = TRY(open_to_read(inspect_binary));
  const OwnedFd null(open("/dev/null", O_RDWR | O_CLOEXEC));
  if (null.get() < 0) return internal::os_error("/dev/null");
  const OwnedFd model = TRY(open_to_read(file));
  struct stat facts{};
  if (fstat(model.get(), &facts) != 0 || !S_ISREG(facts.st_mode)) {
    return fail(Code::kInvalidArgument, file.string() + " is not a regular file");
  }
  Spawner spawner;
  Inspection out = TRY(inspect_model(spawner, program.get(), null.get(), model.get(), depth));
  if (!out.grants.confined()) {
    return fail(Code::kFailedPrecondition,
                "the file cannot be read in a sandbox here (" + describe(out.grants) + ")");
  }
  return out;
}

}  // namespace candor::engine
