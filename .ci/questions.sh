#!/usr/bin/env bash
# Runs the commands of the manual's chapter "Your own questions" with sqlite3, DuckDB and Datasette. DuckDB's extension for
# SQLite comes from PyPI, since DuckDB's own server may be out of reach. Usage: .ci/questions.sh path/to/orderd
set -euo pipefail

duckdb_version=1.5.5
datasette_version=0.65.5

orderd=$(realpath "${1:?usage: .ci/questions.sh path/to/orderd}")
here=$(realpath "$(dirname "$0")")
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
command -v sqlite3 >/dev/null || { apt-get update -qq && apt-get install -y -qq --no-install-recommends sqlite3; }

python3 -m venv "$folder/tools"
"$folder/tools/bin/pip" install --quiet "duckdb-cli==$duckdb_version" "duckdb-extension-sqlite-scanner==$duckdb_version" \
  "datasette==$datasette_version"
export HOME=$folder/home PATH=$folder/tools/bin:$PATH
extension=$(find "$folder/tools" -name 'sqlite_scanner.duckdb_extension' -print -quit)
platform=$(duckdb -noheader -list -c 'PRAGMA platform')
mkdir -p "$HOME/.duckdb/extensions/v$duckdb_version/$platform"
cp "$extension" "$HOME/.duckdb/extensions/v$duckdb_version/$platform/"

"$here/manual.sh" "$orderd" 17-questions.md
