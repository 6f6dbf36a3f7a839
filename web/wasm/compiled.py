"""Run by playground.mjs in Pyodide: /source.zip to /compiled.zip, for modules that are in HOME."""

import ast
import importlib._bootstrap_external as modules
import importlib.util
import zipfile

HOME = globals()["home"]
MOMENT = (2020, 1, 1, 0, 0, 0)
LEFT_OUT = (
    *("asyncio/tools", "ctypes/macholib", "ensurepip/", "idlelib/", "lib2to3/", "multiprocessing/"),
    *(
        "pydoc_data/",
        "sqlite3/",
        "test/",
        "tkinter/",
        "turtledemo/",
        "unittest/",
        "venv/",
        "wsgiref/",
    ),
    *(
        "xml/",
        "xmlrpc/",
        "curses/",
        "dbm/",
        "curses/",
        "compression/zstd",
        "_pyrepl/",
        "pathlib/types",
    ),
    *("turtle.py", "pydoc.py", "doctest.py", "pdb.py", "imaplib.py", "smtplib.py", "ftplib.py"),
    *("mailbox.py", "tarfile.py", "nturl2path.py", "poplib.py", "profile.py", "pstats.py"),
    *("_pydecimal.py", "_pydatetime.py", "statistics.py", "fractions.py", "pickletools.py"),
    *("raftka/client/tools/", "raftka/top/", "raftka/demo/", "raftka/doctor/", "cramjam-"),
)
"""What no session imports."""


SHORTER = tuple(
    f"raftka/{name}/" for name in ("model", "storage", "kraft", "net", "broker", "client")
)
"""Nobody is shown what functions here say of themselves, as they are of faults and scenarios."""


class Shorter(ast.NodeTransformer):
    """Takes the docstrings of functions and classes away."""

    def visit_FunctionDef(self, node):
        first = node.body[0]
        if (
            isinstance(first, ast.Expr)
            and isinstance(first.value, ast.Constant)
            and isinstance(first.value.value, str)
        ):
            node.body[0] = ast.copy_location(ast.Pass(), first)
        self.generic_visit(node)
        return node

    visit_AsyncFunctionDef = visit_ClassDef = visit_FunctionDef


def compiled(name, data):
    path = f"{HOME}/{name}"
    if name.startswith("raftka/"):
        tree = ast.parse(data, path)
        if name.startswith(SHORTER):
            tree = Shorter().visit(tree)
        code = compile(tree, path, "exec", dont_inherit=True, optimize=0)
    else:
        code = compile(data, path, "exec", dont_inherit=True, optimize=2)
    return bytes(modules._code_to_hash_pyc(code, importlib.util.source_hash(data), checked=False))


with zipfile.ZipFile("/source.zip") as source, zipfile.ZipFile("/compiled.zip", "w") as target:
    for name in sorted(source.namelist()):
        if name.startswith(LEFT_OUT):
            continue
        data = source.read(name)
        if name.endswith(".py"):
            name, data = f"{name}c", compiled(name, data)
        target.writestr(zipfile.ZipInfo(name, MOMENT), data)
