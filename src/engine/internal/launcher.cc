#include "engine/internal/launcher.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/text.h"
#include "crypto/hash.h"
#include "engine/internal/child_report.h"
#include "json/json.h"

namespace candor::engine::internal {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

constexpr std::uint64_t kProbeMemory = 1ULL << 30U;
constexpr std::size_t kFirstAdapter = 6;  // the engine's descriptors below have fixed uses

}  // namespace

Result<Program> open_program(const Path& path) {
  Program out{.fd = OwnedFd(open(path.c_str(), O_RDONLY | O_CLOEXEC)), .digest = {}};
  if (out.fd.get() < 0) {
    return fail(errno == ENOENT ? Code::kNotFound : Code::kPermissionDenied,
                fmt::format("{}: {}; build it with engine/build.sh, or name another with "
                            "engine_binary in candor.toml",
                            path.string(), std::strerror(errno)));
  }
  // Held still from here where we own it; else only its owner, an administrator, could change it.
  (void)fcntl(out.fd.get(), F_SETLEASE, F_RDLCK);
  (void)fcntl(out.fd.get(), F_SETOWN, 0);
  crypto::Sha256 state;
  Bytes block(1U << 20U);
  for (off_t at = 0;;) {
    const ssize_t got = pread(out.fd.get(), block.data(), block.size(), at);
    if (got < 0) return os_error("reading " + path.string());
    if (got == 0) break;
    state.update(ByteView(block).first(static_cast<std::size_t>(got)));
    at += got;
  }
  out.digest = state.finish();
  return out;
}

Result<Programs> open_programs(const SupervisorOptions& options) {
  Programs out;
  out.engine = TRY(open_program(options.engine_binary));
  out.inspect = TRY(open_program(options.inspect_binary));
  if (options.foreign_engine) {
    out.launch = TRY(open_program(options.inspect_binary.parent_path() / "candor-launch"));
  }
  out.null = OwnedFd(open("/dev/null", O_RDWR | O_CLOEXEC));
  if (out.null.get() < 0) return os_error("/dev/null");
  return out;
}

std::vector<std::string> cpu_features(std::istream& in) {
  static constexpr std::string_view kRelevant[] = {
      "sse3",       "ssse3",       "sse4_1",   "sse4_2",      "avx",         "avx2",
      "fma",        "f16c",        "bmi2",     "avx_vnni",    "avx512f",     "avx512bw",
      "avx512cd",   "avx512dq",    "avx512vl", "avx512_bf16", "avx512_fp16", "avx512_vbmi",
      "avx512vbmi", "avx512_vnni", "amx_tile", "amx_int8",    "amx_bf16",    "asimd",
      "asimddp",    "asimdhp",     "i8mm",     "sve",         "sve2",        "bf16",
      "svei8mm",    "sme"};
  std::vector<std::string> out;
  for (std::string line; std::getline(in, line);) {
    if (!line.starts_with("flags") && !line.starts_with("Features")) continue;
    const std::size_t colon = line.find(':');
    std::string_view rest = std::string_view(line).substr(std::min(colon + 1, line.size()));
    while (!rest.empty()) {
      const std::size_t space = std::min(rest.find(' '), rest.size());
      const std::string_view word = rest.substr(0, space);
      if (std::ranges::find(kRelevant, word) != std::end(kRelevant)) out.emplace_back(word);
      rest.remove_prefix(std::min(space + 1, rest.size()));
    }
    break;
  }
  std::ranges::sort(out);
  out.erase(std::unique(out.begin(), out.end()), out.end());
  return out;
}

Result<EngineIdentity> identify_engine(const Program& program, const Path& manifest,
                                       std::vector<std::string> cpu_features) {
  EngineIdentity out;
  out.binary = program.digest;
  out.cpu_features = std::move(cpu_features);
  out.version = "foreign build";
  if (!manifest.empty() && std::filesystem::exists(manifest)) {
    const Bytes bytes = TRY(read_file(real_file_system(), manifest, 1U << 20U));
    out.manifest = crypto::sha256(bytes);
    if (const auto value = json::parse(as_text(bytes)); value && value->is_object()) {
      if (const auto name = json::get_string(value->get_object(), "upstream")) {
        out.version = strip_controls(name->substr(0, 64));
      }
    }
  }
  json::Array features;
  for (const std::string& feature : out.cpu_features) features.emplace_back(feature);
  const std::string text = TRY(json::canonical(json::Object{{"binary", to_hex(out.binary)},
                                                            {"cpu_features", std::move(features)},
                                                            {"manifest", to_hex(out.manifest)},
                                                            {"type", "candor.engine/1"}}));
  out.digest = crypto::sha256(as_bytes(text));
  return out;
}

Result<Inspection> Launcher::inspect(int model_fd, InspectDepth depth) {
  return inspect_model(spawner_, programs_.inspect.fd.get(), programs_.null.get(), model_fd, depth);
}

Result<KernelProbe> Launcher::kernel_probe(const std::vector<model::TensorTypeUse>& types) {
  KernelProbe out;
  if (foreign_) return out;
  std::string list;
  for (const auto& use : types) {
    list.append(list.empty() ? "" : ",").append(std::to_string(use.type));
  }
  Pipe report = TRY(make_pipe());
  Child child =
      TRY(spawner_.spawn({.binary_fd = programs_.engine.fd.get(),
                          .arguments = {"candor-engine", "--report-fd", "3", "--data-limit",
                                        std::to_string(kProbeMemory), "--kernel-probe", list},
                          .descriptors = {{programs_.null.get(), 0},
                                          {programs_.null.get(), 1},
                                          {programs_.null.get(), 2},
                                          {report.writer.get(), 3}}}));
  const ChildGuard guard(child);
  report.writer.reset();
  ReportReader reader(report.reader.get(), 60s);
  const std::string grants = TRY(reader.line());
  (void)TRY(grants_from_json(grants));
  const std::string line = TRY(reader.line());
  const json::Value value = TRY(json::parse(line, {.max_bytes = 65'536, .max_depth = 4}));
  const json::Object& object = *TRY(json::as_object(value, "kernel probe"));
  for (const json::Value& item : *TRY(json::get_array(object, "types"))) {
    const json::Object& type = *TRY(json::as_object(item, "kernel probe"));
    const std::string_view name = TRY(json::get_string(type, "name"));
    out.types.push_back({.name = strip_controls(name.substr(0, 32)),
                         .ok = TRY(json::get_bool(type, "ok")),
                         .worst_error_ppm = TRY(json::get_int(type, "worst_error_ppm"))});
  }
  out.run = true;
  return out;
}

Result<StartedEngine> Launcher::start(const EngineStart& start) {
  return foreign_ ? start_foreign(start) : start_own(start);
}

namespace {

std::string make_token() {
  std::array<std::byte, 32> raw{};
  system_random().fill(raw);
  return to_hex(raw);
}

}  // namespace

Result<StartedEngine> Launcher::start_own(const EngineStart& start) {
  Pipe report = TRY(make_pipe());
  Pipe errors = TRY(make_pipe());
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0)
    return os_error("no socket");
  StartedEngine out;
  out.control = OwnedFd(ends[0]);
  OwnedFd theirs(ends[1]);
  SpawnRequest request{
      .binary_fd = programs_.engine.fd.get(),
      .arguments = {"candor-engine", "--control-fd", "3", "--model-fd", "4", "--report-fd", "5",
                    "--data-limit", std::to_string(start.data_limit_bytes), "--template-ms",
                    std::to_string(start.template_time.count())},
      .descriptors = {{programs_.null.get(), 0},
                      {errors.writer.get(), 1},
                      {errors.writer.get(), 2},
                      {theirs.get(), 3},
                      {start.model_fd, 4},
                      {report.writer.get(), 5}},
      .scheduling = scheduling_};
  for (const int adapter : start.adapter_fds) {
    const auto number = static_cast<int>(request.descriptors.size());  // kFirstAdapter, ...
    request.descriptors.emplace_back(adapter, number);
    request.arguments.insert(request.arguments.end(), {"--readable-fd", std::to_string(number)});
  }
  request.arguments.emplace_back("--");
  for (std::size_t i = 0; i < start.adapter_fds.size(); ++i) {
    request.arguments.insert(request.arguments.end(),
                             {"--lora", "/proc/self/fd/" + std::to_string(kFirstAdapter + i)});
  }
  request.arguments.insert(request.arguments.end(), start.flags.begin(), start.flags.end());
  out.child = TRY(spawner_.spawn(request));
  ChildGuard guard(out.child);
  report.writer.reset();
  theirs.reset();
  out.errors = std::move(errors.reader);
  out.token = Sensitive<std::string>(make_token());
  const std::string& token = out.token.reveal();
  if (send(out.control.get(), token.data(), token.size(), MSG_NOSIGNAL) < 0) {
    return fail(Code::kUnavailable, "the engine ended before it was sealed");
  }
  ReportReader reader(report.reader.get(), start.deadline);
  const std::string line = TRY(reader.line());
  out.grants = with_namespaces(TRY(grants_from_json(line)), out.child.namespaces);
  guard.dismiss();
  return out;
}

// A foreign llama-server: candor-launch sets the filter and Landlock, then executes it. It binds a
// socket in the private folder and takes its token from a file that only a descriptor names.
Result<StartedEngine> Launcher::start_foreign(const EngineStart& start) {
  StartedEngine out;
  out.token = Sensitive<std::string>(make_token());
  Pipe report = TRY(make_pipe());
  Pipe errors = TRY(make_pipe());
  const OwnedFd token_file(memfd_create("candor-token", MFD_CLOEXEC));
  const std::string& token = out.token.reveal();
  if (write(token_file.get(), token.data(), token.size()) < 0) return os_error("token");
  if (mkdir(runtime_folder_.c_str(), 0700) != 0 && errno != EEXIST) {
    return os_error("the engine's private folder " + runtime_folder_.string());
  }
  const OwnedFd folder(open(runtime_folder_.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (folder.get() < 0) return os_error("the engine's private folder " + runtime_folder_.string());
  int alive[2];
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, alive) != 0)
    return os_error("no socket");
  out.control = OwnedFd(alive[0]);
  const OwnedFd theirs(alive[1]);
  std::array<std::byte, 4> name{};
  system_random().fill(name);
  out.socket_path = (runtime_folder_ / ("e" + to_hex(name) + ".sock")).string();
  SpawnRequest request{.binary_fd = programs_.launch.fd.get(),
                       .arguments = {"candor-launch",
                                     "--program-fd",
                                     "6",
                                     "--model-fd",
                                     "4",
                                     "--report-fd",
                                     "5",
                                     "--token-fd",
                                     "7",
                                     "--folder-fd",
                                     "8",
                                     "--library-folder",
                                     engine_path_.parent_path().string(),
                                     "--data-limit",
                                     std::to_string(start.data_limit_bytes),
                                     "--",
                                     "llama-server",
                                     "-m",
                                     "/proc/self/fd/4",
                                     "--api-key-file",
                                     "/proc/self/fd/7",
                                     "--host",
                                     out.socket_path},
                       .descriptors = {{programs_.null.get(), 0},
                                       {errors.writer.get(), 1},
                                       {errors.writer.get(), 2},
                                       {theirs.get(), 3},
                                       {start.model_fd, 4},
                                       {report.writer.get(), 5},
                                       {programs_.engine.fd.get(), 6},
                                       {token_file.get(), 7},
                                       {folder.get(), 8}},
                       .scheduling = scheduling_};
  request.arguments.insert(request.arguments.end(), start.flags.begin(), start.flags.end());
  out.child = TRY(spawner_.spawn(request));
  ChildGuard guard(out.child);
  report.writer.reset();
  out.errors = std::move(errors.reader);
  ReportReader reader(report.reader.get(), start.deadline);
  const std::string line = TRY(reader.line());
  out.grants = with_namespaces(TRY(grants_from_json(line)), out.child.namespaces);
  guard.dismiss();
  return out;
}

}  // namespace candor::engine::internal
