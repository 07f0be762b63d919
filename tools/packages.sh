# What Candor needs from Debian 12, in one place; sourced by quickstart, check and bench.
# shellcheck shell=bash

candor_build_packages=(
  clang-19 lld-19 cmake ninja-build ccache pkg-config git unzip curl ca-certificates
  libboost1.81-dev libboost-json1.81-dev libssl-dev libsodium-dev libfmt-dev libcli11-dev
  libtomlplusplus-dev libsqlite3-dev libjemalloc-dev libre2-dev libvectorscan-dev libutf8proc-dev
  libcurl4-openssl-dev zlib1g-dev
  python3 python3-venv python3-pip
)
candor_test_packages=(
  libgtest-dev libgmock-dev libclang-rt-19-dev clang-format-19 llvm-19 jq zsh fish systemd-container
  openssl chromium
)
candor_bench_packages=(librocksdb-dev libbenchmark-dev jq)

# Prints the packages among "$@" that are not installed. npm and node count as present when any
# version answers, since people often have them from elsewhere.
missing_packages() {
  local name
  for name in "$@"; do
    dpkg-query -W -f='${db:Status-Status}' "$name" 2>/dev/null | grep -qx installed || echo "$name"
  done
  if ! command -v npm >/dev/null || ! command -v node >/dev/null; then echo npm; fi
}

# Installs what is missing. Exit code 3 and the command to run where nobody here may install.
ensure_packages() {
  local missing
  mapfile -t missing < <(missing_packages "$@")
  ((${#missing[@]} == 0)) && return 0
  local as_root=()
  if [[ $(id -u) -ne 0 ]]; then
    if command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
      as_root=(sudo)
    elif command -v sudo >/dev/null && [[ -t 0 ]]; then
      as_root=(sudo)
    else
      echo "candor: some Debian packages are missing and this user may not install them. Run as root:" >&2
      echo "  apt-get update && apt-get install -y --no-install-recommends ${missing[*]}" >&2
      return 3
    fi
  fi
  local log
  log=$(mktemp)
  if ! { "${as_root[@]}" apt-get update -q &&
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -q \
      --no-install-recommends "${missing[@]}"; } >"$log" 2>&1; then
    tail -n 20 "$log" >&2
    echo "candor: installing ${missing[*]} failed; the last lines stand above" >&2
    return 1
  fi
  rm -f "$log"
}
