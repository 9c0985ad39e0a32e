# What kafka.sh can be asked to do.

command_start() {
  case ${brokers:-1} in 1 | 3) ;; *) die "--brokers takes 1 or 3, not $brokers" ;; esac
  mkdir -p "$dir"
  dir=$(cd "$dir" && pwd)
  lock
  local fresh=
  if [ -f "$dir/cluster" ]; then
    check_plan
  else
    brokers=${brokers:-1}
    plan
    fresh=yes
  fi
  if [ -n "$parent" ]; then watch_parent; fi
  if ! all_run; then
    check_advertise
    find_java
    ensure_jars
    choose_jvm
  fi
  bring_up "$fresh"
  print_address
}

all_run() {
  local node
  for node in $(nodes); do running "$node" >/dev/null || return 1; done
}

check_advertise() {
  if [ -z "$advertise" ]; then return; fi
  local given=(${advertise//,/ })
  [ ${#given[@]} -eq "$(recorded brokers)" ] ||
    die "--advertise names ${#given[@]} ports for $(recorded brokers) brokers: give one for each, separated by commas"
}

choose_jvm() {
  if [ -n "$light" ]; then
    jvm="-Xmx${heap:-400m} -XX:+UseSerialGC -XX:TieredStopAtLevel=1"
  else
    jvm="-Xms${heap:-1g} -Xmx${heap:-1g} -XX:+UseG1GC -XX:MaxGCPauseMillis=20"
  fi
}

# A free port may be taken between its choice and its use: a new cluster then tries others.
bring_up() {
  local fresh=$1 tries=1
  until launch_missing && wait_ready; do
    if [ -n "$fresh" ] && [ -z "$port" ] && [ $tries -lt 3 ] && port_was_taken; then
      say "a chosen port was taken meanwhile: choosing others"
      remove_nodes
      plan
      tries=$((tries + 1))
      continue
    fi
    report_failure
  done
}

launch_missing() {
  local node pids=() pid
  for node in $(nodes); do
    if running "$node" >/dev/null; then continue; fi
    write_properties "$node"
    # One older log is kept, so that a complaint below is about this start.
    mv -f "$(log_file "$node")" "$(log_file "$node").1" 2>/dev/null || true
    { format "$node" && launch "$node"; } 9>&9 &
    pids+=($!)
  done
  for pid in "${pids[@]}"; do wait "$pid" || return 1; done
}

port_was_taken() { grep -qs 'Address already in use\|Socket server failed to bind' "$dir"/logs/broker-*.log; }

report_failure() {
  local node pid
  for node in $(nodes); do
    if pid=$(running "$node") && paused "$pid"; then die "broker $node in $dir is paused: resume it"; fi
    say "end of $(log_file "$node"):"
    tail -n 25 "$(log_file "$node")" >&2 || true
  done
  if port_was_taken; then
    die "a port of $dir ($(recorded client_ports)) is in use by another process: end it or choose another directory"
  fi
  signal KILL $(nodes)
  die "Kafka was not ready within $timeout s: see above"
}

command_stop() {
  [ -f "$dir/cluster" ] || return 0
  dir=$(cd "$dir" && pwd)
  lock
  if [ -n "$keep" ]; then
    signal TERM $(nodes)
    signal CONT $(nodes)
    # The last brokers of a cluster wait in vain for a controller's leave: their data survives a kill as well.
    if ! gone_within 8 $(nodes); then signal KILL $(nodes); gone_within 10 $(nodes); fi
    rm -f "$dir/watcher"
    return
  fi
  signal KILL $(nodes)
  gone_within 10 $(nodes) || die "a broker in $dir did not end"
  remove_nodes
  rm -rf "$dir/cluster" "$dir/watcher" "$dir/logs" "$dir/lock"
  rmdir "$dir" 2>/dev/null || true
}

remove_nodes() {
  signal KILL $(nodes)
  gone_within 10 $(nodes) || die "a broker in $dir did not end"
  rm -rf "$dir"/node-[1-9] "$dir"/logs/broker-*.log
}

need_cluster() { [ -f "$dir/cluster" ] || die "$dir holds no cluster: start one there"; dir=$(cd "$dir" && pwd); }

command_kill() {
  need_cluster
  signal KILL $(all_nodes_or_chosen)
  gone_within 10 $(all_nodes_or_chosen)
}

command_pause() { need_cluster; signal STOP $(all_nodes_or_chosen); }

command_resume() { need_cluster; signal CONT $(all_nodes_or_chosen); }

command_status() {
  need_cluster
  local node pid state code=0
  for node in $(nodes); do
    state=stopped
    if pid=$(running "$node"); then
      state=running
      if paused "$pid"; then state=paused; fi
    fi
    [ $state = running ] || code=3
    echo "broker=$node state=$state port=$(nth "$(recorded client_ports)" "$node")${pid:+ pid=$pid}"
  done
  print_address
  return $code
}

command_env() {
  need_cluster
  local client
  client=$(recorded client_ports)
  echo "export KAFKA_BOOTSTRAP_SERVERS=127.0.0.1:${client// /,127.0.0.1:}"
  printf 'export KAFKA_CLASSPATH=%q\n' "$jars/*"
}

# Starts the process that ends the brokers with their parent.
watch_parent() {
  identity "$parent" >/dev/null || die "--parent names process $parent, which does not run"
  setsid bash "$here/kafka.sh" watch --dir "$dir" --parent "$parent" </dev/null >/dev/null 2>&1 9>&- &
}

# The newest watcher of a directory is the only one: an older one sees another id and leaves.
command_watch() {
  local born
  born=$(identity "$parent") || born=gone
  echo $$ >"$dir/watcher"
  while [ "$(identity "$parent")" = "$born" ]; do
    sleep 0.5
    [ "$(cat "$dir/watcher" 2>/dev/null)" = $$ ] || return 0
  done
  command_stop
}
