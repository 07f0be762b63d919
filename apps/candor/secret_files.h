// Files that the configuration names and that hold certificates and keys: read whole, symbolic
// links followed (certificate tools use them), secrets refused where everybody could read them.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/file_system.h"
#include "base/result.h"
#include "base/sensitive.h"
#include "config/config.h"
#include "http/tls.h"

namespace candor::cli {

// Messages name the file and what to do.
[[nodiscard]] Result<std::string> read_configured_file(const Path& path,
                                                       std::size_t max_bytes = 1U << 20U);
// Also kPermissionDenied: others may read it.
[[nodiscard]] Result<Sensitive<std::string>> read_secret_file(const Path& path);

// The TLS listener's certificate, key and authorities, which may be replaced while it runs.
class TlsFiles {
 public:
  explicit TlsFiles(config::ListenTls config) : config_(std::move(config)) {}
  // A context from what the files hold now.
  [[nodiscard]] Result<std::shared_ptr<const http::TlsContext>> load();
  // Since the last load(), whether that was taken or not.
  [[nodiscard]] bool changed() const;

 private:
  [[nodiscard]] std::vector<std::string> stamps() const;
  config::ListenTls config_;
  std::vector<std::string> loaded_;
};

}  // namespace candor::cli
