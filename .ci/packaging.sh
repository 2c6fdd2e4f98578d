#!/usr/bin/env bash
# Tries what is around the binary: the systemd unit, the image, manual pages and completions. What a tool is needed for that
# is not installed is left out, and that is said. Usage: .ci/packaging.sh path/to/orderd
set -euo pipefail

orderd=$(realpath "${1:?usage: .ci/packaging.sh path/to/orderd}")
operations=$(realpath "$(dirname "$0")/../assets/operations")
folder=$(mktemp -d)
server=
finish() {
  if [ -n "$server" ]; then
    kill "$server" 2>/dev/null || true
    wait "$server" 2>/dev/null || true
  fi
  if mountpoint -q "$folder/small"; then
    umount "$folder/small"
  fi
  rm -rf "$folder"
}
trap finish EXIT

fail() {
  echo "packaging: $*" >&2
  exit 1
}

# The unit is sound and sandboxed: systemd's scale goes from 0 to 10, and below 2 is its best grade.
unit() {
  command -v systemd-analyze >/dev/null || { echo 'packaging: no systemd here; the unit is not tried'; return; }
  sed "s|/usr/local/bin/orderd|$orderd|" "$operations/orderd.service" >"$folder/orderd.service"
  local said
  said=$(systemd-analyze verify --man=no "$folder/orderd.service" 2>&1) || fail "systemd-analyze verify: $said"
  [ -z "$said" ] || fail "systemd-analyze verify: $said"
  systemd-analyze security --offline=true --threshold=15 "$folder/orderd.service" | tail -n 1
}

free_address() {
  python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print("127.0.0.1:%d" % s.getsockname()[1])'
}

# Starts a server with this command and waits until it listens.
start() {
  "$@" >"$folder/printed" 2>"$folder/log" &
  server=$!
  for _ in $(seq 100); do
    grep -q '^setup token: ' "$folder/printed" && return
    kill -0 "$server" 2>/dev/null || break
    sleep 0.1
  done
  cat "$folder/log" >&2
  fail "it does not start: $*"
}

stop() {
  kill "$server"
  wait "$server" || fail "the server ended with $?"
  server=
}

# As in the image: an empty root with the binary and a folder, no /dev, no /proc, a user who is nobody.
image() {
  local root=$folder/root user listen asked inside
  user=$(sed -n 's/^USER //p' "$operations/Dockerfile")
  mapfile -t environment < <(sed -n 's/^ENV //p' "$operations/Dockerfile")
  mkdir -p "$root/data"
  cp "$orderd" "$root/orderd"
  chmod 755 "$folder" "$root"
  chmod 700 "$root/data"
  if [ "$(id -u)" = 0 ]; then
    chown "$user" "$root/data"
    inside=("$(command -v chroot)" "--userspec=$user" "$root")
  else
    inside=("$(command -v unshare)" --user --map-current-user "--root=$root")
  fi
  # The port alone is another than the image's, which may be taken here.
  asked=$(free_address)
  listen=$(sed -n 's/^ENV ORDERD_SERVER__LISTEN=//p' "$operations/Dockerfile")
  listen=${listen%:*}:${asked##*:}
  inside=(env -i "${environment[@]}" "ORDERD_SERVER__LISTEN=$listen" "${inside[@]}" /orderd)

  local refused=0
  "${inside[@]}" healthcheck 2>"$folder/health" || refused=$?
  [ "$refused" = 1 ] && grep -q "^orderd: http://$asked/readyz: " "$folder/health" ||
    fail "of a server that does not run it is said: $(cat "$folder/health")"
  start "${inside[@]}" serve
  local begun=$SECONDS
  "${inside[@]}" healthcheck || fail 'a server that runs is said to be ill'
  [ $((SECONDS - begun)) -lt 5 ] || fail 'the health check took too long'
  [ "$(stat -c %a "$root/data/orderd.db")" = 600 ] || fail 'the database can be read by others'
  stop
  "${inside[@]}" verify >/dev/null || fail 'the database is not whole'
  echo "packaging: serves and stops in an empty root, $(find "$root" -type f | wc -l) files"
}

# A disk with less room than there should be is named, and the server is not ready.
disk() {
  mkdir "$folder/small"
  mount -t tmpfs -o size=32m none "$folder/small" 2>/dev/null || { echo 'packaging: no small disk can be made here'; return; }
  local said listen
  listen=$(free_address)
  start "$orderd" serve --db "$folder/small/orderd.db" --listen "$listen"
  said=$("$orderd" healthcheck --listen "$listen" 2>&1) && fail 'a server with a full disk is said to be healthy'
  [ "$said" = "orderd: http://$listen/readyz: disk: the disk is full, or almost" ] || fail "of a full disk it is said: $said"
  stop
  echo 'packaging: a full disk is named'
}

# Every page is read without a complaint.
pages() {
  "$orderd" man --out "$folder/man"
  local page complaints
  for page in "$folder"/man/*.1; do
    if command -v man >/dev/null; then
      complaints=$(LC_ALL=C.UTF-8 man --warnings --local-file "$page" 2>&1 >/dev/null)
      [ -z "$complaints" ] || fail "$(basename "$page"): $complaints"
    fi
    if command -v mandoc >/dev/null; then
      mandoc -Tlint -Werror "$page" >&2 || fail "$(basename "$page") has faults"
    fi
  done
  echo "packaging: $(find "$folder/man" -name '*.1' | wc -l) manual pages"
}

# Bash completes a command, an option and a value.
completions() {
  "$orderd" completions bash >"$folder/completions"
  # shellcheck disable=SC2016 # the inner shell is to expand them
  bash --norc -euo pipefail -c '
    source "$1"
    completed() {
      COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMPREPLY=()
      _orderd orderd "${*: -1}" "${*: -2:1}"
      echo "${COMPREPLY[*]}"
    }
    [ "$(completed orderd healthc)" = healthcheck ]
    [ "$(completed orderd export --form)" = --format ]
    [ "$(completed orderd export --format "")" = "ndjson csv" ]
  ' bash "$folder/completions" || fail 'bash does not complete'
  echo 'packaging: completions work'
}

unit
image
disk
pages
completions
