# Readiness: a broker is ready when its own metadata names every broker of the cluster.

# Prints how many brokers the one on port $1 knows, by a Metadata request (key 3, version 2, no topics),
# provided that it is of cluster $2: another's broker may have the port. The answer is left in file $3.
# Raw bytes, because a Java client of its own would cost a second per look.
known_brokers() {
  timeout 2 bash -c '
    exec 3<>"/dev/tcp/127.0.0.1/$0" || exit 1
    printf "\0\0\0\x0e\0\x03\0\x02\0\0\0\x01\xff\xff\0\0\0\0" >&3
    set -- "$1" $(head -c 4 <&3 | od -An -v -tu1)
    [ $# -eq 5 ] && head -c $((($4 << 8) + $5)) <&3 >"$1"' "$1" "$3" 2>/dev/null || return 1
  grep -aqF "$2" "$3" || return 1
  # The correlation id and the number of brokers: four bytes each, and the number is small.
  od -An -v -tu1 -j 7 -N 1 "$3" | tr -d ' '
}

listening() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# Prints $1 different ports that nobody listens on, below the range the system gives to clients.
free_ports() {
  local wanted=$1 port taken=" "
  while [ "$wanted" -gt 0 ]; do
    port=$((20000 + (RANDOM * 32768 + RANDOM) % 12000))
    case $taken in *" $port "*) continue ;; esac
    if listening "$port"; then continue; fi
    taken="$taken$port "
    wanted=$((wanted - 1))
    echo "$port"
  done
}
