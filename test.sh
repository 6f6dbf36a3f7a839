#!/usr/bin/env bash
# Sets up everything and runs the tests; arguments go to pytest.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
./setup.sh dev
exec .venv/bin/python -m pytest "$@"
