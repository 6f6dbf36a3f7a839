"""Heartbeats that a group member sends while its caller processes records (KIP-62)."""

from __future__ import annotations

import logging

from raftka.client.cluster import Cluster
from raftka.client.consumer.group_client import GroupClient
from raftka.client.consumer.membership import Membership, fenced
from raftka.client.coordinator import COORDINATOR_MOVED
from raftka.client.settings import ClientConfig
from raftka.model.errors import ErrorCode, KafkaError
from raftka.model.ports import BrokenConnection
from raftka.net.protocol.messages.heartbeat import HeartbeatRequest

log = logging.getLogger("raftka.consumer")


async def keep_alive(
    cluster: Cluster, group: GroupClient, membership: Membership, config: ClientConfig
) -> None:
    """Send heartbeats while there is a membership to keep; runs until cancelled.

    It changes only state that the next poll reads: the generation, and the need to rejoin.
    """
    interval_s = config.seconds("heartbeat.interval.ms")
    session_s = config.seconds("session.timeout.ms")
    while True:
        await cluster.clock.sleep(interval_s)
        if group.generation < 0 or membership.joining:
            continue
        if membership.poll_due_at <= cluster.clock.monotonic():
            log.warning(
                "group %s: leaving, since the last poll was more than max.poll.interval.ms ago:"
                " raise it, or lower max.poll.records",
                group.group_id,
            )
            await membership.leave("consumer poll timeout has expired.")
            continue
        generation = group.generation
        try:
            with cluster.clock.within(session_s):
                channel = await group.channel()
                answer = await group.send(channel, _heartbeat(group))
                if group.generation == generation and not membership.joining:
                    _heed(group, membership, ErrorCode(answer.error_code))
        except BrokenConnection as error:
            group.lost(str(error))
        except KafkaError as error:
            log.warning("group %s: no heartbeat: %s", group.group_id, error)


def _heartbeat(group: GroupClient) -> HeartbeatRequest:
    return HeartbeatRequest(
        group_id=group.group_id,
        generation_id=group.generation,
        member_id=group.member_id,
        group_instance_id=group.instance_id,
    )


def _heed(group: GroupClient, membership: Membership, code: ErrorCode) -> None:
    if code == ErrorCode.NONE:
        return
    log.info("group %s: heartbeat answered %s", group.group_id, code.name)
    if code == ErrorCode.REBALANCE_IN_PROGRESS:
        membership.request_rejoin("the group rebalances")
    elif code in COORDINATOR_MOVED:
        group.lost(code.name)
    elif code == ErrorCode.FENCED_INSTANCE_ID:
        membership.fatal = fenced(group.instance_id)
        membership.request_rejoin(code.name)
    elif code == ErrorCode.ILLEGAL_GENERATION:
        membership.forget_place(keep_id=True)
    elif code == ErrorCode.UNKNOWN_MEMBER_ID:
        membership.forget_place(keep_id=False)
