"""What the package may say at run time, read out of its source: whole texts, with a token where something differs.

``said`` follows an expression to the texts that it may become: both sides of a condition, what a name of the function
was set to, what a function of the package returns, what the callers give for a parameter. What it cannot follow is
``x``, or ``7`` where a number is written.
"""

import ast
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path

import recurra

HOME = Path(recurra.__file__).parent
MOST = 40  # texts of one expression


class Module:
    """One file of the package: its tree, and where each node of it is."""

    def __init__(self, path: Path):
        self.name = path.relative_to(HOME).as_posix()
        self.tree = ast.parse(path.read_text(encoding="utf-8"))
        self.parents = {child: node for node in ast.walk(self.tree) for child in ast.iter_child_nodes(node)}

    def homes(self, node: ast.AST) -> Iterator[ast.AST]:
        """Yield what the node stands in, from the inside out."""
        while node in self.parents:
            node = self.parents[node]
            yield node


class Package:
    """All files of the package that speak at run time."""

    def __init__(self, leave: frozenset[str]):
        paths = [path for path in sorted(HOME.rglob("*.py")) if path.relative_to(HOME).parts[0] not in leave]
        self.modules = [Module(path) for path in paths]
        self.known: dict[ast.expr, list[str]] = {}

    @cached_property
    def functions(self) -> dict[str, list[tuple[Module, ast.FunctionDef]]]:
        """Every function and method by its name."""
        found: dict[str, list[tuple[Module, ast.FunctionDef]]] = {}
        for module in self.modules:
            for node in ast.walk(module.tree):
                if isinstance(node, ast.FunctionDef):
                    found.setdefault(node.name, []).append((module, node))
        return found

    @cached_property
    def calls(self) -> dict[str, list[tuple[Module, ast.Call]]]:
        """Every call by the name of what is called."""
        found: dict[str, list[tuple[Module, ast.Call]]] = {}
        for module in self.modules:
            for node in ast.walk(module.tree):
                if isinstance(node, ast.Call):
                    found.setdefault(called(node), []).append((module, node))
        return found

    def said(self, module: Module, node: ast.expr) -> list[str]:
        """Return what an expression may say; nothing if it says nothing of its own."""
        if isinstance(node, ast.Constant):
            return [node.value] if isinstance(node.value, str) else []
        if node not in self.known:
            self.known[node] = []  # what leads back to itself says nothing more
            self.known[node] = list(dict.fromkeys(self._said(module, node)))[:MOST]
        return self.known[node]

    def _said(self, module: Module, node: ast.expr) -> list[str]:
        found: list[str] = []
        match node:
            case ast.JoinedStr(values=parts):
                found = self._joined(module, parts)
            case ast.FormattedValue(value=value, format_spec=spec):
                found = ["7"] if spec is not None else self.said(module, value) or ["x"]
            case ast.BinOp(left=left, op=ast.Add(), right=right):
                found = self._joined(module, [left, right]) if self.said(module, left) else []
            case ast.IfExp(body=body, orelse=other):
                found = self.said(module, body) + self.said(module, other)
            case ast.BoolOp(values=values):
                found = [text for value in values for text in self.said(module, value)]
            case ast.Lambda(body=body):
                found = self.said(module, body)
            case ast.Dict(values=values):
                found = [text for value in values for text in self.said(module, value)]
            case ast.Subscript(value=ast.Dict() | ast.Name() as table):
                found = self.said(module, _table(module, table))
            case ast.Call():
                found = self._call(module, node)
            case ast.Name():
                found = self._name(module, node)
        return found

    def _joined(self, module: Module, parts: list[ast.expr]) -> list[str]:
        """Return the first text of all parts joined, and every other text of each beside the first of the others."""
        texts = [self.said(module, part) or ["x"] for part in parts]
        first = [options[0] for options in texts]
        others = [[*first[:n], one, *first[n + 1 :]] for n, options in enumerate(texts) for one in options[1:]]
        return ["".join(text) for text in [first, *others]]

    def _call(self, module: Module, node: ast.Call) -> list[str]:
        name = called(node)
        if name == "nearest":
            return ["", " Did you mean 'x'?"]
        if name == "get" and isinstance(node.func, ast.Attribute):
            return self.said(module, _table(module, node.func.value))
        homes = self.functions.get(name, [])
        homes = [home for home in homes if home[0] is module] or (homes if len(homes) == 1 else [])
        returns = [(home, one.value) for home, function in homes for one in _returns(function)]
        return [text for home, value in returns for text in self.said(home, value)]

    def _name(self, module: Module, node: ast.Name) -> list[str]:
        """Return what a name was set to where it stands: in its function, by its callers, or in the module."""
        function = next((one for one in module.homes(node) if isinstance(one, ast.FunctionDef)), None)
        for place in (function, module.tree):
            if place is None:
                continue
            found = self._set(module, place, node.id)
            if found:
                return found
        return [] if function is None else self._given(module, function, node.id)

    def _set(self, module: Module, place: ast.AST, name: str) -> list[str]:
        found: list[str] = []
        for node in ast.walk(place) if isinstance(place, ast.FunctionDef) else ast.iter_child_nodes(place):
            for value in _values(module, node, name):
                found += self.said(module, value)
            if isinstance(node, ast.AugAssign) and ast.unparse(node.target) == name:
                more = [before + after for before in found for after in self.said(module, node.value)]
                found = found + more if isinstance(module.parents[node], ast.If) else more
        return found

    def _given(self, module: Module, function: ast.FunctionDef, name: str) -> list[str]:
        names = [one.arg for one in function.args.args]
        if name not in names or name in ("self", "cls"):
            return []
        at = names.index(name) - (names[0] in ("self", "cls"))
        if at < 0:  # an object is no text
            return []
        found: list[str] = []
        for home, call in self.calls.get(function.name, []):
            named = [one.value for one in call.keywords if one.arg == name]
            value = named[0] if named else call.args[at] if len(call.args) > at else None
            if value is not None and home is module:
                found += self.said(home, value)
        return found


def called(node: ast.Call) -> str:
    """Return the last name of what is called."""
    return node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")


def _returns(function: ast.FunctionDef) -> Iterator[ast.Return]:
    for node in ast.walk(function):
        if isinstance(node, ast.Return) and node.value is not None:
            yield node


def _table(module: Module, table: ast.expr) -> ast.expr:
    """Return the dictionary that a name of the module stands for."""
    for node in module.tree.body:
        if isinstance(node, ast.Assign | ast.AnnAssign) and isinstance(node.value, ast.Dict):
            names = node.targets if isinstance(node, ast.Assign) else [node.target]
            if isinstance(table, ast.Name) and ast.unparse(names[0]) == table.id:
                return node.value
    return table if isinstance(table, ast.Dict) else ast.Constant(None)


def _values(module: Module, node: ast.AST, name: str) -> Iterator[ast.expr]:
    """Yield what a statement sets a name to, also as one of several names."""
    match node:
        case ast.Assign(targets=[target], value=value) | ast.NamedExpr(target=target, value=value):
            yield from _matched(target, value, name)
        case ast.For(
            target=ast.Tuple(elts=[_, ast.Name(id=its)]),
            iter=ast.Call(func=ast.Attribute(value=table, attr="items")),
        ) if its == name:
            yield _table(module, table)
        case ast.For(target=target, iter=ast.Tuple(elts=values)):
            for value in values:
                yield from _matched(target, value, name)


def _matched(target: ast.expr, value: ast.expr, name: str) -> Iterator[ast.expr]:
    if isinstance(value, ast.IfExp) and isinstance(target, ast.Tuple):
        yield from _matched(target, value.body, name)
        yield from _matched(target, value.orelse, name)
    elif isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple):
        for one, its in zip(target.elts, value.elts, strict=False):
            yield from _matched(one, its, name)
    elif isinstance(target, ast.Name) and target.id == name:
        yield value
