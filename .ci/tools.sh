#!/usr/bin/env bash
# Installs what the checks need from PyPI and npm, once for all of them: into target/ci-tools/python and .ci/node_modules.
# Does nothing if it is there already.
set -euo pipefail
cd "$(dirname "$0")"

uv_version=0.13.9
python=$PWD/../target/ci-tools/python
if ! cmp -s requirements.txt "$python/installed.txt"; then
  rm -rf "$python"
  mkdir -p "$(dirname "$python")"
  python3 -m venv "$python"
  # uv installs the same wheels ten times as fast as pip.
  "$python/bin/pip" install --quiet "uv==$uv_version"
  "$python/bin/uv" pip install --quiet --python "$python/bin/python" --requirement requirements.txt
  cp requirements.txt "$python/installed.txt"
fi
if ! cmp -s package-lock.json node_modules/installed.json; then
  npm ci --silent --no-fund --no-audit
  cp package-lock.json node_modules/installed.json
fi
