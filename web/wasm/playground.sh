#!/usr/bin/env bash
# Writes web/playground.html (or the file that is named): the page, Python and raftka in one file. Needs setup.sh's .venv.
set -euo pipefail
output=$(realpath -m "${1:-$(dirname "${BASH_SOURCE[0]}")/../playground.html}")
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
[ -x .venv/bin/python ] || { echo "playground: run ./setup.sh dev first" >&2; exit 1; }
npm ci --prefix web/wasm --silent --no-audit --no-fund
.venv/bin/python -m raftka.simulations.wasm.pack build/wasm/raftka.zip
.venv/bin/python -m raftka.learn.playground build/wasm/page.html
node web/wasm/playground.mjs build/wasm/raftka.zip build/wasm/page.html "$output"
