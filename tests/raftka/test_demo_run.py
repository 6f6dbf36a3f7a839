"""The demo on a small scale: three processes, two kill -9, no loss."""

from __future__ import annotations

from pathlib import Path

import pytest

from raftka.commands import main


@pytest.mark.wire
@pytest.mark.slow
def test_the_demo_keeps_its_promise(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    arguments = ["--records", "3000", "--rate", "1500", "--port", "0"]
    code = main(["demo", *arguments, "--directory", str(tmp_path)])
    out = capsys.readouterr().out
    assert code == 0, out
    table = {
        cells[0]: cells[1]
        for line in out.splitlines()
        if len(cells := [cell.strip() for cell in line.strip("│").split("│")]) == 2
    }
    assert table["acknowledged (acks=all)"] == table["read"] == table["sent"] == "3,000"
    assert table["lost"] == table["duplicated in the log"] == "0"
    assert table["in sync after the restart"] == "1, 2, 3 (all partitions)"
    assert "was fenced" in out, "elections are told with their reasons"
    assert "the active controller" in out
