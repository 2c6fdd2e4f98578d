#!/usr/bin/env bash
# Reports which lines of src/ the tests run, by folder and file. It builds and runs all tests again with coverage counters and
# enforces nothing, so `.ci/run` does not call it. Code in processes that are killed does not count: counters are written
# when a process exits.
set -euo pipefail
cd "$(dirname "$0")/.."

rustup component add llvm-tools
host=$(rustc -vV | sed -n 's/^host: //p')
tools=$(rustc --print sysroot)/lib/rustlib/$host/bin
here=$PWD/target/coverage
mkdir -p "$here"
rm -rf "$here"/profiles
# World-writable, because some tests run the program as another user.
mkdir -m 1777 "$here"/profiles

# Only code of this workspace gets counters; dependencies are reused from `cargo test`.
printf '#!/bin/sh\nexec "$@" -C instrument-coverage\n' >"$here/rustc"
chmod +x "$here/rustc"
export CARGO_INCREMENTAL=0 RUSTC_WORKSPACE_WRAPPER="$here/rustc" LLVM_PROFILE_FILE="$here/profiles/%p.profraw"

cargo test --locked --no-run --message-format json |
  jq -r 'select(.executable) | .executable' >"$here/executables"
cargo test --locked --no-fail-fast || echo "some tests fail with counters; their coverage is still counted"

"$tools/llvm-profdata" merge --sparse --failure-mode=all "$here"/profiles/*.profraw -o "$here/all.profdata"
# The first executable is an argument, the others are options.
mapfile -t executables < <(sort -u "$here/executables")
objects=("${executables[0]}" "${executables[@]/#/--object=}")
"$tools/llvm-cov" export --format=lcov --instr-profile="$here/all.profdata" "${objects[@]}" --sources src >"$here/lines"
"$tools/llvm-cov" show --format=html --output-dir="$here/html" --instr-profile="$here/all.profdata" "${objects[@]}" \
  --sources src
rm -rf "$here"/profiles

python3 - "$here/lines" "$PWD/src/" <<'PYTHON'
import pathlib, sys
from collections import Counter

root = sys.argv[2]
run, missed = Counter(), Counter()
for record in pathlib.Path(sys.argv[1]).read_text().split("end_of_record"):
    if "SF:" + root not in record:
        continue
    name = record.split("SF:" + root)[1].split("\n")[0]
    # Unit tests are at the end of a file or in a file of their own.
    code = pathlib.Path(root + name).read_text().split("#[cfg(test)]\nmod tests {")[0].count("\n")
    if name.endswith(("/tests.rs", "/forgeries.rs")):
        continue
    for line in record.split("\n"):
        if line.startswith("DA:"):
            number, times = map(int, line[3:].split(",")[:2])
            if number <= code:
                (run if times else missed)[name] += 1

folders = sorted({name.split("/")[0].removesuffix(".rs") for name in run | missed})
for folder in [*folders, ""]:
    here = [name for name in run | missed if name.startswith(folder)]
    ran, all_lines = sum(run[name] for name in here), sum(run[name] + missed[name] for name in here)
    print(f"{folder or 'all':10} {ran:6} of {all_lines:6} lines  {100 * ran / all_lines:5.1f} %")
print("\nfiles with most lines that no test runs:")
for name, lines in missed.most_common(25):
    print(f"{lines:6} of {run[name] + lines:6}  {name}")
PYTHON
echo "line by line: $here/html/index.html"
