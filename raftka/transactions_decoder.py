"""Records of __transaction_state as JSON, as `dump-log --transaction-log-decoder` prints them."""

from __future__ import annotations

from typing import Any, Final

from raftka.broker.coordinators.transaction.state import State
from raftka.model.ports import Buffer
from raftka.model.records import Record
from raftka.net.protocol import codec
from raftka.net.protocol.message import Message
from raftka.net.protocol.messages.transaction_log_key import TransactionLogKey
from raftka.net.protocol.messages.transaction_log_value import TransactionLogValue
from raftka.net.protocol.plain import message_fields
from raftka.offsets_decoder import as_json, leading_int16

_IN_MS: Final = (
    "transactionTimeout",
    "transactionLastUpdateTimestamp",
    "transactionStartTimestamp",
)


def decode_transactions(record: Record) -> tuple[str | None, str | None]:
    """(key, payload) as JSON. Records of an unknown kind or version are marked as such."""
    if record.key is None:
        return "<UNKNOWN>", "<UNKNOWN>"
    kind = leading_int16(record.key)
    try:
        key = _fields(TransactionLogKey, record.key)
        payload = None if record.value is None else _fields(TransactionLogValue, record.value)
    except ValueError as error:
        return f"<UNREADABLE: {error}>", None
    if key is None:
        return "<UNKNOWN>", "<UNKNOWN>"
    shown = as_json({"type": str(kind), "data": key})
    if record.value is None:
        return shown, "<DELETE>"
    if payload is None:
        return shown, "<UNKNOWN>"
    version = leading_int16(record.value)
    return shown, as_json({"version": str(version), "data": _named(payload)})


def _fields(kind: type[Message], data: Buffer) -> dict[str, Any] | None:
    """The message's fields; None for an unknown version."""
    version = leading_int16(data)
    low, high = kind.VALID_VERSIONS
    if not low <= version <= high:
        return None
    return message_fields(codec.decode_versioned(kind, data), version)


def _named(fields: dict[str, Any]) -> dict[str, Any]:
    """The fields by Kafka's names, with the state's name instead of its number."""
    named = {f"{name}Ms" if name in _IN_MS else name: value for name, value in fields.items()}
    status = named["transactionStatus"]
    if status in {state.value for state in State}:
        named["transactionStatus"] = State(status).label
    return named
