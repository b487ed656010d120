# The everyday commands. `just` alone lists them.

default:
    @just --list

# What a fresh clone must pass.
test:
    cargo test

# Format, lints, documentation, licences.
lint:
    cargo fmt --check
    cargo clippy --all-targets -- -D warnings
    RUSTDOCFLAGS="-D warnings" cargo doc --no-deps
    cargo deny check bans licenses sources

# Plays the library of scenarios on the embedded sandbox.
demo:
    cargo run --release -- run scenarios

# The library on the sandbox with the twin and on a real node, what was observed compared: just parity /path/to/the/agent
parity agent="auto":
    cargo run --release --package emu-tests --example parity -- --agent {{agent}}

# The figures the project stands by.
bench:
    cargo build --release
    tests/bench/run

# Everything, as CI runs it.
ci:
    .ci/run
