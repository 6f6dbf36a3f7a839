"""Kafka's StandardAuthorizer: which ACLs match a request, and which of them wins."""

from __future__ import annotations

import random
from collections.abc import Iterable

import pytest

from raftka.kraft.authorizer import StandardAuthorizer
from raftka.kraft.delta import MetadataDelta, everything
from raftka.kraft.image import EMPTY_IMAGE, Acl, MetadataImage
from raftka.kraft.records import (
    AccessControlEntryRecord,
    MetadataRecord,
    RemoveAccessControlEntryRecord,
)
from raftka.model.access import Operation, PatternType, Permission, Principal, ResourceType

ALICE, BOB = Principal("User", "alice"), Principal("User", "bob")
HOST = "10.0.0.7"
Op, Kind = Operation, ResourceType


def acl(
    name: str,
    operation: Operation = Op.READ,
    *,
    deny: bool = False,
    prefixed: bool = False,
    principal: str = "User:alice",
    host: str = "*",
    kind: ResourceType = Kind.TOPIC,
) -> Acl:
    return Acl(
        kind,
        name,
        PatternType.PREFIXED if prefixed else PatternType.LITERAL,
        principal,
        host,
        operation,
        Permission.DENY if deny else Permission.ALLOW,
    )


def following(*acls: Acl, allow_without_acls: bool = False) -> StandardAuthorizer:
    made = StandardAuthorizer(["User:root"], allow_without_acls=allow_without_acls)
    made.knows_acls = True
    image = change(EMPTY_IMAGE, [added(number, each) for number, each in enumerate(acls)]).image
    made.published(image, everything(image))
    return made


def added(number: int, entry: Acl) -> MetadataRecord:
    return AccessControlEntryRecord(number.to_bytes(16, "big"), *entry)


def change(image: MetadataImage, records: Iterable[MetadataRecord]) -> MetadataDelta:
    delta = MetadataDelta(image)
    delta.replay_all(records, image.offset + 1)
    delta.finish(image.offset + 1, 1)
    return delta


def reads(authorizer: StandardAuthorizer, name: str, who: Principal = ALICE) -> bool:
    return authorizer.allows(who, HOST, Op.READ, Kind.TOPIC, name)


def test_names_are_literal_prefixed_or_all() -> None:
    one = following(acl("orders"), acl("pay", prefixed=True))
    assert [name for name in ("orders", "orders2", "order", "pay", "payments", "pa") if
            reads(one, name)] == ["orders", "pay", "payments"]  # fmt: skip
    assert all(reads(following(acl("*")), name) for name in ("orders", "*", "x"))
    assert not reads(following(acl("*", prefixed=True)), "orders"), "only names that begin with *"
    assert not reads(following(acl("orders", kind=Kind.GROUP)), "orders")


def test_one_denial_outweighs_all_that_allow() -> None:
    allowed = [acl("*"), acl("pay", prefixed=True), acl("payments")]
    for denial in (
        acl("payments", deny=True),
        acl("p", deny=True, prefixed=True),
        acl("*", deny=True),
        acl("payments", Op.ALL, deny=True),
        acl("payments", deny=True, principal="User:*"),
        acl("payments", deny=True, host=HOST),
    ):
        assert reads(following(*allowed), "payments")
        assert not reads(following(*allowed, denial), "payments"), denial
        assert not reads(following(denial, *allowed), "payments"), denial
    assert reads(following(*allowed, acl("payments", deny=True, host="10.0.0.8")), "payments")
    assert reads(following(*allowed, acl("payments", deny=True, principal="User:bob")), "payments")
    assert reads(following(*allowed, acl("payments", Op.WRITE, deny=True)), "payments")


def test_principals_and_hosts() -> None:
    assert not reads(following(acl("t")), "t", BOB)
    assert reads(following(acl("t", principal="User:*")), "t", BOB)
    assert not reads(following(acl("t", principal="Group:alice")), "t")
    assert reads(following(acl("t", host=HOST)), "t")
    assert not reads(following(acl("t", host="10.0.0.8")), "t")


@pytest.mark.parametrize(
    ("granted", "implied"),
    [
        (Op.READ, {Op.READ, Op.DESCRIBE}),
        (Op.WRITE, {Op.WRITE, Op.DESCRIBE}),
        (Op.DELETE, {Op.DELETE, Op.DESCRIBE}),
        (Op.ALTER, {Op.ALTER, Op.DESCRIBE}),
        (Op.DESCRIBE, {Op.DESCRIBE}),
        (Op.CREATE, {Op.CREATE}),
        (Op.ALTER_CONFIGS, {Op.ALTER_CONFIGS, Op.DESCRIBE_CONFIGS}),
        (Op.DESCRIBE_CONFIGS, {Op.DESCRIBE_CONFIGS}),
        (Op.ALL, set(Op) - {Op.ANY}),
    ],
)
def test_what_an_operation_implies(granted: Operation, implied: set[Operation]) -> None:
    def holds(one: StandardAuthorizer) -> set[Operation]:
        return {
            each for each in set(Op) - {Op.ANY} if one.allows(ALICE, HOST, each, Kind.TOPIC, "t")
        }

    assert holds(following(acl("t", granted))) == implied
    denied = {granted} if granted != Op.ALL else set(Op) - {Op.ANY}
    all_but = following(acl("t", Op.ALL), acl("t", granted, deny=True))
    assert holds(all_but) == set(Op) - {Op.ANY} - denied, "a denial implies nothing"


def test_without_acls() -> None:
    assert not reads(following(), "t")
    assert reads(following(allow_without_acls=True), "t")
    others = following(acl("t", principal="User:bob"), allow_without_acls=True)
    assert not reads(others, "t"), "there are ACLs for it, of others"
    assert reads(others, "u")


def test_super_users_may_do_everything() -> None:
    root = Principal("User", "root")
    assert reads(following(acl("t", deny=True, principal="User:*")), "t", root)
    assert not reads(following(), "t", Principal("Group", "root"))


def naive(acls: Iterable[Acl], who: Principal, operation: Operation, name: str) -> bool:
    """The rule without an index, as in its documentation."""
    concerning = [
        each
        for each in acls
        if each.resource_type == Kind.TOPIC
        and (
            each.resource_name in (name, "*")
            if each.pattern_type == PatternType.LITERAL
            else name.startswith(each.resource_name)
        )
    ]
    mine = [
        each
        for each in concerning
        if each.principal in (str(who), "User:*") and each.host in (HOST, "*")
    ]
    if any(a.permission == Permission.DENY and a.operation in (operation, Op.ALL) for a in mine):
        return False
    grants = {operation, Op.ALL}
    if operation == Op.DESCRIBE:
        grants |= {Op.READ, Op.WRITE, Op.DELETE, Op.ALTER}
    if any(a.permission == Permission.ALLOW and a.operation in grants for a in mine):
        return True
    return not concerning


def test_the_index_follows_what_comes_and_goes() -> None:
    dice = random.Random(1)
    image, known = EMPTY_IMAGE, dict[int, Acl]()
    authorizer = StandardAuthorizer(allow_without_acls=True)
    authorizer.knows_acls = True
    verdicts = set()
    for step in range(400):
        if known and dice.random() < 0.45:
            number = dice.choice(sorted(known))
            del known[number]
            delta = change(image, [RemoveAccessControlEntryRecord(number.to_bytes(16, "big"))])
        else:
            known[step] = acl(
                dice.choice(["*", "a", "ab", "abc", "b"]),
                dice.choice([Op.READ, Op.DESCRIBE, Op.ALL]),
                deny=dice.random() < 0.3,
                prefixed=dice.random() < 0.5,
                principal=dice.choice(["User:alice", "User:bob", "User:*"]),
                host=dice.choice(["*", HOST, "::1"]),
                kind=dice.choice([Kind.TOPIC, Kind.TOPIC, Kind.GROUP]),
            )
            delta = change(image, [added(step, known[step])])
        image = delta.image
        authorizer.published(image, delta)
        for name in ("a", "ab", "abcd", "b", "c", "*"):
            for operation in (Op.READ, Op.DESCRIBE):
                verdict = authorizer.allows(ALICE, HOST, operation, Kind.TOPIC, name)
                assert verdict == naive(known.values(), ALICE, operation, name), (step, name)
                verdicts.add((name, verdict))
    assert len(verdicts) == 12, "each name was allowed at times, and refused at times"


def test_who_is_no_super_user_waits_for_the_acls_to_be_known() -> None:
    made = following(acl("a"), allow_without_acls=True)
    made.knows_acls = False
    root = Principal("User", "root")
    for kind, name in ((Kind.TOPIC, "a"), (Kind.TOPIC, "none"), (Kind.CLUSTER, "kafka-cluster")):
        assert not made.allows(ALICE, HOST, Op.READ, kind, name)
        assert made.allows(root, HOST, Op.READ, kind, name)
    assert not made.allows_somewhere(ALICE, HOST, Op.READ, Kind.TOPIC)
    assert made.allows_somewhere(root, HOST, Op.READ, Kind.TOPIC)


@pytest.mark.parametrize(
    ("acls", "somewhere"),
    [
        ((), False),
        ((acl("a", Op.WRITE),), True),
        ((acl("a", Op.ALL),), True),
        ((acl("a", Op.READ),), False),
        ((acl("a", Op.WRITE, host="10.0.0.8"),), False),
        ((acl("a", Op.WRITE, principal="User:*"),), True),
        ((acl("a", Op.WRITE, kind=Kind.GROUP),), False),
        ((acl("a", Op.WRITE), acl("a", Op.WRITE, deny=True)), False),
        ((acl("a", Op.WRITE), acl("b", Op.WRITE, deny=True)), True),
        ((acl("ab", Op.WRITE), acl("a", Op.WRITE, deny=True, prefixed=True)), False),
        ((acl("ab", Op.WRITE, prefixed=True), acl("a", Op.ALL, deny=True, prefixed=True)), False),
        ((acl("a", Op.WRITE, prefixed=True), acl("ab", Op.WRITE, deny=True)), True),
        ((acl("a", Op.WRITE), acl("*", Op.WRITE, deny=True)), False),
        ((acl("*", Op.WRITE), acl("a", Op.WRITE, deny=True, prefixed=True)), True),
        ((acl("a", Op.WRITE), acl("*", Op.READ, deny=True)), True),
    ],
)
def test_whether_there_is_something_that_one_may_write_to(
    acls: tuple[Acl, ...], somewhere: bool
) -> None:
    """KIP-679: a principal that may write to any topic may produce idempotently."""
    made = following(*acls)
    assert made.allows_somewhere(ALICE, HOST, Op.WRITE, Kind.TOPIC) is somewhere


def test_without_acls_there_is_always_something_unless_all_is_denied() -> None:
    assert following(allow_without_acls=True).allows_somewhere(ALICE, HOST, Op.WRITE, Kind.TOPIC)
    nothing = following(acl("*", Op.ALL, deny=True), allow_without_acls=True)
    assert not nothing.allows_somewhere(ALICE, HOST, Op.WRITE, Kind.TOPIC)
