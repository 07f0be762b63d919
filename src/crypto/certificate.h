// X.509 certificates of others (RFC 5280) and their chains, from OpenSSL, for signatures on models
// and for Certificate Transparency (RFC 6962 section 3). Nothing here goes to the network: no
// revocation lists, no OCSP. Pure; thread-safe; hostile input is expected.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "crypto/public_key.h"

namespace candor::crypto {

class Certificate {
 public:
  // kInvalidArgument: not one certificate in DER, or longer than 64 KiB.
  [[nodiscard]] static Result<Certificate> from_der(ByteView der);
  // Every CERTIFICATE of the text in its order, at most 1,024. kInvalidArgument: none, or one that
  // is none.
  [[nodiscard]] static Result<std::vector<Certificate>> list_from_pem(std::string_view pem);

  [[nodiscard]] const Bytes& der() const noexcept { return der_; }
  [[nodiscard]] std::string pem() const { return to_pem("CERTIFICATE", der_); }
  // Errors as VerifyingKey::from_spki.
  [[nodiscard]] Result<VerifyingKey> key() const;
  [[nodiscard]] std::string subject() const;        // RFC 2253; foreign text
  [[nodiscard]] std::int64_t not_before_s() const;  // Unix time
  [[nodiscard]] std::int64_t not_after_s() const;
  [[nodiscard]] bool is_authority() const;  // basicConstraints: CA
  // Usages that it names; absent extensions name none.
  [[nodiscard]] bool for_digital_signature() const;
  [[nodiscard]] bool for_code_signing() const;
  // subjectAltName: rfc822Name, URI, and otherName of Fulcio's user names (UTF8String).
  [[nodiscard]] std::vector<std::string> alternative_names() const;
  // Content of an extension by its dotted number.
  [[nodiscard]] std::optional<Bytes> extension(const std::string& number) const;
  // TBSCertificate without the list of timestamps: what a CT log signed (RFC 6962 section 3.2).
  [[nodiscard]] Result<Bytes> precertificate() const;

  struct Handle;
  [[nodiscard]] const Handle& handle() const noexcept { return *handle_; }  // of this module

 private:
  Certificate() = default;
  Bytes der_;
  std::shared_ptr<const Handle> handle_;
};

// The path from leaf (first) to one of roots (last) that holds at a time: signatures, validity,
// authorities, no hash weaker than SHA-256. kPermissionDenied says what does not hold.
[[nodiscard]] Result<std::vector<Certificate>> verify_chain(
    const Certificate& leaf, std::span<const Certificate> intermediates,
    std::span<const Certificate> roots, std::int64_t at_s);

}  // namespace candor::crypto
