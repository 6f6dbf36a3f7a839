"""A server's trio: it leaves modules out, and lacks nothing that a server uses."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
PROGRAM = """
import json, sys
from raftka.quick_trio import import_trio
import_trio()
heavy = sorted({"ssl", "hashlib", "trio._dtls", "trio._ssl"} & set(sys.modules))
import ctypes.util
import trio
names = {name: getattr(trio, name).__name__ for name in ("SSLStream", "serve_ssl_over_tcp")}
found = [hasattr(trio, "nonsense"), ctypes.util.find_library("c") is not None]
json.dump({"heavy": heavy, "names": names, "found": found, "rest": sorted(dir(trio))}, sys.stdout)
"""


def run(program: str) -> dict[str, object]:
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, object] = json.loads(done.stdout)
    return found


def test_tls_of_trio_is_imported_at_its_first_use() -> None:
    found = run(PROGRAM)
    assert found["heavy"] == []
    assert found["names"] == {"SSLStream": "SSLStream", "serve_ssl_over_tcp": "serve_ssl_over_tcp"}
    assert found["found"] == [False, True]


def test_all_else_is_there() -> None:
    whole = run("import json, sys, trio; json.dump({'rest': dir(trio)}, sys.stdout)")["rest"]
    quick = run(PROGRAM)["rest"]
    assert isinstance(whole, list) and isinstance(quick, list)
    tls = {name for name in whole if "ssl" in name.lower() or "dtls" in name.lower()}
    assert set(whole) - set(quick) <= tls | {"NeedHandshakeError"}
