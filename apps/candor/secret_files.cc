#include "secret_files.h"

#include <sys/stat.h>

#include "base/clock.h"

namespace candor::cli {
namespace {

Path resolved(const Path& path) {
  std::error_code ignored;
  const Path out = std::filesystem::canonical(path, ignored);
  return out.empty() ? path : out;
}

}  // namespace

Result<std::string> read_configured_file(const Path& path, std::size_t max_bytes) {
  auto bytes = read_file(real_file_system(), resolved(path), max_bytes);
  if (!bytes) {
    std::string what = bytes.error().message();
    if (bytes.error().code() == Code::kPermissionDenied) {
      what +=
          ". A running server may only open files in folders that its configuration named when "
          "it started; if this one is new there, restart it";
    }
    return fail(bytes.error().code(), path.string() + ": " + what);
  }
  return std::string(as_text(*bytes));
}

Result<Sensitive<std::string>> read_secret_file(const Path& path) {
  struct stat found{};
  if (::stat(path.c_str(), &found) == 0 && (found.st_mode & 0007) != 0) {
    return fail(Code::kPermissionDenied,
                path.string() + ": everybody on this machine may use this secret; chmod o-rwx it");
  }
  return Sensitive<std::string>(TRY(read_configured_file(path)));
}

Result<std::shared_ptr<const http::TlsContext>> TlsFiles::load() {
  loaded_ = stamps();
  http::TlsServerMaterial material;
  material.certificate_pem = TRY(read_configured_file(config_.certificate));
  material.key_pem = TRY(read_secret_file(config_.key));
  if (!config_.client_ca.empty())
    material.client_ca_pem = TRY(read_configured_file(config_.client_ca));
  material.client_required = config_.client_required;
  auto context = http::TlsContext::server(material, system_clock().wall_us() / 1'000'000);
  if (!context) {
    return std::unexpected(Error(context.error()).with_context(config_.certificate.string()));
  }
  return context;
}

bool TlsFiles::changed() const { return stamps() != loaded_; }

std::vector<std::string> TlsFiles::stamps() const {
  std::vector<std::string> out;
  for (const Path& path : {config_.certificate, config_.key, config_.client_ca}) {
    struct stat found{};
    if (path.empty() || ::stat(path.c_str(), &found) != 0) {
      out.emplace_back();
      continue;
    }
    out.push_back(std::to_string(found.st_ino) + " " + std::to_string(found.st_size) + " " +
                  std::to_string(found.st_mtim.tv_sec) + "." +
                  std::to_string(found.st_mtim.tv_nsec));
  }
  return out;
}

}  // namespace candor::cli
