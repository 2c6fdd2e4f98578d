#!/usr/bin/env bash
# Tests the files around the binary: the systemd unit, the image, compose.yaml, manual pages and completions. Checks whose tool is not
# installed are skipped with a message. Usage: .ci/packaging.sh path/to/orderd
set -euo pipefail

orderd=$(realpath "${1:?usage: .ci/packaging.sh path/to/orderd}")
here=$(realpath "$(dirname "$0")")
operations=$(realpath "$here/../assets/operations")
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

# The units are valid and sandboxed: systemd rates exposure from 0 to 10, and below 2 is its best grade.
unit() {
  command -v systemd-analyze >/dev/null || { echo 'packaging: skipped the unit: systemd-analyze is not installed'; return; }
  local said unit
  for unit in orderd.service orderd-verify.service orderd-verify.timer; do
    sed "s|/usr/local/bin/orderd|$orderd|" "$operations/$unit" >"$folder/$unit"
  done
  said=$(systemd-analyze verify --man=no "$folder"/orderd*.{service,timer} 2>&1) || fail "systemd-analyze verify: $said"
  [ -z "$said" ] || fail "systemd-analyze verify: $said"
  for unit in orderd.service orderd-verify.service; do
    systemd-analyze security --offline=true --threshold=15 "$folder/$unit" | tail -n 1
  done
}

free_address() {
  python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print("127.0.0.1:%d" % s.getsockname()[1])'
}

# Starts a server with the given command and waits until it listens.
start() {
  "$@" >"$folder/printed" 2>"$folder/log" &
  server=$!
  for _ in $(seq 100); do
    grep -q '^setup token: ' "$folder/printed" && return
    kill -0 "$server" 2>/dev/null || break
    sleep 0.1
  done
  cat "$folder/log" >&2
  fail "the server did not start: $*"
}

stop() {
  kill "$server"
  wait "$server" || fail "the server exited with $?"
  server=
}

# The conditions of the image: a root folder with only the binary, its settings and a data folder, no /dev, no /proc, an unprivileged user.
image() {
  local root=$folder/root user listen asked inside
  user=$(sed -n 's/^USER //p' "$operations/Dockerfile")
  mkdir -p "$root/data" "$root/etc/orderd"
  cp "$orderd" "$root/orderd"
  cp "$operations/image.toml" "$root/etc/orderd/orderd.toml"
  chmod 755 "$folder" "$root"
  chmod 700 "$root/data"
  if [ "$(id -u)" = 0 ]; then
    chown "$user" "$root/data"
    inside=("$(command -v chroot)" "--userspec=$user" "$root")
  else
    inside=("$(command -v unshare)" --user --map-current-user "--root=$root")
  fi
  # Only the port differs from the image, because that port may be in use here.
  asked=$(free_address)
  listen=$(sed -n 's/^listen = "\(.*\)"/\1/p' "$operations/image.toml")
  listen=${listen%:*}:${asked##*:}
  inside=(env -i "ORDERD_SERVER__LISTEN=$listen" "${inside[@]}" /orderd)

  local refused=0
  "${inside[@]}" healthcheck 2>"$folder/health" || refused=$?
  [ "$refused" = 1 ] && grep -q "^orderd: http://$asked/readyz: " "$folder/health" ||
    fail "healthcheck without a server printed: $(cat "$folder/health")"
  start "${inside[@]}" serve
  local begun=$SECONDS
  "${inside[@]}" healthcheck || fail 'healthcheck failed on a running server'
  [ $((SECONDS - begun)) -lt 5 ] || fail 'healthcheck took too long'
  [ "$(stat -c %a "$root/data/orderd.db")" = 600 ] || fail 'other users can read the database'
  stop
  "${inside[@]}" verify >/dev/null || fail 'the database does not verify'
  echo "packaging: orderd serves and stops in an empty root folder, $(find "$root" -type f | wc -l) files"
}

# compose.yaml fits the Compose specification, and orderd takes the settings in it.
compose() {
  local python=$here/../target/ci-tools/python/bin
  "$here/tools.sh"
  "$python/check-jsonschema" --quiet --builtin-schema vendor.compose-spec "$operations/compose.yaml" ||
    fail 'compose.yaml does not fit the schema of Compose'
  "$python/python" -c 'import sys, yaml; print(yaml.safe_load(sys.stdin)["configs"]["settings"]["content"])' \
    <"$operations/compose.yaml" >"$folder/compose.toml"
  "$orderd" config check --config "$folder/compose.toml" >/dev/null || fail 'the settings in compose.yaml are not valid'
  if docker compose version >/dev/null 2>&1; then
    docker compose --file "$operations/compose.yaml" config --quiet || fail 'docker compose refuses compose.yaml'
  fi
  echo 'packaging: compose.yaml is valid'
}

# With too little free space the server is not ready and names the disk.
disk() {
  mkdir "$folder/small"
  mount -t tmpfs -o size=32m none "$folder/small" 2>/dev/null || { echo 'packaging: skipped the full disk: a small disk cannot be mounted here'; return; }
  local said listen
  listen=$(free_address)
  start "$orderd" serve --db "$folder/small/orderd.db" --listen "$listen"
  said=$("$orderd" healthcheck --listen "$listen" 2>&1) && fail 'healthcheck passed with a full disk'
  [ "$said" = "orderd: http://$listen/readyz: disk: the disk is full, or nearly full" ] || fail "healthcheck with a full disk printed: $said"
  stop
  echo 'packaging: healthcheck names a full disk'
}

# man and mandoc report no faults in the manual pages.
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
  ' bash "$folder/completions" || fail 'the completions do not work in bash'
  echo 'packaging: completions work'
}

unit
image
compose
disk
pages
completions
