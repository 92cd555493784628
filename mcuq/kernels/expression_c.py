"""Expressions as C: one assignment an operation, so that no compiler keeps more bits or fuses two."""

from __future__ import annotations

from mcuq.arithmetic.expression import Expression, nodes
from mcuq.kernels.c_types import c_float, c_float_needs
from mcuq.kernels.kernel import Fragment

_LEAVES = ("x", "constant")
_STEP = "    "


def assignment(root: Expression, target: str) -> Fragment:
    """Lines that assign the expression's value for the float `x` to `target`, with one NaN for all.

    Each function of the library gives one NaN already; x alone is assigned as it is.
    """
    printer = _Printer(root)
    needs: set[str] = set()
    if root.op in ("x", "call"):
        lines = printer.lines(root, "", target)
    else:
        lines = printer.lines(root, "")
        lines.append(f"{target} = mcuq_one_nan({printer.name(root)});")
        needs = {"mcuq_one_nan"}
    used = list(nodes(root))
    needs |= {f"mcuq_{node.function}" for node in used if node.op == "call"}
    constants = c_float_needs(node.value for node in used if node.op == "constant")
    return Fragment("\n".join(lines), tuple(sorted({*needs, *constants})))


class _Printer:
    """Names operations in the order in which they are printed."""

    def __init__(self, root: Expression) -> None:
        self._names: dict[Expression, str] = {}
        self._users: dict[Expression, list[tuple[Expression, int]]] = {}
        for node in nodes(root):
            for index, operand in enumerate(node.operands):
                self._users.setdefault(operand, []).append((node, index))

    def name(self, node: Expression) -> str:
        """How others read the node's value: a variable, x or a constant."""
        if node.op == "x":
            return "x"
        if node.op == "constant":
            return c_float(node.value)
        return self._names[node]

    def text(self, node: Expression) -> str:
        """The operation on what has names."""
        names = [self.name(o) if o.op not in "<>" else self.text(o) for o in node.operands]
        match node.op:
            case "x" | "constant":
                return self.name(node)
            case "neg":
                return f"-{names[0]}"
            case "where":
                return f"{names[0]} ? {names[1]} : {names[2]}"
            case "call":
                return f"mcuq_{node.function}({', '.join(names)})"
        return f"{names[0]} {node.op} {names[1]}"

    def lines(self, root: Expression, indent: str, target: str = "") -> list[str]:
        """Assign the node to `target`, or to a variable of its own, behind all that it is made of and that has no name
        yet."""
        if root.op in _LEAVES or root in self._names:
            return [f"{indent}{target} = {self.name(root)};"] if target else []
        found: list[str] = []
        if root.op == "where":
            condition, *branches = root.operands
            own = [self._only_in(root, index) for index in (1, 2)]
            if any(map(_is_costly, own[0] | own[1])):
                shared = [n for n in nodes(root) if n not in own[0] | own[1] | {root, condition}]
                for node in (*shared, *condition.operands):
                    found += self.lines(node, indent) if node.op not in "<>" else []
                if not target:
                    target = self._give_name(root)
                    found.append(f"{indent}float {target};")
                found.append(f"{indent}if ({self.text(condition)}) {{")
                found += self.lines(branches[0], indent + _STEP, target)
                found.append(f"{indent}}} else {{")
                found += self.lines(branches[1], indent + _STEP, target)
                return [*found, f"{indent}}}"]
        for operand in root.operands:
            found += self.lines(operand, indent)
        if root.op not in "<>":  # conditions are written where they are used
            text = self.text(root)
            found.append(f"{indent}{target or f'const float {self._give_name(root)}'} = {text};")
        return found

    def _give_name(self, node: Expression) -> str:
        self._names[node] = f"t{len(self._names)}"
        return self._names[node]

    def _only_in(self, root: Expression, branch: int) -> set[Expression]:
        """The operations that nothing but one branch of `root` needs, so that they can stay undone without it."""
        found = {node for node in nodes(root.operands[branch]) if node.op not in _LEAVES}
        while True:
            needed = {n for n in found if not all(u in found or (u, i) == (root, branch) for u, i in self._users[n])}
            if not needed:
                return found
            found -= needed


def _is_costly(node: Expression) -> bool:
    """Whether a jump is cheaper: of functions, but for limits, and quotients."""
    return node.op == "/" or (node.op == "call" and node.function != "clamp_float")
