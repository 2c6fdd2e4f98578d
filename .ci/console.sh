#!/usr/bin/env bash
# Checks the console with the executable given as the first argument: the vendored library is what comes out of npm, types
# agree with the OpenAPI document, and a real Chromium goes through every journey and looks at every other page. Installs what it needs.
set -euo pipefail
orderd=$(realpath "$1")
cd "$(dirname "$0")/console"

if ! command -v chromium >/dev/null; then
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium fonts-inter >/dev/null
fi
../tools.sh
node vendor.mjs --check
"$orderd" openapi | node types.mjs
../node_modules/.bin/tsc --project tsconfig.json
node journeys/run.mjs "$orderd"
node pages.mjs "$orderd"
