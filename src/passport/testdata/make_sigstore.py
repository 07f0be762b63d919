#!/usr/bin/env python3
"""A Sigstore of its own, made once: authority, CT log, Rekor v1 and v2, timestamp authority; and a bundle by each of its ways.

usage: make_sigstore.py FOLDER       needs the Python package sigstore (4.5.1) and the program openssl

What it writes is held against sigstore's own verifier before it is kept. The keys are thrown away. model/weights.bin holds "weights".
"""
import base64
import datetime
import hashlib
import json
import pathlib
import struct
import subprocess
import sys
import tempfile

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from sigstore.models import Bundle, TrustedRoot
from sigstore.verify import Verifier, policy

NOW = datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0)
IDENTITY, ISSUER = "release@acme.example", "https://accounts.acme.example"
b64 = lambda raw: base64.b64encode(raw).decode()
sha256 = lambda raw: hashlib.sha256(raw).digest()
der = lambda cert: cert.public_bytes(Encoding.DER)
spki = lambda key: key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
name = lambda text: x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, "acme.example"), x509.NameAttribute(NameOID.COMMON_NAME, text)])
usage = lambda **on: x509.KeyUsage(**{**dict.fromkeys(("digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement",
                                                       "key_cert_sign", "crl_sign", "encipher_only", "decipher_only"), False), **on})
SHA256, SHA384 = hashes.SHA256(), hashes.SHA384()
ecdsa = lambda key, data: key.sign(data, ec.ECDSA(SHA256))


def certificate(subject, key, issuer, issuer_key, start, end, *extensions):
    builder = (x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(key.public_key()).serial_number(x509.random_serial_number())
               .not_valid_before(start).not_valid_after(end)
               .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False)
               .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), False))
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical)
    return builder


def der_value(tag, content):
    size = len(content)
    return bytes([tag]) + (bytes([size]) if size < 128 else bytes([0x82, size >> 8, size & 255])) + content


def node(left, right):
    return sha256(b"\1" + left + right)


def main():
    out = pathlib.Path(sys.argv[1])
    years = datetime.timedelta(days=3650)
    ca = lambda depth: ((x509.BasicConstraints(True, depth), True), (usage(key_cert_sign=True, crl_sign=True), True))
    root_key, middle_key, tsa_key = (ec.generate_private_key(ec.SECP384R1()) for _ in range(3))
    leaf_key, ct_key, rekor_key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(3))
    rekor2_key = ed25519.Ed25519PrivateKey.generate()
    start = NOW - datetime.timedelta(days=1)
    root = certificate(name("root"), root_key, name("root"), root_key, start, NOW + years, *ca(None)).sign(root_key, SHA384)
    middle = certificate(name("middle"), middle_key, name("root"), root_key, start, NOW + years, *ca(0),
                         (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CODE_SIGNING]), False)).sign(root_key, SHA384)
    tsa = certificate(name("tsa"), tsa_key, name("root"), root_key, start, NOW + years, (usage(digital_signature=True), True),
                      (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.TIME_STAMPING]), True)).sign(root_key, SHA384)

    builder = certificate(
        x509.Name([]), leaf_key, name("middle"), middle_key, NOW - datetime.timedelta(minutes=5), NOW + datetime.timedelta(minutes=5),
        (usage(digital_signature=True), True), (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CODE_SIGNING]), False),
        (x509.SubjectAlternativeName([x509.RFC822Name(IDENTITY)]), True),
        (x509.UnrecognizedExtension(x509.ObjectIdentifier("1.3.6.1.4.1.57264.1.1"), ISSUER.encode()), False),
        (x509.UnrecognizedExtension(x509.ObjectIdentifier("1.3.6.1.4.1.57264.1.8"), der_value(0x0C, ISSUER.encode())), False))
    tbs = builder.sign(middle_key, SHA384).tbs_certificate_bytes
    when = int(NOW.timestamp() * 1000)
    signed = struct.pack("!BBQH", 0, 0, when, 1) + sha256(spki(middle_key)) + len(tbs).to_bytes(3, "big") + tbs + b"\0\0"
    signature = ecdsa(ct_key, signed)
    sct = b"\0" + sha256(spki(ct_key)) + struct.pack("!QHBBH", when, 0, 4, 3, len(signature)) + signature
    sct_list = struct.pack("!HH", len(sct) + 2, len(sct)) + sct
    leaf = builder.add_extension(x509.UnrecognizedExtension(x509.ObjectIdentifier("1.3.6.1.4.1.11129.2.4.2"), der_value(0x04, sct_list)), False).sign(middle_key, SHA384)

    digest = sha256(b"weights").hex()
    payload = json.dumps({
        "_type": "https://in-toto.io/Statement/v1", "subject": [{"name": "model", "digest": {"sha256": sha256(bytes.fromhex(digest)).hex()}}],
        "predicateType": "https://model_signing/signature/v1.0",
        "predicate": {"serialization": {"method": "files", "hash_type": "sha256", "allow_symlinks": False},
                      "resources": [{"name": "weights.bin", "algorithm": "sha256", "digest": digest}]}}).encode()
    kind = "application/vnd.in-toto+json"
    pae = f"DSSEv1 {len(kind)} {kind} {len(payload)} ".encode() + payload
    signature = ecdsa(leaf_key, pae)
    envelope = {"payload": b64(payload), "payloadType": kind, "signatures": [{"sig": b64(signature)}]}

    def entry(log_id, version, origin, key_hint, body, sign):
        body = json.dumps(body, sort_keys=True, separators=(",", ":")).encode()
        leaves = [sha256(b"\0" + text) for text in (b"one", b"two", body, b"four", b"five")]
        proof = [leaves[3], node(leaves[0], leaves[1]), leaves[4]]
        tree = node(node(proof[1], node(leaves[2], leaves[3])), leaves[4])
        text = f"{origin}\n5\n{b64(tree)}\n"
        note = f"{text}\n\u2014 {origin.split()[0]} {b64(key_hint[:4] + sign(text.encode()))}\n"
        return {"logIndex": "2", "logId": {"keyId": b64(log_id)}, "kindVersion": {"kind": version[0], "version": version[1]},
                "inclusionProof": {"logIndex": "2", "rootHash": b64(tree), "treeSize": "5", "hashes": list(map(b64, proof)), "checkpoint": {"envelope": note}},
                "canonicalizedBody": b64(body)}

    rekor_id = sha256(spki(rekor_key))
    first = entry(rekor_id, ("dsse", "0.0.1"), "rekor.acme.example - 1", rekor_id, {
        "apiVersion": "0.0.1", "kind": "dsse", "spec": {
            "envelopeHash": {"algorithm": "sha256", "value": "0" * 64}, "payloadHash": {"algorithm": "sha256", "value": sha256(payload).hex()},
            "signatures": [{"signature": b64(signature), "verifier": b64(leaf.public_bytes(Encoding.PEM))}]}}, lambda text: ecdsa(rekor_key, text))
    at = int(NOW.timestamp())
    promise = json.dumps({"body": first["canonicalizedBody"], "integratedTime": at, "logID": rekor_id.hex(), "logIndex": 2}, sort_keys=True, separators=(",", ":"))
    first |= {"integratedTime": str(at), "inclusionPromise": {"signedEntryTimestamp": b64(ecdsa(rekor_key, promise.encode()))}}

    raw = rekor2_key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    origin = "log2.rekor.acme.example"
    rekor2_id = sha256(origin.encode() + b"\n\1" + raw)
    second = entry(rekor2_id, ("hashedrekord", "0.0.2"), origin, rekor2_id, {
        "apiVersion": "0.0.2", "kind": "hashedrekord", "spec": {"hashedRekordV002": {
            "data": {"algorithm": "SHA2_256", "digest": b64(sha256(pae))},
            "signature": {"content": b64(signature), "verifier": {"keyDetails": "PKIX_ECDSA_P256_SHA_256", "x509Certificate": {"rawBytes": b64(der(leaf))}}}}}},
        rekor2_key.sign)

    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        (folder / "sig").write_bytes(signature)
        (folder / "tsa.pem").write_bytes(tsa.public_bytes(Encoding.PEM))
        (folder / "tsa.key").write_bytes(tsa_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        (folder / "serial").write_text("01\n")
        (folder / "ts.conf").write_text("[tsa]\ndefault_tsa=t\n[t]\nserial=serial\nsigner_cert=tsa.pem\nsigner_key=tsa.key\nsigner_digest=sha256\n"
                                        "default_policy=1.3.6.1.4.1.57264.2\ndigests=sha256\ness_cert_id_alg=sha256\n")
        for words in ("-query -data sig -sha256 -cert -out query", "-reply -config ts.conf -queryfile query -section t -out reply"):
            subprocess.run(["openssl", "ts", *words.split()], cwd=folder, check=True, capture_output=True)
        timestamp = (folder / "reply").read_bytes()

    bundle = lambda *entries, times=(): {
        "mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json", "dsseEnvelope": envelope,
        "verificationMaterial": {"certificate": {"rawBytes": b64(der(leaf))}, "tlogEntries": list(entries),
                                 "timestampVerificationData": {"rfc3161Timestamps": [{"signedTimestamp": b64(one)} for one in times]}}}
    valid = {"start": start.strftime("%Y-%m-%dT%H:%M:%SZ")}
    log = lambda url, key_bytes, details, log_id: {"baseUrl": url, "hashAlgorithm": "SHA2_256", "logId": {"keyId": b64(log_id)},
                                                   "publicKey": {"rawBytes": b64(key_bytes), "keyDetails": details, "validFor": valid}}
    authority = lambda *chain: {"subject": {"organization": "acme.example", "commonName": "acme"}, "uri": "https://acme.example", "validFor": valid,
                                "certChain": {"certificates": [{"rawBytes": b64(der(one))} for one in chain]}}
    p256 = "PKIX_ECDSA_P256_SHA_256"
    files = {
        "trusted_root.json": {
            "mediaType": "application/vnd.dev.sigstore.trustedroot+json;version=0.1",
            "tlogs": [log("https://rekor.acme.example", spki(rekor_key), p256, rekor_id), log("https://" + origin, spki(rekor2_key), "PKIX_ED25519", rekor2_id)],
            "certificateAuthorities": [authority(middle, root)], "ctlogs": [log("https://ct.acme.example", spki(ct_key), p256, sha256(spki(ct_key)))],
            "timestampAuthorities": [authority(tsa, root)]},
        "rekor1.bundle.json": bundle(first), "rekor1_timestamp.bundle.json": bundle(first, times=[timestamp]), "rekor2.bundle.json": bundle(second, times=[timestamp])}
    for file, value in files.items():
        (out / file).write_text(json.dumps(value) + "\n")
    verifier = Verifier(trusted_root=TrustedRoot.from_file(str(out / "trusted_root.json")))
    for file in files:
        if "bundle" in file:
            verifier.verify_dsse(Bundle.from_json((out / file).read_text()), policy.Identity(identity=IDENTITY, issuer=ISSUER))
            print(file, "holds for sigstore's own verifier")


main()
