# One cluster in one directory: its plan (the file `cluster`), its nodes' files, its brokers.

recorded() { sed -n "s/^$1=//p" "$dir/cluster"; }
nodes() { seq 1 "$(recorded brokers)"; }
nth() { echo "$1" | cut -d ' ' -f "$2"; }
all_nodes_or_chosen() { if [ -n "$broker" ]; then echo "$broker"; else nodes; fi; }

# One action at a time on a directory. `stop` removes the lock with it, so what was locked must still be there.
lock() {
  while :; do
    mkdir -p "$dir/logs"
    exec 9>"$dir/lock"
    flock 9
    if [ "$dir/lock" -ef /dev/fd/9 ]; then return; fi
  done
}

# Client ports are given or chosen; the others are always chosen.
plan() {
  local ports count=$brokers
  ports=($(free_ports $((3 * count))))
  local client=("${ports[@]:0:count}")
  if [ -n "$port" ]; then client=($(seq "$port" $((port + count - 1)))); fi
  {
    echo "brokers=$count"
    echo "cluster_id=$(random_id)"
    echo "client_ports=${client[*]}"
    echo "internal_ports=${ports[*]:count:count}"
    echo "controller_ports=${ports[*]:2*count:count}"
  } >"$dir/cluster.new"
  mv "$dir/cluster.new" "$dir/cluster"
}

# Kafka's ids are 16 bytes in base64url; the leading letter keeps a dash from looking like an option.
random_id() { echo "s$(head -c 16 /dev/urandom | base64 | tr '+/' '-_' | cut -c 2-22)"; }

# What a start may change on a directory that exists, and what it may not.
check_plan() {
  if [ -n "$brokers" ] && [ "$brokers" != "$(recorded brokers)" ]; then
    die "$dir holds a cluster of $(recorded brokers), not of $brokers: choose another directory or stop it without --keep"
  fi
  if [ -n "$port" ] && [ "$port" != "$(nth "$(recorded client_ports)" 1)" ]; then
    die "$dir belongs to port $(nth "$(recorded client_ports)" 1), not $port: choose another directory or stop it without --keep"
  fi
}

write_properties() {
  local node=$1 client internal controller voters= other
  client=$(nth "$(recorded client_ports)" "$node")
  internal=$(nth "$(recorded internal_ports)" "$node")
  controller=$(nth "$(recorded controller_ports)" "$node")
  for other in $(nodes); do
    voters+="${voters:+,}$other@127.0.0.1:$(nth "$(recorded controller_ports)" "$other")"
  done
  local shown=$client
  if [ -n "$advertise" ]; then shown=$(nth "${advertise//,/ }" "$node"); fi
  mkdir -p "$dir/node-$node"
  {
    cat "$here/broker.properties"
    if [ "$(recorded brokers)" -gt 1 ]; then cat "$here/three.properties"; fi
    echo "node.id=$node"
    echo "controller.quorum.voters=$voters"
    echo "listeners=CLIENT://127.0.0.1:$client,INTERNAL://127.0.0.1:$internal,CONTROLLER://127.0.0.1:$controller"
    # Brokers talk to each other past a proxy that stands before the clients' listener.
    echo "advertised.listeners=CLIENT://127.0.0.1:$shown,INTERNAL://127.0.0.1:$internal"
    echo "log.dirs=$dir/node-$node/data"
    printf '%s' "$settings"
  } >"$dir/node-$node/server.properties"
}

format() {
  if [ -f "$dir/node-$1/data/meta.properties" ]; then return; fi
  "$java" -Xmx128m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -cp "$jars/*" \
    -Dlog4j2.configurationFile="$here/log4j2.properties" kafka.tools.StorageTool \
    format -t "$(recorded cluster_id)" -c "$dir/node-$1/server.properties" >>"$(log_file "$1")" 2>&1
}

log_file() { echo "$dir/logs/broker-$1.log"; }

# In a session of its own, so that an interrupt at the terminal does not reach it.
launch() {
  local node=$1 pid
  setsid "$java" $jvm -Djava.awt.headless=true -cp "$jars/*" \
    -Dlog4j2.configurationFile="$here/log4j2.properties" \
    kafka.Kafka "$dir/node-$node/server.properties" \
    </dev/null >>"$(log_file "$node")" 2>&1 8>&- 9>&- &
  pid=$!
  echo "$pid $(identity "$pid")" >"$(pid_file "$node")"
}

# Fails at once when a broker dies.
wait_ready() {
  local until=$((SECONDS + timeout)) node known
  for node in $(nodes); do
    while :; do
      known=$(known_brokers "$(nth "$(recorded client_ports)" "$node")" "$(recorded cluster_id)" \
        "$dir/node-$node/metadata") || known=0
      if [ "$known" = "$(recorded brokers)" ]; then break; fi
      running "$node" >/dev/null || return 1
      [ "$SECONDS" -lt "$until" ] || return 1
      sleep 0.1
    done
  done
}

print_address() {
  local client
  client=$(recorded client_ports)
  echo "bootstrap_servers=127.0.0.1:${client// /,127.0.0.1:}"
}
