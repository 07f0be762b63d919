#!/usr/bin/env bash
# Gets llama.cpp's sources (A4): npm package node-llama-cpp, integrity pinned, unpacked without its
# install scripts; the git bundle inside it, digest pinned; our patches applied. Idempotent: a second
# call finds the stamp and does nothing. Usage: engine/fetch.sh [DESTINATION]
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(dirname "$here")
destination=${1:-$root/third_party/llama.cpp}

package=node-llama-cpp@3.22.1
package_sha512=bltIipuWmc123H7tMIgDGKSsSrhmhlQYeVUC48XTjVW7XGJJiJJyCdlTMzQ/LiWoPkGDpcL4FviDpgw7qfTiDw==
bundle_sha256=5f5d1105d5df040738d87b8290e5d17e7362131cdcfdb0831618e0ea528b4a51
commit=de3ff815ea7d559ee917f063901b8986f038abc6

stamp=$destination/.candor-source
wanted="$bundle_sha256 $(cat "$here"/patches/*.patch | sha256sum | cut -d' ' -f1)"
if [[ -f $stamp && $(cat "$stamp") == "$wanted" ]]; then
  echo "engine sources: present in ${destination#"$root"/}"
  exit 0
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cache=$root/third_party/cache
mkdir -p "$cache" "$(dirname "$destination")"
archive=$cache/node-llama-cpp-3.22.1.tgz
sha512() { openssl dgst -sha512 -binary "$1" | base64 -w0; }
if [[ ! -f $archive || $(sha512 "$archive") != "$package_sha512" ]]; then
  command -v npm >/dev/null || { echo "engine/fetch.sh needs npm (Debian package npm)" >&2; exit 1; }
  echo "engine sources: npm pack $package"
  (cd "$work" && npm pack --ignore-scripts --silent "$package" >/dev/null)
  mv "$work/node-llama-cpp-3.22.1.tgz" "$archive.part"
  got=$(sha512 "$archive.part")
  if [[ $got != "$package_sha512" ]]; then
    echo "node-llama-cpp: integrity sha512-$got is not the pinned one; nothing was used" >&2
    rm -f "$archive.part"
    exit 1
  fi
  mv "$archive.part" "$archive"
fi
tar -xzf "$archive" -C "$work" package/llama/gitRelease.bundle
bundle=$work/package/llama/gitRelease.bundle
echo "$bundle_sha256  $bundle" | sha256sum --check --quiet
git -c advice.detachedHead=false clone --quiet "$bundle" "$work/source"
if [[ $(git -C "$work/source" rev-parse HEAD) != "$commit" ]]; then
  echo "the bundle's commit is not the pinned one; nothing was used" >&2
  exit 1
fi
rm -rf "$work/source/.git"
for patch in "$here"/patches/*.patch; do
  (cd "$work/source" && patch --quiet --strip=1 --no-backup-if-mismatch < "$patch")
  echo "engine sources: applied $(basename "$patch")"
done
echo "$wanted" > "$work/source/.candor-source"
# Only what changed is replaced, so that a rebuild compiles only that.
mkdir -p "$destination"
if command -v rsync >/dev/null; then
  rsync --recursive --links --checksum --delete "$work/source/" "$destination/"
else
  rm -rf "$destination"
  mv "$work/source" "$destination"
fi
echo "engine sources: llama.cpp ${commit:0:8} in ${destination#"$root"/}"
