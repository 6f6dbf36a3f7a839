"""The clients whose members the driver runs, and what each needs to run at all."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, NamedTuple

_PROGRAMS: Final = Path(__file__).parent / "programs"


class Missing(Exception):
    """Something that is not on this machine."""


class Client(NamedTuple):
    """How to run a member, and which protocol it speaks."""

    prepare: Callable[[Path, Sequence[str]], list[str]]
    """From a folder of its own and Java's class path, the command without its arguments."""
    protocol: str

    @property
    def shares(self) -> bool:
        """Whether its groups are share groups."""
        return self.protocol == "share"


def _python(module: str) -> Callable[[Path, Sequence[str]], list[str]]:
    def prepare(folder: Path, libraries: Sequence[str]) -> list[str]:
        return [sys.executable, "-m", f"benchmarks.group_cases.programs.{module}"]

    return prepare


def _go(folder: Path, libraries: Sequence[str]) -> list[str]:
    go = shutil.which("go") or shutil.which("/usr/local/go/bin/go")
    if go is None:
        raise Missing("go is not installed")
    shutil.copytree(_PROGRAMS / "franz_go", folder, dirs_exist_ok=True)
    _run([go, "build", "-o", "member", "."], folder)
    return [str(folder / "member")]


def _node(folder: Path, libraries: Sequence[str]) -> list[str]:
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        raise Missing("node or npm is not installed")
    shutil.copytree(_PROGRAMS / "kafkajs", folder, dirs_exist_ok=True)
    _run([npm, "install", "--no-audit", "--no-fund", "--silent"], folder)
    return [node, str(folder / "member.js")]


def _java(folder: Path, libraries: Sequence[str]) -> list[str]:
    java, javac = shutil.which("java"), shutil.which("javac")
    if java is None or javac is None:
        raise Missing("java or javac is not installed")
    if not libraries:
        raise Missing("--libraries names no jars of Kafka's clients")
    path = ":".join(libraries)
    folder.mkdir(parents=True, exist_ok=True)
    source = _PROGRAMS / "java" / "GroupMember.java"
    _run([javac, "-cp", path, "-d", str(folder), str(source)], folder)
    options = ["-Xmx128m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]
    return [java, *options, "-cp", f"{path}:{folder}", "GroupMember"]


def _run(command: list[str], folder: Path) -> None:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, errors="replace")
    if done.returncode:
        raise Missing(f"{command[0]} failed: {(done.stderr or done.stdout).strip()[-500:]}")


_OF_LIBRDKAFKA: Final = _python("confluent_member")
_OF_RAFTKA: Final = _python("raftka_member")

CLIENTS: Final[dict[str, Client]] = {
    "raftka-classic": Client(_OF_RAFTKA, "classic"),
    "raftka-consumer": Client(_OF_RAFTKA, "consumer"),
    "raftka-share": Client(_OF_RAFTKA, "share"),
    "confluent-classic": Client(_OF_LIBRDKAFKA, "classic"),
    "confluent-consumer": Client(_OF_LIBRDKAFKA, "consumer"),
    "confluent-share": Client(_python("confluent_share_member"), "share"),
    "kafka-python": Client(_python("kafka_python_member"), "classic"),
    "aiokafka": Client(_python("aiokafka_member"), "classic"),
    "franz-go-classic": Client(_go, "classic"),
    "franz-go-consumer": Client(_go, "consumer"),
    "franz-go-share": Client(_go, "share"),
    "kafkajs": Client(_node, "classic"),
    "java-classic": Client(_java, "classic"),
    "java-consumer": Client(_java, "consumer"),
    "java-share": Client(_java, "share"),
}
