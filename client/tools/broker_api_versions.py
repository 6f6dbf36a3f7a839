"""kafka-broker-api-versions: the API versions of each broker."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from raftka.client.admin import Admin
from raftka.client.tools.options import Options, admin_settings, require
from raftka.client.tools.running import run
from raftka.net.protocol.apis import APIS
from raftka.net.protocol.messages.api_versions import ApiVersion, ApiVersionsResponse

_BETWEEN_NODES = frozenset({56, 58, 62, 63, 67})
"""APIs between nodes only: a client does not miss them."""

_OTHER_NAMES = {
    17: "SaslHandshake",
    24: "AddPartitionsToTxn",
    25: "AddOffsetsToTxn",
    26: "EndTxn",
    27: "WriteTxnMarkers",
    28: "TxnOffsetCommit",
    34: "AlterReplicaLogDirs",
    36: "SaslAuthenticate",
    38: "CreateDelegationToken",
    39: "RenewDelegationToken",
    40: "ExpireDelegationToken",
    41: "DescribeDelegationToken",
    48: "DescribeClientQuotas",
    49: "AlterClientQuotas",
    50: "DescribeUserScramCredentials",
    51: "AlterUserScramCredentials",
    57: "UpdateFeatures",
    65: "DescribeTransactions",
    66: "ListTransactions",
    68: "ConsumerGroupHeartbeat",
    69: "ConsumerGroupDescribe",
    71: "GetTelemetrySubscriptions",
    72: "PushTelemetry",
    76: "ShareGroupHeartbeat",
    77: "ShareGroupDescribe",
    78: "ShareFetch",
    79: "ShareAcknowledge",
    83: "InitializeShareGroupState",
    84: "ReadShareGroupState",
    85: "WriteShareGroupState",
    86: "DeleteShareGroupState",
    87: "ReadShareGroupStateSummary",
    88: "StreamsGroupHeartbeat",
    89: "StreamsGroupDescribe",
    90: "DescribeShareGroupOffsets",
    91: "AlterShareGroupOffsets",
    92: "DeleteShareGroupOffsets",
}
"""Names of APIs that Apache Kafka's brokers offer and this client lacks."""

options = Options(
    "kafka-broker-api-versions", "This tool helps to retrieve broker version information."
)
options.servers()


def main(argv: Sequence[str]) -> int:
    return run(options, argv, _read, _work)


def _read(argv: Sequence[str]) -> argparse.Namespace:
    found = options.read(argv)
    require(found, "bootstrap-server")
    return found


async def _work(found: argparse.Namespace) -> int:
    async with Admin(admin_settings(found)) as admin:
        answers = await admin.all_api_versions()
    failed = 0
    for broker, answer in answers.items():
        where = f"{broker.host}:{broker.port} (id: {broker.id} rack: {broker.rack or 'null'}"
        if isinstance(answer, str):
            print(f"{where} isFenced: false) -> ERROR: {answer}")
            failed = 1
        else:
            print(f"{where} isFenced: false) -> (")
            print(",\n".join(_lines(answer)))
            print(")")
    return failed


def _lines(answer: ApiVersionsResponse) -> list[str]:
    told = {item.api_key: item for item in answer.api_keys}
    expected = APIS.keys() - _BETWEEN_NODES
    return [_line(key, told.get(key)) for key in sorted(told.keys() | expected)]


def _line(key: int, told: ApiVersion | None) -> str:
    api = APIS.get(key)
    name = f"\t{api.name if api else _OTHER_NAMES.get(key, 'UNKNOWN')}({key}): "
    if told is None:
        return name + "UNSUPPORTED"
    low, high = told.min_version, told.max_version
    span = str(low) if low == high else f"{low} to {high}"
    if api is None:
        return name + span
    usable = min(high, api.last_version)
    if usable >= max(low, api.first_version):
        return f"{name}{span} [usable: {usable}]"
    return f"{name}{span} [unusable: node too {'new' if low > api.last_version else 'old'}]"
