#include "context.h"

#include <cerrno>
#include <cstring>

#include <fcntl.h>
#include <unistd.h>

#include "base/file_system.h"
#include "base/text.h"

namespace candor::cli {
namespace {

Code code_of(std::string_view word) {
  for (const Code code :
       {Code::kInvalidArgument, Code::kNotFound, Code::kPermissionDenied, Code::kFailedPrecondition,
        Code::kResourceExhausted, Code::kDeadlineExceeded, Code::kCancelled, Code::kUnavailable,
        Code::kDataLoss, Code::kInternal}) {
    if (to_string(code) == word) return code;
  }
  return Code::kInternal;
}

Code code_of_status(int status) {
  switch (status) {
    case 401:
    case 403:
    case 421: return Code::kPermissionDenied;
    case 404: return Code::kNotFound;
    case 409: return Code::kFailedPrecondition;
    case 429: return Code::kResourceExhausted;
    case 499: return Code::kCancelled;
    case 503: return Code::kUnavailable;
    case 504: return Code::kDeadlineExceeded;
    default: return status >= 500 ? Code::kInternal : Code::kInvalidArgument;
  }
}

Result<HttpReply> admin_http(const Context& context, std::string_view method,
                             const std::string& target, const json::Object& body) {
  HttpRequest request;
  request.method = method;
  request.target = target;
  if (method == "POST") request.body = json::to_text(body);
  HttpReply reply = TRY(http_call(context.admin(), request));
  if (reply.status != 200) return std::unexpected(reply_error(reply));
  return reply;
}

Error file_error(const std::filesystem::path& path, int error) {
  const Code code = error == ENOENT                     ? Code::kNotFound
                    : error == EACCES || error == EPERM ? Code::kPermissionDenied
                    : error == ENOSPC                   ? Code::kResourceExhausted
                                                        : Code::kUnavailable;
  return {code, path.string() + ": " + std::strerror(error)};
}

}  // namespace

Result<config::Config> read_config(const GlobalOptions& options) {
  config::Sources sources = config::default_sources(config::process_environment(), ::geteuid());
  if (!options.config_file.empty()) sources.file = options.config_file;
  sources.flags = options.flags;
  if (!options.data_dir.empty()) {
    std::error_code ignored;
    const auto folder = std::filesystem::absolute(options.data_dir, ignored);
    sources.flags.emplace_back("data_dir", folder.string());
  }
  return config::load_config(real_file_system(), sources);
}

Result<Context> Context::open(const GlobalOptions& options) {
  config::Config config = TRY(read_config(options));
  return Context(std::move(config), OutputOptions{.json = options.json, .raw = options.raw});
}

Endpoint Context::admin() const { return {.unix_path = config_.listen.admin_socket.string()}; }

Endpoint Context::api() const {
  Endpoint endpoint;
  const std::string socket = config_.listen.unix_socket.string();
  if (!socket.empty() && ::access(socket.c_str(), R_OK | W_OK) == 0) {
    endpoint.unix_path = socket;
  } else if (config_.listen.tcp) {
    endpoint.host = config_.listen.tcp->address;
    endpoint.port = config_.listen.tcp->port;
  } else {
    endpoint.unix_path = socket;
  }
  return endpoint;
}

std::filesystem::path program_folder() {
  std::error_code error;
  const auto self = std::filesystem::read_symlink("/proc/self/exe", error);
  return error ? std::filesystem::path("/usr/bin") : self.parent_path();
}

Error reply_error(const HttpReply& reply) {
  Code code = code_of_status(reply.status);
  std::string message = "the server answered with status " + std::to_string(reply.status);
  if (const auto value = json::parse(reply.body); value && value->is_object()) {
    const json::Object& error = object_of(value->get_object(), "error");
    if (std::string text = text_of(error, "message"); !text.empty()) message = std::move(text);
    if (const std::string word = text_of(error, "code"); !word.empty()) {
      if (const Code named = code_of(word); named != Code::kInternal) code = named;
    }
  }
  return {code, std::move(message)};
}

Result<json::Object> admin_call(const Context& context, std::string_view method,
                                const std::string& target, const json::Object& body) {
  const HttpReply reply = TRY(admin_http(context, method, target, body));
  json::Value value = TRY(json::parse(reply.body, {.max_bytes = 64U << 20U}));
  if (!value.is_object()) return fail(Code::kInternal, "the server's reply is no JSON object");
  return std::move(value.get_object());
}

Result<std::string> admin_text(const Context& context, const std::string& target) {
  HttpReply reply = TRY(admin_http(context, "GET", target, {}));
  return std::move(reply.body);
}

std::string text_of(const json::Object& object, std::string_view key) {
  const json::Value* value = json::find(object, key);
  if (value == nullptr) return {};
  if (value->is_string()) {
    return {value->get_string().data(), value->get_string().size()};
  }
  return value->is_int64() || value->is_uint64() || value->is_bool() ? json::to_text(*value)
                                                                     : std::string();
}

std::uint64_t number_of(const json::Object& object, std::string_view key) {
  const json::Value* value = json::find(object, key);
  if (value == nullptr) return 0;
  if (value->is_uint64()) return value->get_uint64();
  if (value->is_int64())
    return value->get_int64() < 0 ? 0 : static_cast<std::uint64_t>(value->get_int64());
  return parse_decimal(text_of(object, key)).value_or(0);
}

const json::Array& array_of(const json::Object& object, std::string_view key) {
  static const json::Array kEmpty;
  const json::Value* value = json::find(object, key);
  return value != nullptr && value->is_array() ? value->get_array() : kEmpty;
}

const json::Object& object_of(const json::Object& object, std::string_view key) {
  static const json::Object kEmpty;
  const json::Value* value = json::find(object, key);
  return value != nullptr && value->is_object() ? value->get_object() : kEmpty;
}

std::string percent_encode(std::string_view text) {
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
        c == '_' || c == '.') {
      out += c;
    } else {
      out += '%';
      out += kDigits[byte >> 4U];
      out += kDigits[byte & 15U];
    }
  }
  return out;
}

bool is_exchange_id(std::string_view text) {
  if (text.size() != 32) return false;
  return text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

Result<std::string> read_text_file(const std::filesystem::path& path, std::size_t max_bytes) {
  const int fd = path == "-" ? ::dup(STDIN_FILENO) : ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return std::unexpected(file_error(path, errno));
  std::string text;
  char piece[16384];
  while (true) {
    const ssize_t got = ::read(fd, piece, sizeof piece);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) {
      const int error = errno;
      ::close(fd);
      return std::unexpected(file_error(path, error));
    }
    if (got == 0) break;
    text.append(piece, static_cast<std::size_t>(got));
    if (text.size() > max_bytes) {
      ::close(fd);
      return fail(Code::kInvalidArgument,
                  path.string() + ": larger than " + std::to_string(max_bytes) + " bytes");
    }
  }
  ::close(fd);
  return text;
}

Result<void> write_text_file(const std::filesystem::path& path, std::string_view text,
                             unsigned mode) {
  std::error_code error;
  if (path.has_parent_path() && !std::filesystem::exists(path.parent_path(), error)) {
    TRY(real_file_system().make_folders(path.parent_path()));
  }
  const std::string scratch = path.string() + ".tmp" + std::to_string(::getpid());
  const int fd =
      ::open(scratch.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode);
  if (fd < 0) return std::unexpected(file_error(path, errno));
  int problem = 0;
  for (std::string_view rest = text; !rest.empty() && problem == 0;) {
    const ssize_t put = ::write(fd, rest.data(), rest.size());
    if (put < 0 && errno != EINTR) problem = errno;
    if (put > 0) rest.remove_prefix(static_cast<std::size_t>(put));
  }
  if (problem == 0 && ::fsync(fd) != 0) problem = errno;
  ::close(fd);
  if (problem == 0 && ::rename(scratch.c_str(), path.c_str()) != 0) problem = errno;
  if (problem != 0) {
    ::unlink(scratch.c_str());
    return std::unexpected(file_error(path, problem));
  }
  return {};
}

}  // namespace candor::cli
