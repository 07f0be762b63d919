#include "base/check.h"
#include "json/json.h"
#include "passport/bundle.h"

namespace candor::passport {

std::string format_bundle(const Bundle& bundle) {
  CANDOR_CHECK(bundle.method != Bundle::Method::kSigstore);
  json::Object material;
  if (bundle.method == Bundle::Method::kKey) {
    material["publicKey"] = json::Object{{"hint", bundle.key_hint}};
  } else {
    json::Array certificates;
    for (const Bytes& one : bundle.certificates) {
      certificates.push_back(json::Object{{"rawBytes", to_base64(one)}});
    }
    material["x509CertificateChain"] = json::Object{{"certificates", std::move(certificates)}};
  }
  material["tlogEntries"] = json::Array{};
  json::Array signatures;
  signatures.push_back(json::Object{{"sig", to_base64(bundle.envelope.signature)}, {"keyid", ""}});
  json::Object out;
  out["mediaType"] = kBundleMediaType;
  out["verificationMaterial"] = std::move(material);
  out["dsseEnvelope"] = json::Object{{"payload", to_base64(bundle.envelope.payload)},
                                     {"payloadType", bundle.envelope.payload_type},
                                     {"signatures", std::move(signatures)}};
  return json::to_text(out);
}

}  // namespace candor::passport
