"""The page that playground.html is made of."""

from __future__ import annotations

import json
import re
from pathlib import Path

from raftka.learn import lessons
from raftka.learn.playground import main


def test_it_lists_all_lessons_and_has_the_first_one_in_it(tmp_path: Path) -> None:
    file = tmp_path / "page.html"
    assert main([str(file)]) == 0
    found = re.search(r'<script id="raftka-data"[^>]*>(.*?)</script>', file.read_text(), re.S)
    assert found is not None
    data = json.loads(found[1].replace("<\\/", "</"))
    assert [each["name"] for each in data["lessons"]] == list(lessons.names())
    (run,) = data["runs"]
    assert run["lesson"]["name"] == lessons.names()[0]
    assert run["hash"]
    assert main([]) == 2
