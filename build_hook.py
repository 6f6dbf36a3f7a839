"""Hatchling's hook: a distribution knows the commit that it was built from (`raftka version`), and
a wheel is slim.

A source distribution carries the file that a wheel made from it takes over; where there is neither
that nor a git repository, as in a container's build, RAFTKA_COMMIT says it.

A wheel has the code that runs. The docstrings and comments of private modules, for those who change
them, are in the repository and in the source distribution: every line of a wheel's module stands
where it stands there, so that tracebacks and the page's lines of code agree. Public modules, and
those whose docstrings a command prints, are as they are written. The words of the lessons are one
file, since many small ones compress badly.
"""

from __future__ import annotations

import ast
import base64
import hashlib
import json
import lzma
import os
import re
import subprocess
import tempfile
import zipfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

PLACE = "raftka/_commit.py"
WORDS = "raftka/lessons/words.json"
"""In a wheel: the text of each lesson's .toml files by name (raftka/learn/lessons.py)."""
PAGE = "raftka/learn/page.html"
"""In a wheel it is compressed further (raftka/learn/export.py)."""
_WORDS_OF_ONE = re.compile(r"raftka/lessons/([a-z0-9_]+\.[a-z]{2}\.toml)")
_AS_WRITTEN = re.compile(
    r"raftka/("
    r"(__init__|aio|local_cluster|pytest_plugin|simulation)\.py"
    r"|testing/.*"
    r"|client/(cluster|group_offsets|opening|settings)\.py"
    r"|client/admin/.*"
    r"|client/consumer/(consumer|group_client|listener|member|offsets|positions|state)\.py"
    r"|client/producer/(delivery|producer|transaction_errors)\.py"
    r"|client/share/(acknowledgements|consumer)\.py"
    r"|model/(errors|ids|named_tuple)\.py"
    r"|lessons/.*"
    r"|simulations/(faults|scenarios)/.*"
    r"|simulations/(plan|violation)\.py"
    r"|simulations/runs/(loose_ends|outcome|run)\.py"
    r")"
)
"""Modules whose docstrings users read: those of the public API, and those that commands print."""
_LEFT_OUT = re.compile(
    r"raftka/("
    r"net/protocol/(schema/.*|generate\.py)"
    r"|broker/generate_promises\.py"
    r"|settings_page\.py"
    r"|simulations/wasm/pack\.py"
    r")"
)
"""What writes or checks files of the repository: a wheel has what they have written."""
_DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


class CommitHook(BuildHookInterface[Any]):
    """Puts raftka/_commit.py into what is built, and never into the tree."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if version == "editable" or (Path(self.root) / PLACE).exists():
            return  # A checkout asks git; a source distribution has the file.
        commit = os.environ.get("RAFTKA_COMMIT") or _from_git(self.root)
        if not commit:
            return
        handle, self._made = tempfile.mkstemp(suffix=".py")
        with os.fdopen(handle, "w") as file:
            file.write(f'"""Written when this was built."""\n\nCOMMIT = "{commit}"\n')
        build_data["force_include"][self._made] = PLACE

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        made = getattr(self, "_made", None)
        if made is not None:
            os.unlink(made)
        if self.target_name == "wheel" and version == "standard":
            slim(Path(artifact_path))


def _from_git(root: str) -> str:
    if not (Path(root) / ".git").exists():
        return ""
    asked = ["git", "-C", root, "rev-parse", "--short=12", "HEAD"]
    try:
        return subprocess.run(asked, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""


def slim(wheel: Path) -> None:
    """Write a wheel again without what only those read who change private modules."""
    with zipfile.ZipFile(wheel) as whole:
        entries = {entry.filename: (entry, whole.read(entry)) for entry in whole.infolist()}
    (record,) = (name for name in entries if name.endswith(".dist-info/RECORD"))
    entry_of_record, _ = entries.pop(record)
    words: dict[str, str] = {}
    slimmed: list[tuple[zipfile.ZipInfo, bytes]] = []
    for name, (entry, content) in entries.items():
        if _LEFT_OUT.fullmatch(name):
            continue
        if found := _WORDS_OF_ONE.fullmatch(name):
            words[found[1]] = content.decode()
            entry_of_words = entry
        elif name == PAGE:
            entry.filename += ".xz"
            best = lzma.PRESET_EXTREME | 9
            slimmed.append((entry, lzma.compress(content, preset=best)))
        elif name.endswith(".py") and not _AS_WRITTEN.fullmatch(name):
            slimmed.append((entry, without_explanations(content.decode()).encode()))
        else:
            slimmed.append((entry, content))
    if words:
        entry_of_words.filename = WORDS
        text = json.dumps(words, ensure_ascii=False, indent=0, sort_keys=True) + "\n"
        slimmed.append((entry_of_words, text.encode()))
    lines = [f"{entry.filename},{_hash(content)},{len(content)}" for entry, content in slimmed]
    slimmed.append((entry_of_record, "\n".join((*lines, f"{record},,", "")).encode()))
    with zipfile.ZipFile(wheel, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as made:
        for entry, content in slimmed:
            again = zipfile.ZipInfo(entry.filename, entry.date_time)
            again.external_attr = entry.external_attr
            made.writestr(again, content, zipfile.ZIP_DEFLATED, compresslevel=9)


def _hash(content: bytes) -> str:
    digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest())
    return "sha256=" + digest.decode().rstrip("=")


def without_explanations(source: str) -> str:
    """The same code, each line at its place, without docstrings and lines of comment."""
    lines = source.split("\n")
    within_strings: set[int] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Constant | ast.JoinedStr):
            assert node.end_lineno is not None
            within_strings.update(range(node.lineno, node.end_lineno))
        if isinstance(node, _DOCUMENTED):
            strings = [each for each in node.body if _is_string(each)]
            for string in strings:
                assert string.end_lineno is not None
                for row in range(string.lineno - 1, string.end_lineno):
                    lines[row] = ""
            if len(strings) == len(node.body) and not isinstance(node, ast.Module):
                lines[strings[0].lineno - 1] = " " * strings[0].col_offset + "pass"
    for row, line in enumerate(lines):
        if line.lstrip().startswith("#") and row not in within_strings:
            lines[row] = ""
    return "\n".join(lines)


def _is_string(statement: ast.stmt) -> bool:
    """Whether it is a docstring, or explains the name above it."""
    return (
        isinstance(statement, ast.Expr)
        and isinstance(statement.value, ast.Constant)
        and isinstance(statement.value.value, str)
    )
