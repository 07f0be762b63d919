"""Proxies to compare with, each started in front of an upstream; None where one is not to be had."""

import pathlib
import shutil
import subprocess

from lib import ROOT, Process, accepts


def nginx(folder, port, upstream_port):
    """nginx from Debian's package, unpacked beside us rather than installed; None if not to be had."""
    binary = shutil.which("nginx") or ROOT / ".cache/nginx/usr/sbin/nginx"
    if not pathlib.Path(binary).exists():
        target = ROOT / ".cache/nginx"
        target.mkdir(parents=True, exist_ok=True)
        done = subprocess.run("apt-get download nginx && dpkg-deb -x nginx_*.deb . && rm -f nginx_*.deb", shell=True,
                              cwd=target, capture_output=True, check=False)
        if done.returncode != 0 or not pathlib.Path(binary).exists():
            return None
    (folder / "nginx").mkdir()
    config = folder / "nginx.conf"
    config.write_text(f"""
worker_processes 1; daemon off; pid {folder}/nginx.pid; error_log {folder}/nginx.log;
events {{ worker_connections 1024; }}
http {{
  access_log off; client_body_temp_path {folder}/nginx; proxy_temp_path {folder}/nginx;
  fastcgi_temp_path {folder}/nginx; uwsgi_temp_path {folder}/nginx; scgi_temp_path {folder}/nginx;
  keepalive_requests 100000000;
  upstream canned {{ server 127.0.0.1:{upstream_port}; keepalive 512; keepalive_requests 100000000; }}
  server {{ listen 127.0.0.1:{port};
    location / {{ proxy_pass http://canned; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_buffering off; }} }}
}}""")
    return Process([binary, "-c", config, "-e", folder / "nginx.log"], folder / "nginx.out", wait_for=accepts(port))


def httputil(folder, port, upstream_port):
    """Go's httputil.ReverseProxy; None without a Go toolchain."""
    if not shutil.which("go"):
        return None
    binary = ROOT / ".cache/httputil_proxy"
    done = subprocess.run(["go", "build", "-o", binary, "."], cwd=ROOT / "benches/httputil_proxy", capture_output=True,
                          check=False)
    if done.returncode != 0:
        return None
    return Process([binary, f"127.0.0.1:{port}", f"http://127.0.0.1:{upstream_port}"], folder / "httputil.log",
                   wait_for=accepts(port))
