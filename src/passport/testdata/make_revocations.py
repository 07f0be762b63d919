"""Makes revocations.json and revocations.sig.json, with Python's own JSON and pyca/cryptography:
    python3 make_revocations.py
The key is that of RFC 8032, section 7.1, TEST 1, so the bundle is the same on every run."""
import base64
import hashlib
import json
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

HERE = Path(__file__).parent
TYPE = "application/vnd.in-toto+json"
key = Ed25519PrivateKey.from_private_bytes(bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60"))
spki = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
pem = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
revocations = [
    {"date": "2026-11-26T06:00:00Z", "name": "acme-7b", "reason": "hidden instructions in its template", "sha256": hashlib.sha256(b"a").hexdigest()},
    {"date": "2026-11-25T06:00:00Z", "reason": "withdrawn by its maker", "sha256": hashlib.sha256(b"b").hexdigest()},
]
revocations.sort(key=lambda one: one["sha256"])
document = json.dumps({
    "_type": "https://in-toto.io/Statement/v1",
    "subject": [{"digest": {"sha256": r["sha256"]}, "name": r.get("name", "weights")} for r in revocations],
    "predicateType": "https://candor/revocations/v1",
    "predicate": {"issuer": {"key": hashlib.sha256(spki).hexdigest(), "name": "Acme security"}, "made": "2026-11-26T06:30:00Z",
                  "revocations": revocations, "sequence": 7},
}, sort_keys=True, separators=(",", ":")).encode()
pae = b"DSSEv1 %d %s %d %s" % (len(TYPE), TYPE.encode(), len(document), document)
bundle = {
    "mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json",
    "verificationMaterial": {"publicKey": {"hint": hashlib.sha256(pem).hexdigest()}, "tlogEntries": []},
    "dsseEnvelope": {"payload": base64.b64encode(document).decode(), "payloadType": TYPE,
                     "signatures": [{"sig": base64.b64encode(key.sign(pae)).decode(), "keyid": ""}]},
}
(HERE / "revocations.json").write_bytes(document)
(HERE / "revocations.sig.json").write_text(json.dumps(bundle))
(HERE / "revocations.pub").write_bytes(pem)
