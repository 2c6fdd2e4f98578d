#!/usr/bin/env bash
# sslyze judges the TLS listener: it satisfies Mozilla's "intermediate" recommendation for servers and has no known
# weakness. Usage: .ci/tls.sh path/to/orderd
set -euo pipefail

orderd=$(realpath "${1:?usage: .ci/tls.sh path/to/orderd}")
here=$(realpath "$(dirname "$0")")
"$here/tools.sh"
folder=$(mktemp -d)
server=
trap 'if [ -n "$server" ]; then kill "$server" 2>/dev/null || true; wait "$server" || true; fi; rm -rf "$folder"' EXIT
cd "$folder"

# A certificate of an authority, as a server has it; here the authority is made for it.
key=(-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes)
openssl req -x509 "${key[@]}" -days 60 -subj /CN=authority -addext keyUsage=critical,keyCertSign \
  -keyout authority.key -out authority.pem 2>/dev/null
openssl req "${key[@]}" -subj /CN=localhost -addext subjectAltName=DNS:localhost \
  -addext extendedKeyUsage=serverAuth -keyout key.pem -out request.pem 2>/dev/null
openssl x509 -req -in request.pem -CA authority.pem -CAkey authority.key -days 60 -copy_extensions copy -out chain.pem 2>/dev/null
"$orderd" serve --db orders.db --listen 127.0.0.1:0 --set server.tls_cert=chain.pem --set server.tls_key=key.pem >printed 2>log &
server=$!
for _ in $(seq 100); do grep -q '^listening on ' printed && break || sleep 0.1; done
address=localhost:$(sed -n 's|^listening on https://.*:||p' printed)

"$here/../target/ci-tools/python/bin/sslyze" --mozilla_config=intermediate --certinfo --certinfo_ca_file=authority.pem "$address" >scan || true
sed -n '/COMPLIANCE/,$p' scan
if ! grep -q "$address: OK - Compliant" scan || grep -q 'VULNERABLE -' scan; then
  cat scan >&2
  exit 1
fi
