"""The comparison's arithmetic: ratios, percentiles, and that a stall shows in the latencies."""

from __future__ import annotations

import json
import socket
import struct
import threading
import time
import xml.etree.ElementTree as ET
from dataclasses import asdict
from pathlib import Path

import pytest

from benchmarks import compare
from benchmarks.open_loop import percentile, run_open
from benchmarks.ratio_chart import Bar, draw

FRAME = struct.pack(">i", 4) + b"ping"


def test_ratios_say_how_many_times_better() -> None:
    cpu = compare.row("x", "CPU s per GB", [1, 2, 3], [4, 4, 12], more=False)
    assert (cpu.ours, cpu.theirs, cpu.ratio, cpu.low, cpu.high) == (2, 4, 2, 2, 4)
    rate = compare.row("x", "requests/s", [10, 30, 20], [10, 10, 10], more=True)
    assert (rate.ratio, rate.low, rate.high) == (2, 1, 3)
    assert "| x | requests/s | 20 | 10 | 2.00 | 1.00 to 3.00 |" in compare.table([rate])


def test_kept_rows_are_drawn_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    kept, svg = tmp_path / "rows", tmp_path / "chart.svg"
    made = compare.row("one record", "CPU s per GB", [1], [3], more=False)
    kept.write_text(json.dumps(asdict(made)) + "\n")
    assert compare.main(["--rows", str(kept), "--svg", str(svg)]) == 0
    assert "| one record | CPU s per GB | 1 | 3 | 3.00 |" in capsys.readouterr().out
    assert "one record: CPU" in svg.read_text()
    assert compare.main([]) == 2


def test_a_percentile_is_one_of_the_values() -> None:
    values = [float(n) for n in range(1, 101)]
    assert [percentile(values, share) for share in (0.5, 0.99, 0.999, 1)] == [50, 99, 100, 100]
    assert percentile([7.0], 0.5) == 7


def test_a_stall_delays_all_requests_that_were_planned_during_it() -> None:
    """A closed loop would count one slow request; a quarter of the planned ones met the stall."""
    listener = socket.create_server(("127.0.0.1", 0))
    stall_s = 0.3

    def serve() -> None:
        connection, _ = listener.accept()
        with connection:
            answered = 0
            while data := connection.recv(1 << 16):
                if answered <= 40 < answered + len(data) // len(FRAME):
                    time.sleep(stall_s)
                answered += len(data) // len(FRAME)
                connection.sendall(data[: len(data) // len(FRAME) * len(FRAME)])

    thread = threading.Thread(target=serve)
    thread.start()
    with listener:
        address = listener.getsockname()
        found = run_open(
            (address[0], address[1]),
            FRAME,
            rate=200,
            connections=1,
            seconds=1.0,
            check=lambda answer: None,
        )
    thread.join()
    assert len(found.answers) == 200
    assert found.lost == 0
    slow = [each for each in found.answers if each > stall_s / 2]
    assert len(slow) >= 25, "those that fell due in the first half of the stall"
    assert found.percentile_ms(0.99) > 1000 * stall_s * 0.8


def test_what_is_not_answered_is_reported() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = listener.getsockname()
        found = run_open(
            (address[0], address[1]),
            FRAME,
            rate=100,
            connections=2,
            seconds=0.1,
            check=lambda answer: None,
            patience_s=0.1,
        )
    assert (found.lost, found.answers) == (10, [])


def test_the_chart_is_well_formed_and_says_everything() -> None:
    bars = [Bar("fetch <1 MB>: CPU", 2.5, 2.0, 3.0), Bar("one record: rate", 0.4, 0.35, 0.5)]
    root = ET.fromstring(draw("Title & more", "how to read it", bars, "2026"))
    texts = [each.text or "" for each in root.iter("{http://www.w3.org/2000/svg}text")]
    for words in ("Title & more", "fetch <1 MB>: CPU", "2.5x", "0.4x", "1x", "2026"):
        assert words in texts
    boxes = list(root.iter("{http://www.w3.org/2000/svg}rect"))[1:]
    level = next(
        float(each.attrib["x"])
        for each in root.iter("{http://www.w3.org/2000/svg}text")
        if each.text == "1x"
    )
    assert float(boxes[0].attrib["x"]) == pytest.approx(level, abs=0.2), "ahead: from 1 rightwards"
    ends = float(boxes[1].attrib["x"]) + float(boxes[1].attrib["width"])
    assert ends == pytest.approx(level, abs=0.2), "behind: up to 1 from the left"
