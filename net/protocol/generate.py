"""Writes messages/<api>.py and apis.py from the texts in schema/.

    python -m raftka.net.protocol.generate            writes what has changed
    python -m raftka.net.protocol.generate --check    only say so; exit code 1 when something would

The texts are the source of truth; the classes are checked in so that editors, type checkers and
readers have them. notation.py describes the texts.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from raftka.net.protocol.message import NEVER
from raftka.net.protocol.notation import Field, NotationError, Text, parse_field, parse_text

HERE = Path(__file__).parent
_MADE_BY = (
    "Written by `python -m raftka.net.protocol.generate` from schema/: "
    "change those texts, not this."
)
_PYTHON_TYPES = {
    "bool": "bool",
    "float64": "float",
    "string": "str",
    "uuid": "bytes",
    "bytes": "Buffer",
    "records": "Records",
}


def generated() -> dict[Path, str]:
    """The result of the texts: path -> contents of every generated file.

    Raises NotationError.
    """
    files: dict[Path, str] = {}
    apis: list[tuple[str, Text]] = []
    for source in sorted((HERE / "schema").glob("*.txt")):
        try:
            text = parse_text(source.read_text())
        except NotationError as error:
            raise NotationError(f"{source.name}: {error}") from error
        files[HERE / "messages" / f"{source.stem}.py"] = module(text)
        if text.api_key is not None:
            apis.append((source.stem, text))
    files[HERE / "apis.py"] = table(apis)
    return files


def module(text: Text) -> str:
    """The source of one module of message classes."""
    imports: set[str] = set()
    classes = [
        block for struct in _order(text) for block in ("\n\n", *_class(struct, text, imports))
    ]
    lines = [f'"""{text.comment}', "", _MADE_BY, '"""', ""]
    lines += ["from __future__ import annotations", ""]
    if "Buffer" in imports:
        imports.remove("Buffer")
        lines.append("from raftka.model.ports import Buffer")
    constants = [item for item in imports if item.isupper()]
    lines.append(
        "from raftka.net.protocol.message import "
        + ", ".join(sorted(constants) + sorted(imports - set(constants)))
    )
    return "\n".join(lines) + "\n" + "".join(classes)


def _order(text: Text) -> list[str]:
    """Structs before their users, and a response before its request."""
    roots = {root.name: root.kind for root in text.roots}
    request = [name for name, kind in roots.items() if kind == "request"]
    return [name for name in text.structs if name not in request] + request


def _class(name: str, text: Text, imports: set[str]) -> Iterator[str]:
    kind = next((root.kind for root in text.roots if root.name == name), "struct")
    base = {"struct": "Struct", "data": "Message"}.get(kind, kind.capitalize())
    imports.add(base)
    fields = [parse_field(line) for line in text.structs[name]]
    if kind == "request":
        response = next(root.name for root in text.roots if root.kind == "response")
        base = f"Request[{response}]"
    line = f"class {name}({base}):\n"
    yield line if len(line) <= 101 else f"class {name}(\n    {base}\n):\n"
    if text.api_key is not None and kind != "struct":
        yield f"    API_KEY = {text.api_key}\n"
        yield f'    API_NAME = "{text.api_name}"\n'
    if kind != "struct":
        yield f"    VALID_VERSIONS = ({text.versions.first}, {text.versions.last})\n"
        flexible = text.flexible_from
        if flexible == NEVER:
            imports.add("NEVER")
        yield f"    FLEXIBLE_FROM = {'NEVER' if flexible == NEVER else flexible}\n"
    if kind == "request":
        yield f"    RESPONSE = {response}\n"
    yield _tuple("LAYOUT", text.structs[name])
    yield _tuple("__slots__", [field.name for field in fields])
    if fields:
        yield from _constructor(fields, imports)


def _tuple(name: str, items: list[str]) -> str:
    if len(items) > 1:
        body = "".join(f'        "{item}",\n' for item in items)
        return f"    {name} = (\n{body}    )\n"
    return f'    {name} = ("{items[0]}",)\n' if items else f"    {name} = ()\n"


def _constructor(fields: list[Field], imports: set[str]) -> Iterator[str]:
    yield "\n    def __init__(\n        self,\n        *,\n"
    for field in fields:
        kind, default = _python_type(field), _python_default(field)
        imports.update({"Buffer", "Records"} & set(kind.replace("[", " ").split()))
        if default == "FRESH":
            imports.add("FRESH")
        yield f"        {field.name}: {kind} = {default},\n"
    yield "    ) -> None:\n"
    for field in fields:
        if _python_default(field) != "FRESH":
            yield f"        self.{field.name} = {field.name}\n"
            continue
        fresh = "[]" if field.is_array else f"{field.type}()"
        value = f"{fresh} if {field.name} is FRESH else {field.name}"
        line = f"        self.{field.name} = {value}"
        if len(line) > 100:
            line = f"        self.{field.name} = (\n            {value}\n        )"
        yield line + "\n"


def _python_type(field: Field) -> str:
    base = field.type if field.is_struct else _PYTHON_TYPES.get(field.type, "int")
    if field.is_array:
        base = f"list[{base}]"
    nullable = field.nullable.first < NEVER and field.type != "records"
    return f"{base} | None" if nullable else base


def _python_default(field: Field) -> str:
    if field.default is None:
        nullable = field.nullable.first < NEVER or field.type == "records"
        return "None" if nullable else "FRESH"
    if field.is_array:
        return "FRESH"
    if isinstance(field.default, str):
        return {"string": '""', "bytes": 'b""', "uuid": "bytes(16)"}[field.type]
    return repr(field.default)


def table(apis: list[tuple[str, Text]]) -> str:
    """The source of apis.py."""
    rows = sorted((text.api_key or 0, name, text) for name, text in apis)
    lines = [
        '"""Every API that the codec knows, so that a header can be read without its classes.',
        "",
        _MADE_BY,
        '"""',
        "",
        "from __future__ import annotations",
        "",
        "from typing import Final",
        "",
        "from raftka.model.named_tuple import NamedTuple",
        "",
        "",
        "class Api(NamedTuple):",
        '    """One API: its key, and the versions that raftka can decode and encode."""',
        "",
        "    key: int",
        "    name: str",
        "    module: str",
        '    """A module of `messages`; its classes are <name>Request and <name>Response."""',
        "    first_version: int",
        "    last_version: int",
        "    flexible_from: int",
        "",
        "",
        "APIS: Final[dict[int, Api]] = {",
    ]
    for key, name, text in rows:
        first, last = text.versions
        values = f'{key}, "{text.api_name}", "{name}", {first}, {last}, {text.flexible_from}'
        line = f"    {key}: Api({values}),"
        if len(line) > 100:
            spread = [f"        {value}," for value in values.split(", ")]
            lines += [f"    {key}: Api(", *spread, "    ),"]
        else:
            lines.append(line)
    return "\n".join(lines) + "\n}\n"


def main(arguments: list[str]) -> int:
    files = generated()
    stale = [path for path, text in files.items() if not path.exists() or path.read_text() != text]
    known = {path for path in files if path.parent.name == "messages"}
    left = [p for p in (HERE / "messages").glob("*.py") if p.name[0] != "_" and p not in known]
    for path in stale + left:
        print(path.relative_to(HERE))
    if "--check" in arguments:
        return 1 if stale or left else 0
    for path in stale:
        path.write_text(files[path])
    for path in left:
        path.unlink()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
