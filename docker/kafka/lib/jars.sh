# The broker's jars: copied once from Maven Central into the cache.

kafka_version=$(sed -n 's:.*<kafka.version>\(.*\)</kafka.version>.*:\1:p' "$here/pom.xml")
cache=${STAGEDOOR_CACHE:-$HOME/.cache/stagedoor}
jars=$cache/kafka-$kafka_version

find_java() {
  java=${JAVA_HOME:+$JAVA_HOME/bin/}java
  command -v "$java" >/dev/null ||
    die "java is missing: install a Java runtime of version 17 or later (scripts/setup.sh --kafka does it on Debian and Ubuntu)"
  local version
  version=$("$java" -version 2>&1 | sed -n 's/.*version "\([0-9]*\).*/\1/p;' | head -n 1)
  [ "${version:-0}" -ge 17 ] ||
    die "java is version ${version:-unknown}: Kafka $kafka_version needs 17 or later (scripts/setup.sh --kafka installs it, or set JAVA_HOME)"
}

jars_complete() { cmp -s "$here/pom.xml" "$jars/pom.xml"; }

# Several starts may come here at once: one fetches, the others wait for it.
ensure_jars() {
  if jars_complete; then return; fi
  mkdir -p "$cache"
  (
    flock 8
    if jars_complete; then exit; fi
    command -v mvn >/dev/null ||
      die "mvn is missing and the jars of Kafka $kafka_version are not in $jars: install maven (scripts/setup.sh --kafka does it on Debian and Ubuntu)"
    fetch_jars
  ) 8>"$cache/kafka.lock"
}

fetch_jars() {
  local partial=$jars.partial began=$SECONDS
  say "fetching Apache Kafka $kafka_version into $jars (54 MB, once)"
  rm -rf "$partial"
  mvn -q -B -ntp -f "$here/pom.xml" dependency:copy-dependencies \
    -DincludeScope=runtime -DoutputDirectory="$partial" >"$jars.log" 2>&1 || {
    tail -n 20 "$jars.log" >&2
    die "maven could not fetch Kafka $kafka_version: see $jars.log, check the network and try again"
  }
  # The pom goes in last and the directory moves whole: a jar directory with a pom is complete.
  cp "$here/pom.xml" "$partial/"
  rm -rf "$jars" "$jars.log"
  mv "$partial" "$jars"
  say "fetched $(ls "$jars" | grep -c '\.jar$') jars in $((SECONDS - began)) s"
}
