"""sasl.jaas.config, as it is written for Java."""

from __future__ import annotations

import pytest

from raftka.model.settings.jaas import parse_jaas

PLAIN = "org.apache.kafka.common.security.plain.PlainLoginModule"


def test_a_login_module_has_options() -> None:
    text = f'{PLAIN} required username="ad=min" password="a;b \\"c\\"" user_bob=secret ;'
    module = parse_jaas(text)
    assert module.name == PLAIN and module.kind == "PlainLoginModule"
    assert module.options == {"username": "ad=min", "password": 'a;b "c"', "user_bob": "secret"}
    assert parse_jaas(f"{PLAIN} required;").options == {}
    assert parse_jaas(f'{PLAIN} REQUIRED\n  a="b"\n ;').options == {"a": "b"}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "ends with a semicolon"),
        (f'{PLAIN} required password="hidden"', "ends with a semicolon"),
        (f'{PLAIN} password="hidden";', "a control flag is missing"),
        (f"{PLAIN} required password;", "option password has no value"),
        (f'{PLAIN} required password="hidden;', "quotation mark is not closed"),
        (f"{PLAIN} required; {PLAIN} required;", "only one login module"),
    ],
)
def test_what_is_wrong_is_said_without_the_secret(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=words) as caught:
        parse_jaas(text)
    assert "hidden" not in str(caught.value)
