"""The page's words: both languages have the same keys, and every kind of event has a sentence."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Final

import pytest

from raftka.model.reasons import SENTENCES
from raftka.model.rules import Rule, word
from raftka.simulations.faults.table import FAULTS
from raftka.simulations.load.operations import OPERATIONS
from raftka.simulations.story.rules import RULES
from raftka.simulations.story.story import MOMENTS
from raftka.tracing.kinds import KINDS

WEB: Final = Path(__file__).parent.parent.parent.parent / "web" / "src"
MESSAGES: Final = ("message-sent", "message-received", "message-lost")
VARIED: Final = {"quorum-vote": ("event.quorum-vote.self", "event.quorum-vote.other")}


def table(language: str) -> dict[str, str]:
    found = json.loads((WEB / "words" / f"{language}.json").read_text(encoding="utf-8"))
    assert isinstance(found, dict)
    return found


def parameters(words: str) -> set[str]:
    return set(re.findall(r"\{([\w-]+)", words))


def test_both_languages_have_the_same_keys() -> None:
    assert list(table("en")) == list(table("pt"))


@pytest.mark.parametrize("key", table("en"))
def test_a_translation_has_the_same_parameters(key: str) -> None:
    assert parameters(table("en")[key]) == parameters(table("pt")[key])
    assert table("pt")[key].strip()


def test_every_kind_of_event_has_a_sentence() -> None:
    words = table("en")
    missing = [
        key
        for kind in KINDS
        if kind not in MESSAGES
        for key in VARIED.get(kind, (f"event.{kind}",))
        if key not in words
    ]
    assert missing == []


def test_every_reason_of_a_decision_has_words_with_its_parameters() -> None:
    words = table("en")
    for code, sentence in SENTENCES.items():
        assert parameters(words[f"reason.{code}"]) <= parameters(sentence.words), code


def test_rules_faults_and_what_breaks_have_words() -> None:
    words = table("en")
    said = {
        **{f"broken.{name}": rule for name, rule in RULES.items()},
        **{f"rule-holds.{word(rule)}": rule.value for rule in Rule},
        **{f"fault.{name}": fault.meaning for name, fault in FAULTS.items()},
    }
    assert {key: words.get(key) for key in said} == said
    assert [name for name in OPERATIONS if f"operation.{name}" not in words] == []


def test_every_moment_and_every_impossible_action_has_words() -> None:
    """Of actions by the codes in the source."""
    words = table("en")
    assert [code for code in MOMENTS if f"moment.{code}" not in words] == []
    verbs = (WEB.parent.parent / "simulations" / "sessions" / "verbs.py").read_text()
    reasons = set(re.findall(r'raise Impossible\([^,]*, "([a-z-]+)"', verbs))
    assert len(reasons) >= 10
    assert [code for code in reasons if f"refused.{code}" not in words] == []


def test_every_word_that_the_code_asks_for_is_there() -> None:
    words = table("en")
    asked = {
        key
        for file in WEB.rglob("*.ts*")
        for key in re.findall(r'"([a-z]+\.[a-z][\w.-]*)"', file.read_text(encoding="utf-8"))
        if key.split(".")[0] in {each.split(".")[0] for each in words}
    }
    assert sorted(asked - set(words)) == []
