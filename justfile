# What everybody runs. `just` alone lists the recipes.

export STAGEDOOR_CACHE := env("STAGEDOOR_CACHE", home_directory() / ".cache/stagedoor")
export CARGO_TARGET_DIR := env("CARGO_TARGET_DIR", STAGEDOOR_CACHE / "target")
kafka_dir := STAGEDOOR_CACHE / "kafka-data"

[private]
default:
    @just --list

# Quick look before a commit: promises about the build, format, lints.
check:
    scripts/check-build.sh
    cargo fmt --all --check
    cargo clippy --workspace --all-targets -- -D warnings

# Everything that CI runs.
test:
    ./test

# A sale on this machine.
dev *options:
    ./dev {{ options }}

# One seed of the simulation, told step by step; without one a campaign of new seeds.
sim seed="" *options:
    cargo run --quiet -p stagedoor-api -- simulate {{ if seed == "" { "" } else { "--seed " + seed } }} {{ options }}

# Measure everything beside what it is compared with; `just bench --help` has the options.
bench *options:
    ./bench {{ options }}

# Format everything.
fmt:
    cargo fmt --all

# A real broker to try things with; its data stays until `just kafka-down`.
kafka-up *options:
    docker/kafka/kafka.sh start --dir {{ quote(kafka_dir) }} {{ options }}

# End that broker and remove its data.
kafka-down:
    docker/kafka/kafka.sh stop --dir {{ quote(kafka_dir) }}

# Plant each seeded defect and show that a test catches it.
defects *options:
    scripts/defects.sh {{ options }}
