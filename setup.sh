#!/usr/bin/env bash
# Makes .venv beside this file with raftka in it (and, with "dev", what the tests need).
# Runs pip only when pyproject.toml changed since the last time.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
extra=${1:-}
python=${PYTHON:-}
if [ -z "$python" ]; then
  for candidate in python3 python3.13 python3.12 python3.11 python; do
    if command -v "$candidate" > /dev/null &&
      "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2> /dev/null; then
      python=$candidate
      break
    fi
  done
fi
[ -n "$python" ] || { echo "setup.sh: Python 3.11 or newer is needed; set PYTHON to one" >&2; exit 1; }
stamp=.venv/raftka-${extra:-base}.stamp
# Without pip it is half of one: Debian keeps what makes it whole in the package python3-venv.
if [ ! -x .venv/bin/pip ]; then
  "$python" -m venv --clear .venv || { rm -rf .venv; exit 1; }
fi
if [ ! -e "$stamp" ] || [ pyproject.toml -nt "$stamp" ]; then
  echo "setup.sh: installing raftka${extra:+ [$extra]} into .venv ..." >&2
  .venv/bin/python -m pip install --quiet --disable-pip-version-check -e ".${extra:+[$extra]}"
  touch "$stamp"
fi
