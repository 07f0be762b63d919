#include "verbs/model_gate.h"

#include <cerrno>
#include <chrono>
#include <csignal>

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/text.h"
#include "engine/child_process.h"
#include "engine/sandbox.h"

namespace candor::cli {
namespace {

constexpr std::size_t kMaxReport = 1U << 20U;
constexpr std::uint64_t kMaxText = 64ULL << 20U;
constexpr auto kPatience = std::chrono::seconds(30);

// All that a child writes until it ends; bounded in bytes and time.
Result<std::string> read_report(int fd) {
  const auto until = std::chrono::steady_clock::now() + kPatience;
  std::string out;
  for (;;) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
                          until - std::chrono::steady_clock::now())
                          .count();
    pollfd wanted{.fd = fd, .events = POLLIN, .revents = 0};
    const int ready = left <= 0 ? 0 : ::poll(&wanted, 1, static_cast<int>(left));
    if (ready < 0 && errno == EINTR) continue;
    if (ready <= 0) return fail(Code::kDeadlineExceeded, "candor-inspect does not come to an end");
    char buffer[16'384];
    const ssize_t got = ::read(fd, &buffer[0], sizeof buffer);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail(Code::kUnavailable, "candor-inspect cannot be heard");
    if (got == 0) return out;
    out.append(&buffer[0], static_cast<std::size_t>(got));
    if (out.size() > kMaxReport) {
      return fail(Code::kResourceExhausted, "candor-inspect reports too much");
    }
  }
}

Result<model::GgufSummary> read_summary(std::string_view line) {
  if (!line.starts_with("{\"error\":")) return model::summary_from_json(line);
  const json::Value value = TRY(json::parse(line, {.max_bytes = 4'096, .max_depth = 2}));
  const json::Object& object = *TRY(json::as_object(value, "report"));
  const std::string_view code = TRY(json::get_string(object, "error"));
  const std::string_view message = TRY(json::get_string(object, "message"));
  return fail(code == "failed_precondition" ? Code::kFailedPrecondition : Code::kInvalidArgument,
              strip_controls(message.substr(0, 300)));
}

Result<void> judge_text(const Path& file, const std::string& name) {
  const auto ends = [&](std::string_view end) { return name.ends_with(end); };
  if (ends(".model")) return {};
  const bool document = ends(".json");
  if (!document && !ends(".txt") && !ends(".jinja") && !ends(".md") && !ends(".tiktoken")) {
    return fail(Code::kFailedPrecondition,
                "a file of a kind that is not taken beside weights; remove it and pull again");
  }
  const Bytes bytes = TRY(read_file(real_file_system(), file, kMaxText));
  if (!document) {
    if (is_utf8(as_text(bytes))) return {};
    return fail(Code::kFailedPrecondition, "no UTF-8 text");
  }
  const auto value = json::parse(as_text(bytes), {.max_bytes = kMaxText});
  if (!value) return fail(Code::kFailedPrecondition, value.error().message());
  if (value->is_object() && json::find(value->get_object(), "auto_map") != nullptr) {
    return fail(Code::kFailedPrecondition,
                "it names program code to run with the model (auto_map)");
  }
  return {};
}

}  // namespace

Result<model::GgufSummary> inspect_model(const config::Config& config, const Path& file) {
  const auto opened = [](const Path& path, int flags) -> Result<engine::OwnedFd> {
    engine::OwnedFd fd(::open(path.c_str(), flags | O_CLOEXEC | O_NONBLOCK));
    if (fd.get() >= 0) return fd;
    return fail(errno == ENOENT ? Code::kNotFound : Code::kPermissionDenied,
                path.native() + " cannot be opened");
  };
  const engine::OwnedFd program = TRY(opened(program_folder() / "candor-inspect", O_RDONLY));
  const engine::OwnedFd null = TRY(opened("/dev/null", O_RDWR));
  const engine::OwnedFd weights = TRY(opened(file, O_RDONLY));
  struct stat facts{};
  if (::fstat(weights.get(), &facts) != 0 || !S_ISREG(facts.st_mode)) {
    return fail(Code::kInvalidArgument, file.native() + " is no regular file");
  }
  int ends[2] = {-1, -1};
  if (::pipe2(&ends[0], O_CLOEXEC) != 0) return fail(Code::kUnavailable, "no pipe");
  const engine::OwnedFd reader(ends[0]);
  engine::OwnedFd writer(ends[1]);
  engine::Spawner spawner;
  const engine::Child child =
      TRY(spawner.spawn({.binary_fd = program.get(),
                         .arguments = {"candor-inspect", "--model-fd", "3", "--report-fd", "4"},
                         .descriptors = {{null.get(), 0},
                                         {null.get(), 1},
                                         {null.get(), 2},
                                         {weights.get(), 3},
                                         {writer.get(), 4}}}));
  writer.reset();
  const auto text = read_report(reader.get());
  if (!text) engine::send_signal(child, SIGKILL);
  (void)engine::wait_for_exit(child, -1);
  if (!text) return std::unexpected(text.error());
  const std::size_t first = text->find('\n');
  const std::size_t last = text->size() - 1;
  if (first == std::string::npos || !text->ends_with('\n') || last <= first) {
    return fail(Code::kUnavailable, "candor-inspect ended without a report");
  }
  const engine::SandboxGrants grants =
      TRY(engine::grants_from_json(std::string_view(*text).substr(0, first)));
  if (!grants.confined() && config.engine.unconfined != config::Unconfined::kAllow) {
    return fail(Code::kFailedPrecondition,
                "model files cannot be read in a sandbox here (" + engine::describe(grants) + ")");
  }
  const std::size_t before = text->rfind('\n', last - 1);
  return read_summary(std::string_view(*text).substr(before + 1, last - before - 1));
}

models::Gate admission_gate(const config::Config& config) {
  return [&config](const Path& file, const models::StoredFile& facts,
                   const models::Manifest& /*manifest*/) -> Result<models::Judgement> {
    const auto refused = [&](const Error& error) {
      const bool verdict = error.code() == Code::kInvalidArgument;
      return fail(verdict ? Code::kFailedPrecondition : error.code(),
                  fmt::format("the gate refuses {}: {}", facts.path, error.message()));
    };
    std::string name = facts.path;
    for (char& c : name) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    bool weights = false;
    for (const std::string_view end :
         {".gguf", ".safetensors", ".bin", ".pt", ".pth", ".ckpt", ".onnx"}) {
      weights = weights || name.ends_with(end);
    }
    if (!weights) {
      if (const auto judged = judge_text(file, name); !judged) return refused(judged.error());
      return models::Judgement{};
    }
    const auto summary = inspect_model(config, file);
    if (!summary) return refused(summary.error());
    return models::Judgement{.by = "candor-inspect",
                             .architecture = summary->architecture,
                             .licence = strip_controls(summary->licence)};
  };
}

}  // namespace candor::cli
