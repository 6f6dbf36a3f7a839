"""The page: its model in Node against a run, the built file in Chromium, and both against nodes.

They need Node, `npm ci` in web/ and Chromium, as .ci has them; elsewhere they are skipped.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import pytest

from raftka.learn import command
from raftka.learn.recording import brought_by, record
from raftka.simulations.sessions.engine import Engine

WEB: Final = Path(__file__).parent.parent.parent / "web"
HEADLESS: Final = WEB / "out" / "headless" / "headless.js"
CHROMIUM: Final = shutil.which("chromium") or "/usr/bin/chromium"
FIREFOX: Final = shutil.which("firefox-esr") or shutil.which("firefox")
MOMENTS: Final = 200
RED: Final = {"lesson": "isolated-leader", "seed": 7, "rules_off": ["truncate-by-leader-epoch"]}
"""A run that loses acknowledged records."""

STAND_IN: Final = """<html><body><script>globalThis.raftkaEngine = {
  name: "worker",
  open: async (onLine) => ({
    send: (line) => {
      const { id } = JSON.parse(line);
      onLine(JSON.stringify({ id, ok: true, verbs: [], rules: [] }));
    },
    close: () => {},
  }),
};</script>
<script type="text/plain" data-part="nothing">eA==</script>
</body></html>"""
"""A playground.html whose engine starts, and knows nothing."""

needs_node = pytest.mark.skipif(
    shutil.which("node") is None or not (WEB / "node_modules" / "vite").exists(),
    reason="needs Node and `npm ci` in web/",
)
needs_chromium = pytest.mark.skipif(not Path(CHROMIUM).exists(), reason="needs Chromium")


def node(*arguments: str, **variables: str) -> str:
    done = subprocess.run(
        ["node", *arguments],
        cwd=WEB,
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    return done.stdout


@pytest.fixture(scope="module")
def headless() -> Path:
    """The model and the words, built for Node."""
    node("node_modules/vite/bin/vite.js", "build", "--ssr", "src/headless.ts", "--logLevel", "warn")
    return HEADLESS


@needs_node
def test_the_model_against_a_run(headless: Path, tmp_path: Path) -> None:
    trace = tmp_path / "run.jsonl"
    trace.write_text("\n".join(record("lost_leader", seed=7).lines))
    node("--test", "tests/model.test.mjs", RAFTKA_TRACE=str(trace))


def moments(session: dict[str, Any]) -> dict[str, Any]:
    """Events of a run, and the nodes' own state at so many times."""
    engine = Engine(lessons=brought_by())
    try:
        *_, opened = engine.handle({"op": "open", "session": session})
        events: list[Any] = []
        states = []
        for step in range(1, MOMENTS + 1):
            at_s = session["until_s"] * step / (MOMENTS + 1)
            request = {"op": "run", "session": opened["session"], "until_s": at_s}
            for answer in engine.handle(request):
                events += answer.get("events", [])
            *_, state = engine.handle({"op": "state", "session": opened["session"]})
            assert state["ok"], state
            states.append({"count": len(events), **state})
        return {"events": events, "states": states}
    finally:
        engine.close()


@needs_node
@pytest.mark.parametrize("lesson", ["zombie-controller", "divergent-logs"])
def test_what_the_page_says_of_a_node_is_what_the_node_says(
    lesson: str, headless: Path, tmp_path: Path
) -> None:
    file = tmp_path / "moments.json"
    file.write_text(json.dumps(moments({"lesson": lesson, "seed": 7, "until_s": 4.9})))
    node("--test", "tests/state.test.mjs", RAFTKA_MOMENTS=str(file))


@needs_node
@needs_chromium
@pytest.mark.wire
def test_the_page_in_a_browser(tmp_path: Path) -> None:
    file = tmp_path / "page.html"
    assert command.main(["kill", "acks", "--export", str(file)]) == 0
    red = tmp_path / "red.html"
    session = tmp_path / "red.json"
    session.write_text(json.dumps(RED))
    assert command.main([str(session), "--export", str(red)]) == 0
    node(
        *("--test", "tests/page.browser.mjs", "tests/red.browser.mjs"),
        RAFTKA_PAGE=str(file),
        RAFTKA_RED=str(red),
        CHROMIUM=CHROMIUM,
    )


@needs_node
@pytest.mark.skipif(FIREFOX is None, reason="needs Firefox")
@pytest.mark.wire
def test_the_page_in_firefox(tmp_path: Path) -> None:
    file = tmp_path / "page.html"
    assert command.main(["kill", "acks", "--export", str(file)]) == 0
    node(
        *("--experimental-websocket", "--test", "tests/firefox.browser.mjs"),
        RAFTKA_PAGE=str(file),
        FIREFOX=str(FIREFOX),
    )


@needs_node
@needs_chromium
@pytest.mark.wire
def test_a_class_in_browsers(tmp_path: Path) -> None:
    """RAFTKA_PLAYGROUND names a file with the real engine; else one stands in."""
    playground = os.environ.get("RAFTKA_PLAYGROUND")
    if playground is None:
        stand_in = tmp_path / "playground.html"
        stand_in.write_text(STAND_IN)
    served = subprocess.Popen(
        [
            *(sys.executable, "-m", "raftka", "learn", "--class", "kill"),
            *("--playground", playground or str(stand_in)),
        ],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert served.stdout is not None
        teacher, students = (served.stdout.readline().split()[-1] for _ in range(2))
        node(
            *("--test", "tests/class.browser.mjs"),
            RAFTKA_TEACHER=teacher,
            RAFTKA_STUDENTS=students,
            RAFTKA_ENGINE="stand-in" if playground is None else "real",
            CHROMIUM=CHROMIUM,
        )
    finally:
        served.kill()
        served.communicate()


@needs_node
def test_the_page_that_is_checked_in_is_the_one_that_is_built(tmp_path: Path) -> None:
    build = ("node_modules/vite/bin/vite.js", "build", "--logLevel", "warn")
    node(*build, "--outDir", str(tmp_path / "page"), "--emptyOutDir")
    built = (tmp_path / "page" / "index.html").read_bytes()
    kept = Path(command.__file__).with_name("page.html").read_bytes()
    assert built == kept, "run `npm run page` in web/"
