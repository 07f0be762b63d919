#!/usr/bin/env bash
# Runs the fuzz targets in turns, in the time that nobody else wants (SCHED_IDLE), and counts.
#
# usage: tools/fuzz_campaign.sh run [-b PRESET] [-j PROCESSES] [-s SECONDS] [-o FOLDER] RUNS [FUZZER...]
#        tools/fuzz_campaign.sh report [-o FOLDER]
#
# run     goes on until RUNS executions are counted over all turns, this call's and earlier ones of
#         the folder; each turn is one fuzzer for SECONDS (60). Without names: every target that is
#         built. One process per core. PRESET: fuzz (address and undefined sanitizers), or fuzz-fast
#         (our own checks only; for depth after breadth). Build it first:
#         cmake --preset fuzz && cmake --build --preset fuzz
# report  prints machine, time, executions for each fuzzer and in all, and what was found.
#
# FOLDER (build/campaign) holds a growing corpus for each fuzzer, turns.tsv with a line a turn,
# and crashes/. What it found goes into the repository minimised:
#   build/fuzz/src/<module>/<fuzzer> -merge=1 fuzz/corpus/<fuzzer> FOLDER/corpus/<fuzzer>
set -euo pipefail
cd "$(dirname "$0")/.."
usage() { sed -n '2,/^set/{/^set/!s/^# \{0,1\}//p}' "$0"; exit "$1"; }
[[ ${1:-} == run || ${1:-} == report ]] || usage 2
mode=$1 && shift
preset=fuzz jobs=$(nproc) seconds=60 folder=build/campaign
while getopts b:j:s:o: option; do
  case $option in
    b) preset=$OPTARG ;; j) jobs=$OPTARG ;; s) seconds=$OPTARG ;; o) folder=$OPTARG ;; *) usage 2 ;;
  esac
done
shift $((OPTIND - 1))
turns=$folder/turns.tsv

total() { awk -F'\t' '{ n += $3 } END { printf "%d\n", n }' "$turns"; }

report() {
  printf 'machine     %s, %s processors, %s\n' \
    "$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -1)" "$(nproc)" "$(uname -sr)"
  printf 'compiler    %s\n' "$(clang++-19 --version | head -1)"
  awk -F'\t' '
    { runs[$2] += $3; time[$2] += $4; of[$5] += $3; all += $3; spent += $4 }
    NR == 1 { first = $1 } { last = $1 }
    END {
      printf "from        %s\nto          %s\nturns       %.2f hours of wall time\n\n", first, last, spent / 3600
      for (f in runs) printf "%-28s %14d %9.0f/s\n", f, runs[f], runs[f] / (time[f] > 0 ? time[f] : 1) | "sort"
      close("sort")
      printf "%-28s %14d\n", "in all", all
      for (p in of) printf "%-28s %14d\n", "  with preset " p, of[p]
    }' "$turns"
  printf 'crashes     %d\n' "$(find "$folder/crashes" -type f | wc -l)"
}
[[ $mode == report ]] && { report; exit; }

wanted=${1:?how many executions} && shift
mkdir -p "$folder/crashes"
touch "$turns"
declare -A program
while read -r path; do program[$(basename "$path")]=$path; done \
  < <(find "build/$preset/src" -type f -name '*_fuzz' -perm -u+x | sort)
if (($#)); then names=("$@"); else mapfile -t names < <(printf '%s\n' "${!program[@]}" | sort); fi
for name in "${names[@]}"; do
  [[ -n ${program[$name]:-} ]] || { echo "fuzz_campaign: $name is not built" >&2; exit 2; }
done

# One fuzzer for its time. A crash ends the turn early; what it had executed counts.
turn() {
  local name=$1 began=$SECONDS log=$folder/log.$BASHPID count options=(-max_len=1024)
  case $name in  # short inputs decide little where every byte is a choice
    *_structure_fuzz | *_actions_fuzz | pipeline_fuzz) options=(-max_len=600 -len_control=0) ;;
  esac
  # For depth: what the search for rare features costs goes into executions.
  [[ $preset != fuzz-fast ]] || options+=(-entropic=0 -reduce_inputs=0 -shrink=0)
  [[ ! -f fuzz/dictionaries/$name.dict ]] || options+=("-dict=fuzz/dictionaries/$name.dict")
  mkdir -p "$folder/corpus/$name" "fuzz/corpus/$name"
  chrt -i 0 nice -n 19 "${program[$name]}" -max_total_time="$seconds" "${options[@]}" -timeout=300 \
    -rss_limit_mb=2048 -print_final_stats=1 -artifact_prefix="$folder/crashes/$name-" \
    "$folder/corpus/$name" "fuzz/corpus/$name" >"$log" 2>&1 || true
  count=$(awk '/^stat::number_of_executed_units/ { n = $2 } /^#[0-9]+/ { m = substr($1, 2) }
               END { print n + 0 ? n : m + 0 }' "$log")
  printf '%s\t%s\t%d\t%d\t%s\n' "$(date -u +%Y-%m-%dT%H:%M:%SZ)" "$name" "$count" $((SECONDS - began)) "$preset" \
    >>"$turns"
  if grep -aq '^SUMMARY:\|check failed' "$log"; then
    { echo "$name:"; grep -am3 'check failed\|^SUMMARY:\|ERROR:' "$log"; } | tee -a "$folder/found.log" >&2
  fi
  rm -f "$log"
}

worker() {
  local i=$1
  while (($(total) < wanted)); do
    turn "${names[i % ${#names[@]}]}"
    i=$((i + jobs))
  done
}
for ((job = 0; job < jobs; ++job)); do worker "$job" & done
wait
report
