// Certificates for tests: an authority of the test's own and what it signs.
#pragma once

#include <cstdint>
#include <string>

namespace candor::http::testing {

struct Credentials {
  std::string certificate_pem;
  std::string key_pem;
};

struct CertificateOptions {
  std::string common_name = "a test";
  std::string alternative_names = "DNS:localhost,IP:127.0.0.1";  // as OpenSSL writes them
  std::int64_t days = 30;                                        // negative: expired
};

class Authority {
 public:
  Authority();
  [[nodiscard]] const std::string& certificate_pem() const { return own_.certificate_pem; }
  [[nodiscard]] Credentials issue(const CertificateOptions& options = {}) const;

 private:
  Credentials own_;
};

}  // namespace candor::http::testing
