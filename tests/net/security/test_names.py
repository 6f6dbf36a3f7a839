"""Names in certificates as Java writes them, and the rules that make users of them."""

from __future__ import annotations

import pytest

from raftka.net.security.names import NameRules, distinguished_name

SUBJECT = (
    (("countryName", "CH"),),
    (("organizationName", "A, Inc."),),
    (("organizationalUnitName", "ops"),),
    (("commonName", "Alice"),),
)
NAME = r"CN=Alice,OU=ops,O=A\, Inc.,C=CH"


def test_a_name_begins_with_its_last_part() -> None:
    assert distinguished_name(SUBJECT) == NAME
    assert distinguished_name(((("commonName", " #a;b "),),)) == "CN=\\ #a\\;b\\ "


@pytest.mark.parametrize(
    ("rules", "user"),
    [
        ("DEFAULT", NAME),
        ("RULE:^CN=(.*?),.*$/$1/", "Alice"),
        ("RULE:^CN=(.*?),.*$/$1/L", "alice"),
        ("RULE:^CN=(.*?),.*$/$1/U,DEFAULT", "ALICE"),
        ("RULE:^CN=(.*?),OU=(.*?),.*$/$1@$2/L", "alice@ops"),
        ("RULE:^CN=Bob,.*$/bob/, RULE:^.*OU=(.*?),.*$/$1/,DEFAULT", "ops"),
        ("RULE:^CN=Bob,.*$/bob/,DEFAULT", NAME),
    ],
)
def test_the_first_rule_that_fits_names_the_user(rules: str, user: str) -> None:
    assert NameRules(rules).name_of(NAME) == user


def test_a_name_that_no_rule_fits_is_refused() -> None:
    with pytest.raises(ValueError, match="no rule of ssl"):
        NameRules("RULE:^CN=Bob,.*$/bob/").name_of(NAME)


@pytest.mark.parametrize("rules", ["RULE:a", "CN=a", "RULE:(/x/", "DEFAULT;x", "RULE:a/b/X"])
def test_what_is_no_rule_is_refused(rules: str) -> None:
    with pytest.raises(ValueError, match="is no"):
        NameRules(rules)
