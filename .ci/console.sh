#!/usr/bin/env bash
# Checks the console with the executable given as the first argument: the vendored library is what comes out of npm, types
# agree with the OpenAPI document, and a real Chromium goes through every journey.
set -euo pipefail
orderd=$(realpath "$1")
cd "$(dirname "$0")/console"

../tools.sh
node vendor.mjs --check
"$orderd" openapi | node types.mjs
../node_modules/.bin/tsc --project tsconfig.json
node journeys/run.mjs "$orderd"
