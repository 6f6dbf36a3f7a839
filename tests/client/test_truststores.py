"""The truststore that a client verifies an issuer of tokens by."""

from __future__ import annotations

from pathlib import Path

import pytest

from raftka.client.config import consumer_config
from raftka.client.security import _tls_context
from raftka.client.settings import ConfigError
from tests.support.certificates import Authority


def test_a_store_in_the_options_takes_the_place_of_the_whole_one_of_the_settings(
    tmp_path: Path,
) -> None:
    brokers, issuer = Authority(tmp_path, "brokers"), Authority(tmp_path, "issuer")
    config = consumer_config(
        {
            "bootstrap.servers": "localhost:9092",
            "ssl.truststore.type": "PEM",
            "ssl.truststore.certificates": brokers.certificate.read_text(),
        }
    )
    _tls_context(config, {"ssl.truststore.location": str(issuer.certificate)})
    with pytest.raises(ConfigError, match="nowhere"):
        _tls_context(config, {"ssl.truststore.location": str(tmp_path / "nowhere.pem")})
