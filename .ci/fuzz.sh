#!/usr/bin/env bash
# Builds the fuzz targets of tests/fuzz/ and runs each for some seconds: `.ci/fuzz.sh 20`, or `.ci/fuzz.sh 600 body token`
# for some of them and longer. What it finds is in target/fuzz/artifacts/, what it has learnt in target/fuzz/corpus/. The
# stable compiler does: the flags are those of `cargo fuzz --sanitizer none`, which finds every panic and every broken
# assertion. There is no unsafe block in our own code for a sanitizer to look into.
set -euo pipefail
cd "$(dirname "$0")/.."

seconds=${1:-20}
shift || true
targets=("$@")
[ ${#targets[@]} -gt 0 ] || mapfile -t targets < <(cd tests/fuzz/targets && ls -- *.rs | sed 's/\.rs$//')

here=$PWD/target/fuzz
mkdir -p "$here"
# Counters in our own code alone; all else is as `cargo test` has built it, but for SQLite, which no target opens. libFuzzer
# finds the functions that it puts itself in front of in a dynamic executable only.
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
  if ! "$folder/$target" -max_total_time="$seconds" -max_len=4096 -timeout=20 -rss_limit_mb=1024 -print_final_stats=1 \
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
# As many at a time as there are cores.
printf '%s\0' "${targets[@]}" | xargs -0 -P "$(nproc)" -I{} bash -c 'run {}'
