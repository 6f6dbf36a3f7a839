"""`raftka learn --export`: one file with everything inside."""

from __future__ import annotations

import base64
import gzip
import json
import re
from pathlib import Path
from typing import Any

import pytest

from raftka.learn import command, places
from raftka.learn.export import MOST_BYTES, TooLong, export
from raftka.learn.recording import Recording, of_trace, record


def data_of(html: str) -> dict[str, Any]:
    found = re.search(r'<script id="raftka-data" type="application/json">(.*?)</script>', html)
    assert found is not None
    value = json.loads(found[1])
    assert isinstance(value, dict)
    return value


def events_of(run: dict[str, Any]) -> list[str]:
    return gzip.decompress(base64.b64decode(run["events_gz"])).decode().splitlines()


def test_a_lesson_is_written_with_all_its_events(tmp_path: Path) -> None:
    file = tmp_path / "kill.html"
    assert command.main(["kill", "--export", str(file), "--lang", "pt"]) == 0
    html = file.read_text(encoding="utf-8")
    assert len(html.encode()) < MOST_BYTES
    data = data_of(html)
    assert data["lang"] == "pt"
    (run,) = data["runs"]
    assert run["lesson"]["words"]["pt"]["title"]
    events = [json.loads(line) for line in events_of(run)]
    assert [event["id"] for event in events] == list(range(1, len(events) + 1))
    # Nothing is loaded from elsewhere.
    assert not re.search(r'(?:src|href)="(?!data:)', html)
    assert "https://" not in html.split("raftka-data")[0]


def test_the_same_lesson_gives_the_same_file(tmp_path: Path) -> None:
    for name in ("one", "two"):
        assert command.main(["kill", "--export", str(tmp_path / name)]) == 0
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


def test_what_ends_a_script_element_stays_inside_it() -> None:
    line = json.dumps({"id": 1, "t": 0, "kind": "log", "node": "n1", "words": "</script><b>"})
    html = export([Recording([line], {"scenario": "</script>"})])
    assert data_of(html)["runs"][0]["session"] == {"scenario": "</script>"}
    html = export([Recording([line], {"scenario": "<!--<script>"})])
    assert "<!--<script" not in html
    assert data_of(html)["runs"][0]["session"] == {"scenario": "<!--<script>"}


def test_a_scenario_and_its_seed_make_the_hash_of_the_command_line() -> None:
    recording = record("lost-leader", seed=7)
    assert re.fullmatch("[0-9a-f]{16}", recording.hash)
    assert recording.session["scenario"] == "lost_leader"
    assert recording.session["seed"] == 7


def test_a_trace_file_is_taken_as_it_is(tmp_path: Path) -> None:
    file = tmp_path / "run.jsonl"
    file.write_text('{"id":1,"t":0.0,"kind":"start","node":"n1"}\n\n')
    assert list(of_trace(file).lines) == ['{"id":1,"t":0.0,"kind":"start","node":"n1"}']


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("nonsense", "line 1"),
        ('{"id":1}', "no event of a trace"),
        ("[]", "no event"),
        ("", "empty"),
    ],
)
def test_what_is_no_trace_is_refused(
    text: str, words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "run.jsonl"
    file.write_text(text)
    assert command.main([str(file), "--export", str(tmp_path / "out.html")]) == 1
    assert words in capsys.readouterr().err
    assert command.main(["nothing", "--export", str(tmp_path / "out.html")]) == 1
    assert "no lesson, no scenario and no file" in capsys.readouterr().err


def test_a_long_run_loses_its_signs_of_life_and_a_longer_one_is_refused() -> None:
    def message(number: int, api: str) -> str:
        noise = base64.b64encode(number.to_bytes(4, "big") * 3).decode()
        return json.dumps(
            {"id": number, "t": number, "kind": "message-sent", "api": api, "side": "request"}
            | {"noise": f"{hash((number, api)) & 0xFFFFFFFFFFFFFFFF:x}{noise}"}
        )

    most = 90_000
    beats = [message(number, "BrokerHeartbeat") for number in range(1, most)]
    html = export([Recording([*beats, message(most, "Produce")], {})])
    (kept,) = events_of(data_of(html)["runs"][0])
    assert json.loads(kept)["id"] == most
    with pytest.raises(TooLong, match="export a shorter session"):
        export([Recording([message(number, "Produce") for number in range(1, most)], {})])


def test_every_place_of_the_code_is_where_it_says() -> None:
    root = Path(places.__file__).parent.parent.parent
    for place in places.places().values():
        file, _, line = place.partition(":")
        assert re.match(
            r"\s*(async )?(def|class|@)", (root / file).read_text().splitlines()[int(line) - 1]
        )


def test_nodes_are_attached_by_their_addresses_and_without_a_lesson(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert command.main(["--attach", "nonsense"]) == 1
    assert "HOST:PORT" in capsys.readouterr().err
    assert command.main(["kill", "--attach", "127.0.0.1:9092"]) == 1
    assert "name no lesson" in capsys.readouterr().err
    assert command.main(["--attach", "h:1", "--command-config", "/nowhere"]) == 1
    assert "cannot be read" in capsys.readouterr().err
