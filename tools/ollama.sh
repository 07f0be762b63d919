#!/usr/bin/env bash
# Builds Ollama, a rival of ./bench clients, from the Go module proxy and prints the program's path. The
# module's archive leaves out folders named vendor, so three headers come from our own llama.cpp sources.
#
# usage: tools/ollama.sh FOLDER     exit code 1, and why on standard error, where it does not build
set -euo pipefail
folder=$(realpath -m "${1:?usage: tools/ollama.sh FOLDER}")
cd "$(dirname "$0")/.."
version=v0.17.4
program=$folder/ollama-$version
if [[ ! -x $program ]]; then
  command -v go >/dev/null || { echo "candor: no Go here, so Ollama is not built" >&2; exit 1; }
  engine/fetch.sh >&2
  vendor=$PWD/third_party/llama.cpp/vendor
  mkdir -p "$folder"
  GOBIN=$folder/.new GOFLAGS=-mod=mod CGO_ENABLED=1 CGO_CPPFLAGS="-I$vendor" CGO_CFLAGS=-O3 CGO_CXXFLAGS=-O3 \
    timeout "${CANDOR_OLLAMA_SECONDS:-1500}" go install -trimpath "github.com/ollama/ollama@$version" >&2 ||
    { echo "candor: Ollama $version was not built (exit $?; 124 is: not within the time)" >&2; exit 1; }
  mv "$folder/.new/ollama" "$program"
  rmdir "$folder/.new"
fi
echo "$program"
