#!/usr/bin/env bash
# Installs what the build needs, and with --kafka what tests on a real Kafka need, too. Does nothing where all is
# there; says what it does where something is missing.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

with_kafka=0
if [ "${1:-}" = --kafka ]; then with_kafka=1; fi

say() { echo "setup: $*" >&2; }
die() { say "$*"; exit 1; }
has() { command -v "$1" >/dev/null; }

has_libclang() {
  [ -n "${LIBCLANG_PATH:-}" ] || compgen -G '/usr/lib/llvm-*/lib/libclang*.so*' >/dev/null ||
    compgen -G '/usr/lib*/libclang*.so*' >/dev/null || compgen -G '/usr/lib/*/libclang*.so*' >/dev/null
}

# A runtime that Kafka 4 accepts.
has_java() {
  local version
  version=$("${JAVA_HOME:+$JAVA_HOME/bin/}java" -version 2>&1 | sed -n 's/.*version "\([0-9]*\).*/\1/p') || return 1
  [ "${version:-0}" -ge 17 ]
}

has_jars() { compgen -G "${STAGEDOOR_CACHE:-$HOME/.cache/stagedoor}/kafka-*/pom.xml" >/dev/null; }

# Debian's names of what is missing, one a line.
missing_packages() {
  { has cc && has c++ && has make; } || echo build-essential
  has clang || echo clang
  has_libclang || echo libclang-dev
  has pkg-config || echo pkg-config
  has cmake || echo cmake
  has curl || echo curl
  if [ $with_kafka -eq 1 ]; then
    has valgrind || echo valgrind
    has_java || echo java
    has mvn || has_jars || echo maven
  fi
}

# Needs root, by sudo where one is not root.
install_packages() {
  has apt-get || die "install these with this system's package manager and run it again: $* (java: version 17 or later)"
  local as_root=()
  if [ "$(id -u)" -ne 0 ]; then
    has sudo || die "run as root: apt-get install $*"
    as_root=(sudo)
  fi
  say "apt-get update, to install $*"
  "${as_root[@]}" apt-get update -qq
  local packages=("${@/#java/$(java_package)}")
  say "apt-get install ${packages[*]}"
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${packages[@]}" >&2
}

# 17 is what everything is tested with; newer distributions have only later ones.
java_package() {
  if apt-cache show openjdk-17-jdk-headless >/dev/null 2>&1; then
    echo openjdk-17-jdk-headless
  else
    echo default-jdk-headless
  fi
}

check_rust() {
  source "$root/scripts/env.sh"
  has cargo || die "cargo is missing: install rustup (https://rustup.rs), open a new shell and run this again"
  local wanted
  wanted=$(sed -n 's/^channel = "\(.*\)"/\1/p' "$root/rust-toolchain.toml")
  if has rustup && ! rustup toolchain list | grep -q "^$wanted"; then
    say "rustup toolchain install $wanted"
    rustup toolchain install "$wanted" --profile minimal --component rustfmt --component clippy >&2
  fi
  # In the project's directory, where rustup takes the toolchain that the project names.
  cd "$root"
  cargo --version | grep -q "cargo ${wanted%.*}\." ||
    die "cargo is $(cargo --version), the project needs $wanted: install rustup (https://rustup.rs)"
  { cargo fmt --version && cargo clippy --version; } >/dev/null 2>&1 ||
    die "rustfmt or clippy is missing: rustup component add rustfmt clippy"
}

mapfile -t missing < <(missing_packages)
if [ ${#missing[@]} -gt 0 ]; then install_packages "${missing[@]}"; fi
check_rust
if [ $with_kafka -eq 1 ]; then "$root/docker/kafka/kafka.sh" fetch; fi
