#!/usr/bin/env bash
# The Kafka Streams peer: built with Maven, then one sub-command for each role.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
build=${STAGEDOOR_CACHE:-$HOME/.cache/stagedoor}/kafka-streams-peer
java=${JAVA_HOME:+$JAVA_HOME/bin/}java

say() { echo "kafka-streams peer: $*" >&2; }
die() { say "$*"; exit 1; }
sources() { (cd "$here" && find pom.xml src -type f -print0 | sort -z | xargs -0 sha256sum | sha256sum); }

# Once for each state of the sources; its tests run with it.
build() {
  if [ -f "$build/built" ] && [ "$(cat "$build/built")" = "$(sources)" ]; then return; fi
  command -v mvn >/dev/null || die "mvn is missing: install maven (scripts/setup.sh does it on Debian and Ubuntu)"
  mkdir -p "$build"
  say "building with Maven into $build"
  rm -f "$build/built"
  mvn -q -B -ntp -f "$here/pom.xml" "-Dpeer.build=$build" package dependency:copy-dependencies \
    -DincludeScope=runtime "-DoutputDirectory=$build/jars" >"$build/build.log" 2>&1 || {
    tail -n 30 "$build/build.log" >&2
    die "the build failed: see $build/build.log"
  }
  sources >"$build/built"
}

# The application has the flags of the settings file; the others are helpers with a small heap.
flags() {
  case $1 in
    run) sed -n 's/^jvm=//p' "$here/settings.properties" ;;
    await | produce) echo "-Xmx512m -XX:+UseSerialGC" ;;
    *) echo "-Xmx128m -XX:+UseSerialGC -XX:TieredStopAtLevel=1" ;;
  esac
}

command -v "$java" >/dev/null || die "java is missing: install a Java runtime of version 17 or later (scripts/setup.sh)"
if [ "${1:-}" = build ]; then build; exit; fi
build
# shellcheck disable=SC2046
exec "$java" $(flags "${1:-}") "-Dpeer.settings=$here/settings.properties" \
  -cp "$build/classes:$build/jars/*" stagedoor.peer.Main "$@"
