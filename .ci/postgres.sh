#!/usr/bin/env bash
# Starts a PostgreSQL with TLS on a free port, installing Debian's if there is none, and runs the tests that need it.
# Usage: .ci/postgres.sh
set -euo pipefail
cd "$(dirname "$0")/.."

binaries() { find /usr/lib/postgresql -maxdepth 2 -name bin 2>/dev/null | sort -V | tail -1; }
if [ -z "$(binaries)" ]; then
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends postgresql
fi
PATH=$(binaries):$PATH

folder=$(mktemp -d)
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
trap 'as_postgres pg_ctl -D "$folder/data" stop -m immediate >/dev/null || true; rm -rf "$folder"' EXIT

# PostgreSQL refuses to run as root.
as_postgres() { setpriv --reuid postgres --regid postgres --clear-groups env PATH="$PATH" "$@"; }

echo secret >"$folder/password"
cp tests/cli/certificates/first.crt tests/cli/certificates/first.key "$folder"
chmod 600 "$folder/first.key"
chown -R postgres "$folder"
as_postgres initdb -D "$folder/data" -U postgres -A scram-sha-256 --pwfile="$folder/password" >/dev/null
# A test that ends can leave a connection half made. DROP DATABASE, with which each test ends, waits for all of these.
cat >>"$folder/data/postgresql.conf" <<EOF
authentication_timeout = 2s
port = $port
listen_addresses = 'localhost'
unix_socket_directories = '$folder'
fsync = off
max_connections = 300
ssl = on
ssl_cert_file = '$folder/first.crt'
ssl_key_file = '$folder/first.key'
EOF
as_postgres pg_ctl -D "$folder/data" -l "$folder/log" -w start >/dev/null
as_postgres postgres --version

# The tests share the server, and one of them restarts it.
restart="setpriv --reuid postgres --regid postgres --clear-groups $(command -v pg_ctl) -D $folder/data -l $folder/log -w -m immediate restart >/dev/null"
ORDERD_TEST_POSTGRES="postgres://postgres:secret@127.0.0.1:$port/postgres" ORDERD_TEST_POSTGRES_RESTART=$restart \
  cargo test --locked --test cli -- mirror:: --test-threads=1 | tee "$folder/output"
grep -q '^test result: ok. [1-9]' "$folder/output"

export ORDERD_TEST_JOURNAL="postgres://postgres:secret@127.0.0.1:$port/postgres"
cargo test --locked --lib -- journal::upgrade | tee "$folder/output"
grep -q '^test result: ok. [1-9]' "$folder/output"

cargo test --locked --test cli -- journal:: | tee "$folder/output"
grep -q '^test result: ok. [1-9]' "$folder/output"

# Every service of these tests is on a journal in a database of its own; the run of the model is replayed elsewhere. They wait
# for PostgreSQL most of the time, so more run at once than there are cores.
cargo test --locked --test api -- --test-threads=4 | tee "$folder/output"
grep -q '^test result: ok. [1-9]' "$folder/output"
