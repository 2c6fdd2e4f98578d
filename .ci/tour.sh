#!/usr/bin/env bash
# Runs the tour of README.md against a server of its own, and compares the output of each block with the output in the
# README. With an address and the administrator's password, the server of a demo that runs there is asked instead.
# Usage: .ci/tour.sh path/to/orderd [address password]
set -euo pipefail

orderd=$(realpath "${1:?usage: .ci/tour.sh path/to/orderd}")
readme=$(realpath "$(dirname "$0")/../README.md")
folder=$(mktemp -d)
server=
trap 'if [ -n "$server" ]; then kill "$server" 2>/dev/null || true; wait "$server" || true; fi; rm -rf "$folder"' EXIT
cd "$folder"

# Writes the blocks of the section to block-01.sh, block-02.sh …, and their expected output to block-01.json …
awk '
  /^## /                        { in_tour = ($0 == "## A tour in five minutes") }
  !in_tour                      { next }
  /^```$/                       { file = ""; next }
  /^```sh$/                     { file = sprintf("block-%02d.sh", ++number); printf "" > file; next }
  /^```json$/                   { file = sprintf("block-%02d.json", number); printf "" > file; next }
  file                          { print > file }
' "$readme"
[ -f block-01.sh ] || { echo "tour: README.md has no tour" >&2; exit 1; }

touch printed log
address=${2:-} password=${3:-}
if [ -z "$address" ]; then
  "$orderd" serve --demo --db demo.db --listen 127.0.0.1:0 >printed 2>log &
  server=$!
  for _ in $(seq 600); do
    grep -q '^demo user: customer ' printed && break
    kill -0 "$server" 2>/dev/null || { echo "tour: the server exited" >&2; cat log >&2; exit 1; }
    sleep 0.1
  done
  address=$(sed -n 's/^listening on //p' printed)
  password=$(sed -n 's/^demo user: admin admin@demo.example.com //p' printed)
fi
[ -n "$address" ] && [ -n "$password" ] || { echo "tour: no address or password was printed" >&2; cat printed log >&2; exit 1; }

# Fills in the address and the password, as a reader does by hand.
sed -i "s|http://127.0.0.1:8080|$address|; s|the password of admin@demo.example.com|$password|" block-*.sh

# One shell runs all blocks, because later ones use variables of earlier ones.
cat >all.sh <<'SHELL'
for block in block-*.sh; do
  name=${block%.sh}
  . "./$block" >"$name.printed"
  diff -u --label "README.md" --label "printed" "$name.json" "$name.printed"
  echo "tour: $name prints what README.md says"
done
SHELL
bash -euo pipefail all.sh || { echo "tour: the output differs from README.md" >&2; tail -n 5 log >&2; exit 1; }
