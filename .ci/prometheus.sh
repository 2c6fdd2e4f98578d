#!/usr/bin/env bash
# Tests metrics, alert rules and dashboard with the real Prometheus: promtool checks them, Prometheus scrapes a running
# server and evaluates every rule, and every query of the dashboard returns data. Usage: .ci/prometheus.sh path/to/orderd
set -euo pipefail

orderd=$(realpath "${1:?usage: .ci/prometheus.sh path/to/orderd}")
here=$(realpath "$(dirname "$0")")
operations=$(realpath "$here/../assets/operations")
folder=$(mktemp -d)
processes=()
finish() {
  [ ${#processes[@]} -eq 0 ] || { kill "${processes[@]}" 2>/dev/null || true; wait "${processes[@]}" 2>/dev/null || true; }
  rm -rf "$folder"
}
trap finish EXIT
fail() { echo "prometheus: $1" >&2; exit 1; }

if ! command -v promtool >/dev/null; then
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends prometheus >/dev/null
fi
cd "$folder"
cp "$operations/alerts.yml" "$here/prometheus/alerts_test.yml" .
promtool check rules alerts.yml
promtool test rules alerts_test.yml

# A server with some activity of every kind.
password='a long way down to the sea'
ORDERD_ADMIN_EMAIL=ada@example.com ORDERD_ADMIN_PASSWORD=$password \
  "$orderd" serve --db orders.db --listen 127.0.0.1:0 >printed 2>log &
processes+=($!)
for _ in $(seq 100); do grep -q '^listening on ' printed && break || sleep 0.1; done
address=$(sed -n 's|^listening on http://||p' printed)
[ -n "$address" ] || { cat log >&2; fail 'the server did not start'; }
ask() { curl -fsS -H 'Content-Type: application/json' "http://$address$1" "${@:2}"; }
token=$(ask /v1/auth/login -d "{\"email\":\"ada@example.com\",\"password\":\"$password\"}" | jq -r .access_token)
ask /v1/api-keys -H "Authorization: Bearer $token" -d '{"name":"prometheus","permissions":["metrics:read"]}' | jq -j .secret >key
item='{"sku":"tea","name":"Tea","quantity":1,"unit_amount":1000}'
use() {
  ask /v1/orders -H "Authorization: Bearer $token" -H "Idempotency-Key: $1" -d "{\"currency\":\"EUR\",\"items\":[$item]}" >/dev/null
  ask '/v1/analytics/daily?from=2026-01-01&to=2026-01-31' -H "Authorization: Bearer $token" >/dev/null
  curl -s "http://$address/no/such/page" >/dev/null
}
use first
ask /metrics -H "Authorization: Bearer $(cat key)" >scrape
promtool check metrics <scrape

port=$((20000 + RANDOM % 20000))
cat >prometheus.yml <<YAML
global: {scrape_interval: 1s, evaluation_interval: 1s}
rule_files: [alerts.yml]
scrape_configs:
  - job_name: orderd
    authorization: {credentials_file: key}
    static_configs: [{targets: ["$address"]}]
YAML
promtool check config prometheus.yml >/dev/null
prometheus --config.file=prometheus.yml --storage.tsdb.path=tsdb --web.listen-address=127.0.0.1:$port >prometheus.log 2>&1 &
processes+=($!)
api=http://127.0.0.1:$port/api/v1
query() { curl -fsS --get "$api/query" --data-urlencode "query=$1"; }
scrapes() { query 'count_over_time(up{job="orderd"}[1m])' 2>/dev/null | jq -r '.data.result[0].value[1] // 0' || true; }
for n in $(seq 100); do
  use "$n"
  scraped=$(scrapes)
  [ "${scraped:-0}" -ge 8 ] && break || sleep 0.5
done
[ "$(query 'up{job="orderd"}' | jq -r '.data.result[0].value[1]')" = 1 ] || { tail prometheus.log >&2; fail 'Prometheus does not scrape the server'; }

# All rules are loaded and evaluated, and none fails or fires.
rules=$(curl -fsS "$api/rules" | jq '[.data.groups[].rules[]]')
[ "$(jq length <<<"$rules")" = "$(grep -c -- '- alert:' alerts.yml)" ] || fail 'not all rules are loaded'
bad=$(jq -r '.[] | select(.health != "ok" or .state == "firing") | "\(.name): \(.health), \(.state) \(.lastError // "")"' <<<"$rules")
[ -z "$bad" ] || fail "rules: $bad"

# Every query of the dashboard returns data, except for events that did not happen here.
may_be_empty='orderd_last_backup_timestamp_seconds'
jq -r '.panels[] | select(.targets) | .title as $title | .targets[] | [$title, .expr] | @tsv' "$operations/grafana.json" >queries
while IFS=$'\t' read -r title expr; do
  expr=${expr//\\\\/\\}
  expr=${expr//\$__rate_interval/30s}
  expr=${expr//\$instance/.*}
  answer=$(query "$expr") || fail "the query of panel $title fails: $expr"
  if [ "$(jq '.data.result | length' <<<"$answer")" = 0 ] && [[ $expr != *$may_be_empty* ]]; then
    fail "the panel $title is empty: $expr"
  fi
done <queries
echo "prometheus: $(grep -vc '^#' scrape) samples scraped, $(jq length <<<"$rules") rules evaluated, $(wc -l <queries) dashboard queries answered"
