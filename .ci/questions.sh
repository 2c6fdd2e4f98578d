#!/usr/bin/env bash
# Runs the commands of the manual's chapter "Your own questions" with sqlite3, DuckDB and Datasette. DuckDB's extension for
# SQLite comes from PyPI, since DuckDB's own server may be out of reach. Usage: .ci/questions.sh path/to/orderd
set -euo pipefail

orderd=$(realpath "${1:?usage: .ci/questions.sh path/to/orderd}")
here=$(realpath "$(dirname "$0")")
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
command -v sqlite3 >/dev/null || { apt-get update -qq && apt-get install -y -qq --no-install-recommends sqlite3; }

"$here/tools.sh"
tools=$here/../target/ci-tools/python
export HOME=$folder/home PATH=$tools/bin:$PATH
extension=$(find "$tools" -name 'sqlite_scanner.duckdb_extension' -print -quit)
duckdb_version=$(sed -n 's/^duckdb-cli==//p' "$here/requirements.txt")
platform=$(duckdb -noheader -list -c 'PRAGMA platform')
mkdir -p "$HOME/.duckdb/extensions/v$duckdb_version/$platform"
cp "$extension" "$HOME/.duckdb/extensions/v$duckdb_version/$platform/"

"$here/manual.sh" "$orderd" 19-questions.md
