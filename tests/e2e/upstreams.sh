#!/usr/bin/env bash
# Puts servers that others wrote, as upstream engines for tests/e2e/test_upstreams.py, into .cache/upstreams:
# LiteLLM's proxy, and llama-cpp-python, which compiles its llama.cpp (about 10 minutes on two cores). ./check does not
# call it; those tests are skipped without it.
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
packages=('litellm[proxy]' 'llama-cpp-python[server]')
venv=$root/.cache/upstreams
stamp="$(python3 --version) ${packages[*]}"
[[ -f $venv/.candor && $(cat "$venv/.candor") == "$stamp" ]] && exit 0
[[ -d $venv ]] || python3 -m venv "$venv"
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check "${packages[@]}"
echo "$stamp" >"$venv/.candor"
