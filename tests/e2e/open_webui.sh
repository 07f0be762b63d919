#!/usr/bin/env bash
# Puts Open WebUI into .cache/clients/open-webui for tests/e2e/test_open_webui.py (1.1 GB; ./check --slow and --acceptance do). Left
# out is what it only needs to index documents, hear speech or read clouds by itself: with it come PyTorch and several GB.
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
version=0.12.4
leave_out='accelerate|sentence-transformers|transformers|faster-whisper|soundfile|rapidocr|opencv-python-headless|pyarrow|azure-[a-z-]*|google-cloud-storage'
venv=$root/.cache/clients/open-webui
stamp="$(python3 --version) open-webui==$version without $leave_out"
[[ -f $venv/.candor && $(cat "$venv/.candor") == "$stamp" ]] && exit 0
rm -rf "$venv"
python3 -m venv "$venv"
pip=("$venv/bin/python" -m pip install --quiet --disable-pip-version-check)
"${pip[@]}" --no-deps "open-webui==$version"
metadata=("$venv"/lib/python3*/site-packages/open_webui-"$version".dist-info/METADATA)
sed -n 's/^Requires-Dist: //p' "${metadata[0]}" | grep -v 'extra ==' | grep -vE "^($leave_out)[^a-z-]" >"$venv/requirements.txt"
"${pip[@]}" --requirement "$venv/requirements.txt"
echo "$stamp" >"$venv/.candor"
