#!/usr/bin/env bash
# Puts the real clients that the end-to-end tests use into .cache/venv (Python) and .cache/node (Node),
# pinned. A second call finds them and does nothing. No lock file is kept: those name registry hosts.
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
python_packages=(pytest==9.2.0 openai==3.54.0 anthropic==2.12.0 ollama==0.6.3)
node_packages=(openai@7.57.0 @anthropic-ai/sdk@1.12.0)

venv=$root/.cache/venv
stamp="$(python3 --version) ${python_packages[*]}"
if [[ ! -f $venv/.candor || $(cat "$venv/.candor") != "$stamp" ]]; then
  rm -rf "$venv"
  python3 -m venv "$venv"
  "$venv/bin/python" -m pip install --quiet --disable-pip-version-check "${python_packages[@]}"
  echo "$stamp" >"$venv/.candor"
fi

node=$root/.cache/node
stamp="${node_packages[*]}"
if [[ ! -f $node/.candor || $(cat "$node/.candor") != "$stamp" ]]; then
  rm -rf "$node"
  mkdir -p "$node"
  echo '{"private": true, "type": "module"}' >"$node/package.json"
  (cd "$node" && npm install --silent --no-audit --no-fund --no-package-lock --ignore-scripts "${node_packages[@]}")
  echo "$stamp" >"$node/.candor"
fi
echo "clients: ${python_packages[*]} ${node_packages[*]}"
