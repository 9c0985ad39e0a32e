# Processes: who is alive, and signals that reach only those this script started.

# Prints what tells this process from a later one with the same id; fails if it is dead or a zombie.
identity() {
  local stat
  if [ -r /proc/self/stat ]; then
    { stat=$(<"/proc/$1/stat"); } 2>/dev/null || return 1
    # The command's name may hold blanks and brackets, so count from its end.
    set -- ${stat##*) }
    [ "$1" != Z ] && [ "$1" != X ] && echo "${20}"
  else
    ps -o lstart= -p "$1" | tr -d ' ' | grep .
  fi
}

pid_file() { echo "$dir/node-$1/pid"; }

# Prints the process id of broker $1 if it runs.
running() {
  local pid born
  { read -r pid born <"$(pid_file "$1")"; } 2>/dev/null || return 1
  [ "$(identity "$pid")" = "$born" ] && echo "$pid"
}

paused() { grep -q '^State:[[:space:]]*T' "/proc/$1/status" 2>/dev/null; }

# Sends signal $1 to the brokers $2...; those that do not run are passed over.
signal() {
  local name=$1 node pid
  shift
  for node in "$@"; do
    if pid=$(running "$node"); then kill "-$name" "$pid" 2>/dev/null || true; fi
  done
}

# Waits until none of the brokers $2... runs, at most $1 seconds.
gone_within() {
  local until=$((SECONDS + $1)) node
  shift
  for node in "$@"; do
    while running "$node" >/dev/null; do
      [ "$SECONDS" -lt "$until" ] || return 1
      sleep 0.05
    done
  done
}
