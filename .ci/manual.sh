#!/usr/bin/env bash
# Runs the commands in chapters of the manual that do not need root, "Operations" unless another one is named: the blocks
# marked `sh`, in order, in a folder that is empty at first, and those marked `sh beside a server` while a server runs.
# The address and the set-up token are filled in, as a reader does by hand.
# Usage: .ci/manual.sh path/to/orderd [chapter.md]
set -euo pipefail

orderd=$(realpath "${1:?usage: .ci/manual.sh path/to/orderd}")
chapter=$(realpath "$(dirname "$0")/../assets/guide/${2:-08-operations.md}")
folder=$(mktemp -d)
server=
stop() {
  [ -n "$server" ] || return 0
  kill "$server" && wait "$server"
  server=
}
trap 'stop || true; rm -rf "$folder"' EXIT
mkdir "$folder/bin" "$folder/blocks" "$folder/here"
ln -s "$orderd" "$folder/bin/orderd"
PATH=$folder/bin:$PATH
cd "$folder/here"

awk -v blocks="$folder/blocks" '
  /^```$/    { file = ""; next }
  /^```sh/   { file = sprintf("%s/%02d%s.sh", blocks, ++number, / beside a server$/ ? "-beside" : ""); next }
  file       { print > file }
' "$chapter"

# Only the port differs from the manual, because port 8080 may be in use here.
ORDERD_SERVER__LISTEN=127.0.0.1:$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
export ORDERD_SERVER__LISTEN
: >"$folder/printed"
serve() {
  orderd serve --db orderd.db >"$folder/printed" 2>"$folder/log" &
  server=$!
  for _ in $(seq 100); do
    grep -q '^listening on ' "$folder/printed" && return
    kill -0 "$server" 2>/dev/null || break
    sleep 0.1
  done
  echo 'manual: the server did not start' >&2
  cat "$folder/log" >&2
  return 1
}

number=0
for block in "$folder"/blocks/*.sh; do
  case $block in
    *-beside.sh) [ -n "$server" ] || serve ;;
    *) stop ;;
  esac
  sed -i "s|http://127.0.0.1:8080|$(sed -n 's/^listening on //p' "$folder/printed")|
    s|the token that the server printed|$(sed -n 's/^setup token: //p' "$folder/printed")|" "$block"
  bash -euxo pipefail "$block" || { echo "manual: $(cat "$block"): failed" >&2; exit 1; }
  number=$((number + 1))
done
stop
[ "$number" -ge 2 ] || { echo "manual: only $number blocks were found" >&2; exit 1; }
echo "manual: $number blocks run"
