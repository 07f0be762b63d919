#!/usr/bin/env bash
# Style that a machine can check: clang-format, the module graph's includes, file sizes, what documents name.
# usage: tools/lint.sh [--fix]
set -euo pipefail
cd "$(dirname "$0")/.."
mapfile -t sources < <(git ls-files --cached --others --exclude-standard 'src/*.h' 'src/*.cc' 'apps/*.h' 'apps/*.cc' 'engine/*.h' 'engine/*.cc' 'fuzz/*.cc')
if [[ ${1:-} == --fix ]]; then
  clang-format-19 -i "${sources[@]}"
else
  clang-format-19 --dry-run --Werror "${sources[@]}"
fi
bad=0
while read -r lines file; do
  [[ $file == total || $lines -le 650 ]] && continue
  echo "$file has $lines lines; split it where a reader would (limit 650)"
  bad=1
done < <(wc -l "${sources[@]}")
if git grep -nE '/(work|tmp/x)/' -- . ':!tools/lint.sh'; then
  echo "a path of a build machine stands in the lines above"
  bad=1
fi
python3 tools/docs.py || bad=1
for graph in build/check/module_graph.txt build/release/module_graph.txt; do
  if [[ -f $graph ]]; then
    python3 tools/includes.py "$graph" || bad=1
    break
  fi
done
exit "$bad"
