#!/usr/bin/env bash
# Tessera's fsck reads what Candor publishes (A17): it accepts the folder as it lies and refuses it
# after one changed byte; candor-verify agrees in each case.
#
# usage: fsck.sh [FOLDER VKEY_FILE]
#   Without a folder: synthetic logs of several sizes. Programs are taken from build/bin or $CANDOR_BIN.
#   fsck is taken from $FSCK, or built once from the Go module proxy into $CANDOR_INTEROP_CACHE.
set -euo pipefail
cd "$(dirname "$0")/../.."

readonly version=v1.0.4
bin=${CANDOR_BIN:-build/bin}
cache=${CANDOR_INTEROP_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/candor/interop}
fsck=${FSCK:-$cache/fsck}
if [[ ! -x $fsck ]]; then
  command -v go >/dev/null || { echo "SKIP: no go to build Tessera's fsck with"; exit 77; }
  mkdir -p "$cache"
  GOBIN=$(realpath "$cache") go install "github.com/transparency-dev/tessera/cmd/fsck@$version" \
    || { echo "SKIP: Tessera's fsck could not be built"; exit 77; }
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
checks=0

# fsck exits 0 either way: its last line tells. On some damage it waits for ever: that is no acceptance.
accepted() {  # FOLDER VKEY
  timeout "${FSCK_SECONDS:-20}" "$fsck" -ui=false -storage_url="file://$1/" -public_key="$2" 2>&1 | tail -n 1 |
    grep -q "Successfully fsck'd log"
}
expect() {  # yes|no FOLDER VKEY WHAT
  local fsck_says=no verify_says=no
  accepted "$2" "$3" && fsck_says=yes
  "$bin/candor-verify" log "$2" --log-key "$3" >/dev/null 2>&1 && verify_says=yes
  if [[ $fsck_says != "$1" || $verify_says != "$1" ]]; then
    echo "FAIL: $4: wanted $1, fsck says $fsck_says, candor-verify says $verify_says"
    exit 1
  fi
  checks=$((checks + 1))
}
flip() {  # FILE: one byte in its middle
  python3 - "$1" <<'PY'
import sys
with open(sys.argv[1], "r+b") as file:
    data = bytearray(file.read())
    data[len(data) // 2] ^= 1
    file.seek(0)
    file.write(data)
PY
}
try() {  # FOLDER VKEY NAME
  expect yes "$1" "$2" "$3 as it lies"
  local file
  # One file of each kind: the checkpoint, a bundle, a tile of each level.
  while read -r file; do
    cp "$file" "$work/kept"
    flip "$file"
    expect no "$1" "$2" "$3 with a changed byte in ${file#"$1"/}"
    cp "$work/kept" "$file"
  done < <(echo "$1/checkpoint"; for kind in "$1"/tile/*/; do find "$kind" -type f | sort | tail -n 1; done)
  expect yes "$1" "$2" "$3 put back"
}

if [[ $# -eq 2 ]]; then
  cp -r "$1" "$work/log"
  try "$work/log" "$(realpath "$2")" "$1"
else
  for size in 5 255 256 257 600 70000; do
    "$bin/candor-make-log" "$work/$size" "$size"
    try "$work/$size" "$work/$size/log.vkey" "a log of $size"
  done
fi
echo "ok: $checks checks, fsck and candor-verify agree in each"
