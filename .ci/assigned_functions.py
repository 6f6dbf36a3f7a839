"""For the pages of the API: `create_topics = topics.create_topics` in a class is a method."""

from typing import Any

import griffe


class AssignedFunctions(griffe.Extension):
    """Shows a function of another module that a class assigns as the method that it is."""

    def on_package(self, *, pkg: griffe.Module, **_: Any) -> None:
        """Once all modules are known."""
        below = [pkg]
        while below:
            for each in list(below.pop().members.values()):
                if isinstance(each, griffe.Module):
                    below.append(each)
                elif isinstance(each, griffe.Class):
                    _show(each)


def _show(owner: griffe.Class) -> None:
    for name, member in list(owner.members.items()):
        if not isinstance(member, griffe.Attribute):
            continue
        if not isinstance(member.value, griffe.ExprAttribute):
            continue
        try:
            function = owner.modules_collection[member.value.canonical_path]
        except KeyError:
            continue
        if isinstance(function, griffe.Function):
            _first, *others = function.parameters
            owner.set_member(
                name,
                griffe.Function(
                    name,
                    parameters=griffe.Parameters(griffe.Parameter("self"), *others),
                    returns=function.returns,
                    docstring=function.docstring,
                    lineno=member.lineno,
                    endlineno=member.endlineno,
                ),
            )
