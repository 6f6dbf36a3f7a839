"""Admin has every operation of its subjects' modules as a method."""

import inspect
import pkgutil
from types import FunctionType

from raftka.client import admin
from raftka.client.admin import Admin
from raftka.client.admin.calls import Calls


def _operations() -> dict[str, FunctionType]:
    """The public functions of client/admin whose first argument is `admin: Calls`, by name."""
    found = {}
    for module in pkgutil.iter_modules(admin.__path__, "raftka.client.admin."):
        if module.name.endswith(".coordinated"):
            continue  # The base of operations.
        names = vars(__import__(module.name, fromlist=["_"]))
        for name, value in names.items():
            if not inspect.iscoroutinefunction(value) or value.__module__ != module.name:
                continue
            first = next(iter(inspect.signature(value).parameters.values()), None)
            if not name.startswith("_") and first is not None and first.annotation == "Calls":
                found[name] = value
    return found


def test_each_operation_is_a_method_of_admin() -> None:
    operations = _operations()
    assert len(operations) > 50
    assert {name: getattr(Admin, name, None) for name in operations} == operations


def test_admin_adds_nothing_else_to_the_calls() -> None:
    own = {name for name in vars(Admin) if not name.startswith("_")}
    assert own == set(_operations())


def test_an_operation_has_a_docstring_and_is_called_without_its_first_argument() -> None:
    opened = Admin.__new__(Admin)
    for name, operation in _operations().items():
        assert operation.__doc__, name
        bound = getattr(opened, name)
        assert bound.__self__ is opened
        assert "admin" not in inspect.signature(bound).parameters


def test_an_operation_does_not_hide_one_of_the_calls() -> None:
    assert not {name for name in vars(Calls) if not name.startswith("_")} & set(_operations())
