#!/usr/bin/env bash
# Builds candor-engine once for every preset: build/engine (objects), build/bin/candor-engine and its
# manifest build/bin/candor-engine.json. About 6 minutes on two cores the first time, nothing later.
#   CANDOR_LLAMA_SOURCE=DIR   other sources of llama.cpp (our patches must be applied in them)
#   CANDOR_ENGINE_JOBS=N      default: all processors
#   CANDOR_ENGINE_BUILD=DIR, CANDOR_ENGINE_BIN=DIR   other folders for objects and programs
#   engine/build.sh --rival   also llama-server beside it, for ./bench engine and for tests
#   engine/build.sh --wrong   also candor-engine-wrong, whose kernels are wrong, for tests
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(dirname "$here")
build=${CANDOR_ENGINE_BUILD:-$root/build/engine}
bin=${CANDOR_ENGINE_BIN:-$root/build/bin}
mkdir -p "$build" "$bin"
exec 9> "$build/.lock"
flock 9  # several presets may ask at once

source_folder=${CANDOR_LLAMA_SOURCE:-}
if [[ -z $source_folder ]]; then
  "$here/fetch.sh"
  source_folder=$root/third_party/llama.cpp
fi
# llama.cpp asks git for a commit; this repository's must not get into the engine's bytes.
GIT_CEILING_DIRECTORIES=$(cd "$source_folder/.." && pwd)
export GIT_CEILING_DIRECTORIES
launcher=()
if command -v ccache >/dev/null; then
  launcher=(-DCMAKE_C_COMPILER_LAUNCHER=ccache -DCMAKE_CXX_COMPILER_LAUNCHER=ccache)
fi
cmake -S "$here/llama" -B "$build" -G Ninja -DCMAKE_BUILD_TYPE=Release \
  -DCMAKE_C_COMPILER=clang-19 -DCMAKE_CXX_COMPILER=clang++-19 "${launcher[@]}" \
  -DCANDOR_LLAMA_SOURCE="$source_folder" > "$build/configure.log" 2>&1 ||
  { tail -20 "$build/configure.log" >&2; exit 1; }
targets=(candor-engine)
for option in "$@"; do
  case $option in
    --rival) targets+=(llama-server) ;;
    --wrong) targets+=(candor-engine-wrong) ;;
    *) echo "engine/build.sh: unknown option '$option'" >&2; exit 2 ;;
  esac
done
ninja -C "$build" -j "${CANDOR_ENGINE_JOBS:-$(nproc)}" "${targets[@]}"

"$here/manifest.py" --source "$source_folder" --build "$build" > "$build/candor-engine.json"
# Each copied beside its name and renamed, so that a running engine is not disturbed.
place() {
  if ! cmp -s "$1" "$2"; then
    cp "$1" "$2.new"
    mv "$2.new" "$2"
  fi
}
place "$build/candor-engine" "$bin/candor-engine"
place "$build/candor-engine.json" "$bin/candor-engine.json"
for option in "$@"; do
  case $option in
    --rival) place "$build/bin/llama-server" "$bin/llama-server" ;;
    --wrong) place "$build/candor-engine-wrong" "$bin/candor-engine-wrong" ;;
  esac
done
