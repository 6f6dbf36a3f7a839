"""The lives of brokers as the controller sees them: registration, heartbeats, shutdown, fencing."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from raftka.kraft.controller import brokers, features, producer_ids
from raftka.kraft.controller.brokers import BrokerState, Heartbeat, Registration
from raftka.kraft.controller.features import Change, FeatureUpdate
from raftka.kraft.controller.result import Rules
from raftka.kraft.image import ListenerEndpoint
from raftka.kraft.records import (
    NO_LEADER,
    RAFTKA_VERSION,
    AccessControlEntryRecord,
    BrokerRegistrationChangeRecord,
    ClientQuotaRecord,
    FeatureLevelRecord,
    MetadataRecord,
    RegisterBrokerRecord,
    TopicRecord,
    UserScramCredentialRecord,
)
from raftka.model.errors import ErrorCode, KafkaError
from tests.support.controller import SUPPORTED, ControllerOnPaper

REQUEST = Registration(
    broker_id=1,
    incarnation_id=b"first process...",
    endpoints=(ListenerEndpoint("PLAINTEXT", "h", 9092, 0),),
    features=SUPPORTED,
    rack="r",
    log_dirs=(b"d" * 16,),
)


@pytest.fixture
def cluster() -> ControllerOnPaper:
    return ControllerOnPaper(random.Random(1))


def register(
    cluster: ControllerOnPaper, request: Registration, *, other_is_alive: bool = False
) -> int:
    result = brokers.register(cluster.image, cluster.rules, request, other_is_alive=other_is_alive)
    return cluster.commit(result)


def beat(cluster: ControllerOnPaper, broker_id: int, **fields: object) -> Heartbeat:
    broker = cluster.image.brokers[broker_id]
    made = Heartbeat(broker_id, broker.epoch, cluster.image.offset)
    return replace(made, **fields)  # type: ignore[arg-type]


def test_a_broker_starts_fenced_with_the_offset_as_its_epoch(cluster: ControllerOnPaper) -> None:
    assert register(cluster, REQUEST) == -1
    broker = cluster.image.brokers[1]
    assert broker.epoch == cluster.image.offset
    assert broker.fenced and broker.rack == "r" and broker.log_dirs == (b"d" * 16,)


def test_the_same_process_may_register_again(cluster: ControllerOnPaper) -> None:
    register(cluster, REQUEST)
    cluster.unfence(1)
    before = cluster.image.brokers[1]
    moved = replace(REQUEST, endpoints=(ListenerEndpoint("PLAINTEXT", "other", 1, 0),))
    assert register(cluster, moved, other_is_alive=True) == before.epoch
    after = cluster.image.brokers[1]
    assert after.epoch == before.epoch and not after.fenced
    assert after.endpoints[0].host == "other"


def test_another_process_is_refused_while_the_first_lives(cluster: ControllerOnPaper) -> None:
    register(cluster, REQUEST)
    second = replace(REQUEST, incarnation_id=b"second process..")
    with pytest.raises(KafkaError, match=r"Another live process is registered as broker 1") as e:
        register(cluster, second, other_is_alive=True)
    assert e.value.code is ErrorCode.DUPLICATE_BROKER_REGISTRATION
    register(cluster, second)
    assert cluster.image.brokers[1].incarnation_id == b"second process.."


def test_a_restart_takes_leadership_although_nobody_fenced_it(cluster: ControllerOnPaper) -> None:
    cluster.start(1, 2)
    cluster.create_with("t", 1, 2)
    cluster.register(1)
    partition = cluster.partition("t")
    assert (partition.leader, partition.isr) == (2, (2,))
    assert partition.reason.startswith("broker 1 restarted after an unclean shutdown: ")


def test_a_broker_must_listen_somewhere(cluster: ControllerOnPaper) -> None:
    with pytest.raises(KafkaError) as e:
        register(cluster, replace(REQUEST, endpoints=()))
    assert e.value.code is ErrorCode.INVALID_REGISTRATION


def test_a_broker_must_support_the_features_in_use(cluster: ControllerOnPaper) -> None:
    with pytest.raises(KafkaError, match=r"supports metadata\.version 1 to 7, but .* at 30") as e:
        others = (("eligible.leader.replicas.version", 1, 1), ("group.version", 0, 1))
        old = (("metadata.version", 1, 7), *others)
        register(cluster, replace(REQUEST, features=old))
    assert e.value.code is ErrorCode.UNSUPPORTED_VERSION


def test_only_the_registered_process_is_heard(cluster: ControllerOnPaper) -> None:
    with pytest.raises(KafkaError) as e:
        brokers.registered(cluster.image, 1, 5)
    assert e.value.code is ErrorCode.BROKER_ID_NOT_REGISTERED
    register(cluster, REQUEST)
    with pytest.raises(KafkaError) as e:
        brokers.registered(cluster.image, 1, 99)
    assert e.value.code is ErrorCode.STALE_BROKER_EPOCH


@pytest.mark.parametrize(
    ("fenced", "leaving", "wants", "leads", "know", "then"),
    [
        (True, False, "", False, False, BrokerState.ACTIVE),
        (True, False, "fence", False, False, BrokerState.FENCED),
        (True, False, "stop", False, False, BrokerState.SHUTDOWN_NOW),
        (False, False, "", True, False, BrokerState.ACTIVE),
        (False, False, "fence", True, False, BrokerState.FENCED),
        (False, False, "fence stop", True, False, BrokerState.SHUTDOWN_NOW),
        (False, False, "stop", True, False, BrokerState.CONTROLLED_SHUTDOWN),
        (False, False, "stop", False, False, BrokerState.SHUTDOWN_NOW),
        (False, True, "stop", True, True, BrokerState.CONTROLLED_SHUTDOWN),
        (False, True, "stop", False, False, BrokerState.CONTROLLED_SHUTDOWN),
        (False, True, "stop", False, True, BrokerState.SHUTDOWN_NOW),
        (False, True, "", False, True, BrokerState.SHUTDOWN_NOW),
    ],
)
def test_where_a_heartbeat_leads(
    cluster: ControllerOnPaper,
    fenced: bool,
    leaving: bool,
    wants: str,
    leads: bool,
    know: bool,
    then: BrokerState,
) -> None:
    register(cluster, REQUEST)
    epoch = cluster.image.brokers[1].epoch
    cluster.replay([BrokerRegistrationChangeRecord(1, epoch, fenced, leaving)])
    heartbeat = beat(cluster, 1, want_fence="fence" in wants, want_shut_down="stop" in wants)
    state = brokers.next_state(
        cluster.image.brokers[1], heartbeat, leads_anything=leads, others_know=know
    )
    assert state is then


def test_a_broker_is_unfenced_once_it_has_caught_up_with_its_registration(
    cluster: ControllerOnPaper,
) -> None:
    register(cluster, REQUEST)
    broker = cluster.image.brokers[1]
    behind = beat(cluster, 1, metadata_offset=broker.epoch - 1)
    state = brokers.next_state(broker, behind, leads_anything=False, others_know=False)
    assert state is BrokerState.FENCED
    answer = cluster.commit(brokers.heartbeat(cluster.image, cluster.rules, behind, state))
    assert (answer.is_caught_up, answer.is_fenced, answer.should_shut_down) == (False, True, False)
    here = beat(cluster, 1)
    answer = cluster.commit(
        brokers.heartbeat(cluster.image, cluster.rules, here, BrokerState.ACTIVE)
    )
    assert (answer.is_caught_up, answer.is_fenced, answer.should_shut_down) == (True, False, False)
    assert cluster.image.is_active(1)
    again = brokers.heartbeat(cluster.image, cluster.rules, here, BrokerState.ACTIVE)
    assert again.records == [], "nothing is written while nothing changes"


def test_a_controlled_shutdown_from_heartbeats(cluster: ControllerOnPaper) -> None:
    cluster.start(1, 2)
    cluster.create_with("t", 1, 2)
    stop = beat(cluster, 1, want_shut_down=True)
    answer = cluster.commit(
        brokers.heartbeat(cluster.image, cluster.rules, stop, BrokerState.CONTROLLED_SHUTDOWN)
    )
    assert not answer.should_shut_down and not answer.is_fenced
    assert cluster.partition("t").leader == 2
    assert not cluster.image.is_active(1)
    answer = cluster.commit(
        brokers.heartbeat(cluster.image, cluster.rules, stop, BrokerState.SHUTDOWN_NOW)
    )
    assert answer.should_shut_down and answer.is_fenced
    broker = cluster.image.brokers[1]
    assert broker.fenced and not broker.in_controlled_shutdown


def test_a_broker_may_ask_to_be_fenced(cluster: ControllerOnPaper) -> None:
    cluster.start(1)
    cluster.create_with("t", 1)
    wish = beat(cluster, 1, want_fence=True)
    cluster.commit(brokers.heartbeat(cluster.image, cluster.rules, wish, BrokerState.FENCED))
    assert cluster.image.brokers[1].fenced and cluster.partition("t").leader == NO_LEADER
    assert cluster.partition("t").reason.startswith("broker 1 asked to be fenced: ")


def test_unregistering(cluster: ControllerOnPaper) -> None:
    cluster.start(1, 2)
    cluster.create_with("t", 1, 2)
    cluster.commit(brokers.unregister(cluster.image, cluster.rules, 1))
    assert list(cluster.image.brokers) == [2]
    assert (cluster.partition("t").leader, cluster.partition("t").replicas) == (2, (1, 2))
    with pytest.raises(KafkaError) as e:
        brokers.unregister(cluster.image, cluster.rules, 1)
    assert e.value.code is ErrorCode.BROKER_ID_NOT_REGISTERED


def test_producer_ids_are_given_once(cluster: ControllerOnPaper) -> None:
    cluster.start(1)
    epoch = cluster.image.brokers[1].epoch
    first = cluster.commit(producer_ids.allocate(cluster.image, 1, epoch))
    second = cluster.commit(producer_ids.allocate(cluster.image, 1, epoch))
    assert (first, second) == (0, 1000)
    with pytest.raises(KafkaError) as e:
        producer_ids.allocate(cluster.image, 1, epoch - 1)
    assert e.value.code is ErrorCode.STALE_BROKER_EPOCH


def test_a_new_cluster_begins_with_its_features(cluster: ControllerOnPaper) -> None:
    assert cluster.image.features == features.BOOTSTRAP
    assert features.bootstrap_records(cluster.image) == []


def test_feature_updates_are_all_or_nothing(
    cluster: ControllerOnPaper, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(features, "SUPPORTED", {"a": (0, 3), "b": (0, 3)})

    def update(*updates: FeatureUpdate) -> dict[str, str | None]:
        answers = cluster.commit(features.update(cluster.image, updates))
        return {name: f.message if f is not None else None for name, f in answers.items()}

    assert update(FeatureUpdate("a", 2), FeatureUpdate("b", 1)) == {"a": None, "b": None}
    down = FeatureUpdate("a", 1)
    assert update(FeatureUpdate("b", 3), down) == {
        "a": "Invalid update version 1 for feature a. Can't downgrade the version of this feature"
        " without setting the upgrade type to either safe or unsafe downgrade.",
        "b": None,
    }
    assert cluster.image.features["b"] == 1
    up = FeatureUpdate("a", 3, Change.SAFE_DOWNGRADE)
    assert update(up) == {
        "a": "Invalid update version 3 for feature a. Can't downgrade to a newer version."
    }
    assert update(replace(down, change=Change.SAFE_DOWNGRADE)) == {"a": None}
    assert update(FeatureUpdate("a", 0, Change.UNSAFE_DOWNGRADE)) == {"a": None}
    assert cluster.image.features.get("a") is None and cluster.image.features["b"] == 1
    assert update(FeatureUpdate("teleport", 1), FeatureUpdate("b", 4)) == {
        "teleport": "Invalid update version 1 for feature teleport. Local controller 0 does not"
        " support this feature.",
        "b": "Invalid update version 4 for feature b. Local controller 0 only supports versions"
        " 0-3",
    }
    odd = update(FeatureUpdate("a", 1, 7))["a"]
    assert odd is not None and "does not support the given upgrade type" in odd


@pytest.mark.parametrize(
    ("level", "change", "words"),
    [
        (31, Change.SAFE_DOWNGRADE, None),
        (29, Change.SAFE_DOWNGRADE, "might delete metadata information"),
        (29, Change.UNSAFE_DOWNGRADE, "Unsafe metadata downgrade is not supported"),
    ],
)
def test_metadata_version_goes_down_where_no_record_has_changed(
    cluster: ControllerOnPaper,
    monkeypatch: pytest.MonkeyPatch,
    level: int,
    change: Change,
    words: str | None,
) -> None:
    monkeypatch.setattr(FeatureLevelRecord, "SINCE", (21, 30))
    cluster.commit(features.update(cluster.image, [FeatureUpdate("metadata.version", 33)]))
    wish = FeatureUpdate("metadata.version", level, change)
    refusal = cluster.commit(features.update(cluster.image, [wish]))["metadata.version"]
    assert (refusal is None) is (words is None)
    if refusal is None or words is None:
        assert cluster.image.features["metadata.version"] == level
    else:
        assert words in refusal.message
        assert cluster.image.features["metadata.version"] == 33


def test_nothing_is_decided_that_nodes_of_an_earlier_release_cannot_read(
    cluster: ControllerOnPaper,
) -> None:
    acl = AccessControlEntryRecord(b"i" * 16, 2, "t", 3, "User:a", "*", 3, 3)
    cluster.replay([FeatureLevelRecord(RAFTKA_VERSION, 0)])
    features.check_readable(cluster.image, [TopicRecord("t", bytes(16))])
    with pytest.raises(KafkaError, match="do not know AccessControlEntryRecord") as e:
        features.check_readable(cluster.image, [acl])
    assert e.value.code is ErrorCode.UNSUPPORTED_VERSION
    assert "'raftka features upgrade --feature raftka.version=1'" in e.value.message
    # What raises the level may be decided together with what needs it.
    features.check_readable(cluster.image, [acl, FeatureLevelRecord(RAFTKA_VERSION, 1)])


@pytest.mark.parametrize(
    ("record", "words"),
    [
        (AccessControlEntryRecord(b"i" * 16, 2, "t", 3, "User:a", "*", 3, 3), "ACLs"),
        (UserScramCredentialRecord("a", 1, b"s", b"k", b"k", 4096), "passwords of users"),
        (ClientQuotaRecord((("user", "a"),), "producer_byte_rate", 1.0), "client quotas"),
    ],
)
def test_our_feature_goes_down_once_an_earlier_release_could_read_everything(
    cluster: ControllerOnPaper, record: MetadataRecord, words: str
) -> None:
    wish = FeatureUpdate(RAFTKA_VERSION, 0, Change.SAFE_DOWNGRADE)
    before = cluster.image
    cluster.replay([record])
    refusal = features.update(cluster.image, [wish]).response[RAFTKA_VERSION]
    assert refusal is not None and f"cannot read {words}" in refusal.message
    assert features.update(before, [wish]).response[RAFTKA_VERSION] is None


def test_a_feature_that_a_broker_lacks_cannot_be_used(cluster: ControllerOnPaper) -> None:
    cluster.replay([RegisterBrokerRecord(7, bytes(16), -1, ())])
    wish = FeatureUpdate("metadata.version", 25)
    refusal = features.update(cluster.image, [wish]).response["metadata.version"]
    assert refusal is not None and "Broker 7 does not support this feature" in refusal.message


def test_rules_are_found_from_the_topic_up(cluster: ControllerOnPaper) -> None:
    rules = Rules(min_insync_replicas=1)
    assert rules.min_isr(cluster.image, "t") == 1
    assert not rules.allows_unclean_election(cluster.image, "t")
