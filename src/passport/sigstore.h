// Who signed an envelope, by Sigstore's rules and offline: identity, certificate, transparency log,
// trusted time (docs/formats/model-signature.md lists the ten checks; sigstore's client
// specification; RFC 6962; RFC 3161). Pure; hostile input is expected in the bundle.
#pragma once

#include <string>

#include "base/result.h"
#include "passport/bundle.h"
#include "passport/signature.h"
#include "passport/trusted_root.h"

namespace candor::passport {

struct Identity {
  std::string identity;  // a subject alternative name: an e-mail address or a URI
  std::string issuer;    // who vouched for it: an OpenID Connect issuer's URL
};

// Errors as signature.h's. kFailedPrecondition also: a kind of log entry that is not taken, by
// name. kPermissionDenied also: identity, issuer, log, authority or time that are not the root's or
// not those asked for.
[[nodiscard]] Result<Signer> verify_with_sigstore(const Bundle& bundle, const TrustedRoot& root,
                                                  const Identity& who);

}  // namespace candor::passport
