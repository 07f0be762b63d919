# Steps with a name, a time and their output kept out of the way until it matters; sourced by
# quickstart, check and bench.
# shellcheck shell=bash

candor_log_dir=${candor_log_dir:-build/log}

# step "what it does" command...: one line while it runs and one when it is done. On failure the
# last lines of its output are shown and the script ends with the command's exit code.
step() {
  local name=$1 slug log begin code=0
  shift
  mkdir -p "$candor_log_dir"
  slug=${name//[^A-Za-z0-9]/-}
  log=$candor_log_dir/$slug.log
  begin=$SECONDS
  if [[ -t 1 ]]; then
    "$@" >"$log" 2>&1 &
    local pid=$! frames='|/-\' i=0 last=''
    while kill -0 "$pid" 2>/dev/null; do
      last=$(tail -c 300 "$log" 2>/dev/null | tr '\r' '\n' | tail -n 1 | tr -cd '[:print:]' | cut -c1-60)
      printf '\r\033[K  %s %s (%ds) %s' "${frames:i++%4:1}" "$name" $((SECONDS - begin)) "$last"
      sleep 0.2
    done
    wait "$pid" || code=$?
    printf '\r\033[K'
  else
    echo "  ... $name"
    "$@" >"$log" 2>&1 || code=$?
  fi
  if ((code != 0)); then
    printf '  FAILED %s (%ds, exit %d); the end of its output:\n' "$name" $((SECONDS - begin)) "$code"
    tail -n "${candor_tail:-40}" "$log"
    exit "$code"
  fi
  printf '  ok  %s (%ds)\n' "$name" $((SECONDS - begin))
}
