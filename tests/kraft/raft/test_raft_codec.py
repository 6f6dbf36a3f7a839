"""Messages of peers: valid ones survive a round trip, all others are refused with a reason."""

from __future__ import annotations

from random import Random

import msgpack
import pytest

from raftka.kraft.raft.codec import SIZE, MalformedMessage, Message, decode, encode

APPEND: Message = {
    "type": "append_entries",
    "term": 3,
    "commit_index": 4,
    "sent": 1.5,
    "previous_index": 4,
    "previous_term": 2,
    "entries": ((b"\x00a", 5, 2), (b"\x00b", 6, 3)),
}
CHUNK: Message = {
    "type": "append_entries",
    "term": 3,
    "commit_index": 4,
    "sent": 1.5,
    "serialized": (b"part", True, False),
}
VOTE: Message = {"type": "request_vote", "term": 3, "last_log_index": 9, "last_log_term": 2}


@pytest.mark.parametrize("message", [APPEND, CHUNK, VOTE])
def test_what_is_sent_arrives(message: Message) -> None:
    frame = encode(message)
    assert SIZE.unpack_from(frame)[0] == len(frame) - SIZE.size
    assert decode(frame[SIZE.size :]) == message


@pytest.mark.parametrize(
    ("message", "words"),
    [
        ({**VOTE, "type": "apply_command"}, "unknown message type 'apply_command'"),
        ({**VOTE, "type": ["x"]}, "unknown message type"),
        ({**VOTE, "term": -1}, "request_vote.term is -1"),
        ({**VOTE, "term": "3"}, "request_vote.term is str"),
        ({**VOTE, "term": True}, "request_vote.term is bool"),
        ({**VOTE, "more": 1}, "request_vote with fields"),
        ({"type": "request_vote", "term": 3}, "request_vote with fields"),
        ({**APPEND, "transmission": "start"}, "append_entries with fields"),
        ({**APPEND, "entries": ((b"\x00", 7, 3),)}, "where 5 belongs"),
        ({**APPEND, "entries": ((b"\x00", 5, 1),)}, "where 5 belongs"),
        ({**APPEND, "entries": ((b"\x00", 5, 9),)}, "term 3 with entry of 9"),
        ({**APPEND, "entries": ((b"", 5, 3),)}, "where 5 belongs"),
        ({**APPEND, "entries": (("\x00", 5, 3),)}, "no entry"),
        ({**CHUNK, "serialized": (b"x", 1, 0)}, "a piece of a snapshot"),
        ([1, 2], "a tuple where a message belongs"),
    ],
)
def test_what_nobody_sends_is_refused(message: object, words: str) -> None:
    with pytest.raises(MalformedMessage, match=words):
        decode(msgpack.packb(message))


@pytest.mark.parametrize("seed", range(300))
def test_random_changes_are_refused_or_harmless(seed: int) -> None:
    dice = Random(seed)
    body = bytearray(encode(dice.choice([APPEND, CHUNK, VOTE]))[SIZE.size :])
    for _ in range(dice.randrange(1, 4)):
        body[dice.randrange(len(body))] = dice.randrange(256)
    try:
        decode(bytes(body[: dice.randrange(len(body) + 1)]))
    except MalformedMessage as refusal:
        assert str(refusal)
