# Steps with a name, a time and their output kept out of the way until it matters; sourced by
# quickstart, check and bench.
# shellcheck shell=bash

candor_log_dir=${candor_log_dir:-build/log}

# step "what it does" command...: one line while it runs and one when it is done. On failure the
# last lines of its output are shown and the script ends with the command's exit code. Its own variables
# have a prefix, since a command that is a function of the script sees them before the script's.
step() {
  local step_name=$1 step_slug step_log step_begin step_code=0
  shift
  mkdir -p "$candor_log_dir"
  step_slug=${step_name//[^A-Za-z0-9]/-}
  step_log=$candor_log_dir/$step_slug.log
  step_begin=$SECONDS
  if [[ -t 1 ]]; then
    "$@" >"$step_log" 2>&1 &
    local step_pid=$! step_frames='|/-\' step_i=0 step_last=''
    while kill -0 "$step_pid" 2>/dev/null; do
      step_last=$(tail -c 300 "$step_log" 2>/dev/null | tr '\r' '\n' | tail -n 1 | tr -cd '[:print:]' | cut -c1-60)
      printf '\r\033[K  %s %s (%ds) %s' "${step_frames:step_i++%4:1}" "$step_name" $((SECONDS - step_begin)) "$step_last"
      sleep 0.2
    done
    wait "$step_pid" || step_code=$?
    printf '\r\033[K'
  else
    echo "  ... $step_name"
    "$@" >"$step_log" 2>&1 || step_code=$?
  fi
  if ((step_code != 0)); then
    printf '  FAILED %s (%ds, exit %d); the end of its output:\n' "$step_name" $((SECONDS - step_begin)) "$step_code"
    tail -n "${candor_tail:-40}" "$step_log"
    exit "$step_code"
  fi
  printf '  ok  %s (%ds)\n' "$step_name" $((SECONDS - step_begin))
}
