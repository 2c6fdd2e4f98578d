#!/usr/bin/env bash
# Builds the fuzz targets of tests/fuzz/ and runs each for the given seconds: `.ci/fuzz.sh 20` runs all of them,
# `.ci/fuzz.sh 600 body token` runs two of them for longer. Findings are in target/fuzz/artifacts/, the corpus is in
# target/fuzz/corpus/. The stable compiler is enough: the flags are those of `cargo fuzz --sanitizer none`, which finds
# panics and failed assertions. A sanitizer is not needed, because this code has no unsafe blocks.
# The seed is fixed, so that what a fresh clone tries depends on the tree alone. A longer run starts from the corpus of those
# before it and so tries other inputs.
set -euo pipefail
cd "$(dirname "$0")/.."

seconds=${1:-20}
shift || true
targets=("$@")
[ ${#targets[@]} -gt 0 ] || mapfile -t targets < <(cd tests/fuzz/targets && ls -- *.rs | sed 's/\.rs$//')

here=$PWD/target/fuzz
mkdir -p "$here"
# Only code of this workspace gets counters; dependencies are reused from `cargo test`, except SQLite, which no target
# opens. The executables are linked dynamically, because libFuzzer cannot find the functions it intercepts in a static one.
cat >"$here/rustc" <<'WRAPPER'
#!/bin/sh
for argument do
  shift
  [ "$argument" != target-feature=+crt-static ] || argument=target-feature=-crt-static
  set -- "$@" "$argument"
done
exec "$@" -C passes=sancov-module -C llvm-args=-sanitizer-coverage-level=4 \
  -C llvm-args=-sanitizer-coverage-inline-8bit-counters -C llvm-args=-sanitizer-coverage-pc-table \
  -C llvm-args=-sanitizer-coverage-trace-compares
WRAPPER
chmod +x "$here/rustc"
CARGO_INCREMENTAL=0 RUSTC_WORKSPACE_WRAPPER="$here/rustc" cargo build --locked --package orderd-fuzz --bins \
  --config profile.dev.package.orderd.opt-level=1 --config profile.dev.package.libsqlite3-sys.opt-level=0
folder=$PWD/target/$(rustc -vV | sed -n 's/^host: //p')/debug

run() {
  local target=$1 corpus=$here/corpus/$1 found=$here/artifacts/$1 log=$here/$1.log
  mkdir -p "$corpus" "$found"
  if ! "$folder/$target" -seed=1 -max_total_time="$seconds" -max_len=4096 -timeout=20 -rss_limit_mb=1024 -print_final_stats=1 \
    -artifact_prefix="$found/" "$corpus" "tests/fuzz/seeds/$target" >"$log" 2>&1; then
    tail -60 "$log"
    echo "the fuzz target $target failed; try it again with $folder/$target $found/*"
    return 1
  fi
  printf '%-8s %8s inputs, %s edges\n' "$target" "$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")" \
    "$(grep -o 'cov: [0-9]*' "$log" | tail -1 | cut -c6-)"
}
export -f run
export here folder seconds
# As many targets in parallel as there are cores.
printf '%s\0' "${targets[@]}" | xargs -0 -P "$(nproc)" -I{} bash -c 'run {}'
