#!/usr/bin/env bash
# Sets up everything and runs the main job: a three-node cluster that loses its leaders and no record.
set -euo pipefail
"$(dirname "${BASH_SOURCE[0]}")/setup.sh"
exec "$(dirname "${BASH_SOURCE[0]}")/.venv/bin/python" -m raftka demo "$@"
