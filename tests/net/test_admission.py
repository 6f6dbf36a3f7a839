"""The limits of connections: in all, from one address, from some addresses."""

from __future__ import annotations

from raftka.net.admission import Admission, Limits, parse_overrides


def test_all_connections_are_counted() -> None:
    admission = Admission(lambda: Limits(2, 10, {}))
    assert admission.admit("10.0.0.1:1") is None
    assert admission.admit("10.0.0.2:1") is None
    assert admission.admit("10.0.0.3:1") == "max.connections=2 are open"
    admission.release("10.0.0.1:1")
    assert admission.admit("10.0.0.3:2") is None


def test_those_of_one_address_are_counted() -> None:
    admission = Admission(lambda: Limits(99, 1, {"10.0.0.9": 2, "::1": 0}))
    assert admission.admit("10.0.0.1:1") is None
    refusal = admission.admit("10.0.0.1:2")
    assert refusal == "1 connections from 10.0.0.1 are open (max.connections.per.ip)"
    assert admission.admit("10.0.0.2:1") is None
    assert admission.admit("10.0.0.9:1") is None
    assert admission.admit("10.0.0.9:2") is None
    assert admission.admit("10.0.0.9:3") is not None
    assert admission.admit("[::1]:5") is not None


def test_limits_may_change() -> None:
    limits = Limits(1, 1, {})
    admission = Admission(lambda: limits)
    assert admission.admit("a:1") is None
    assert admission.admit("b:1") is not None
    limits = Limits(5, 5, {})
    assert admission.admit("b:1") is None


def test_overrides_as_they_are_written() -> None:
    assert parse_overrides("") == {}
    assert parse_overrides("10.0.0.1:5, [::1]:2,host:0") == {"10.0.0.1": 5, "::1": 2, "host": 0}
