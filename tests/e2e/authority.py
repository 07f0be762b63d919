"""A certificate authority of the test's own, by the openssl command."""
import pathlib
import subprocess


def openssl(*words):
    subprocess.run(["openssl", *map(str, words)], check=True, capture_output=True, stdin=subprocess.DEVNULL)


class Authority:
    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.certificate = self.folder / "ca.pem"
        self.key = self.folder / "ca.key"
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", 30,
                "-subj", "/CN=test authority", "-keyout", self.key, "-out", self.certificate)

    def issue(self, name, alternative="DNS:localhost,IP:127.0.0.1", into=None):
        """certificate and key, into files of that name; replaced by rename, as certificate tools do."""
        certificate, key = self.folder / f"{into or name}.pem", self.folder / f"{into or name}.key"
        request, made, made_key = (self.folder / f"next.{kind}" for kind in ("csr", "pem", "key"))
        openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", f"/CN={name}",
                "-keyout", made_key, "-out", request)
        extensions = self.folder / "next.cnf"
        extensions.write_text(f"subjectAltName={alternative}\n" if alternative else "basicConstraints=CA:FALSE\n")
        openssl("x509", "-req", "-in", request, "-CA", self.certificate, "-CAkey", self.key, "-CAcreateserial",
                "-days", 30, "-extfile", extensions, "-out", made)
        made_key.chmod(0o600)
        made_key.rename(key)
        made.rename(certificate)
        return certificate, key
