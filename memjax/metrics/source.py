"""Where a Python function comes from: its own source text, and the globals that it reads."""

import ast
import dis
import inspect
import textwrap
import types
from collections.abc import Iterator


def text_of(function: types.FunctionType) -> str | None:
    """A function's own source, of a lambda that expression alone and not its line; None where there is none.

    Example:
        >>> text_of(textwrap.indent).splitlines()[0]
        'def indent(text, prefix, predicate=None):'
    """
    try:
        if function.__name__ != "<lambda>":
            return textwrap.dedent(inspect.getsource(function.__code__))
        whole = "".join(inspect.findsource(function.__code__)[0])
        found = [node for node in ast.walk(ast.parse(whole)) if isinstance(node, ast.Lambda) and _holds(node, function)]
        return ast.get_source_segment(whole, min(found, key=_size)) if found else None
    except (OSError, TypeError, SyntaxError):  # typed in, or made by exec
        return None


def _holds(node: ast.Lambda, function: types.FunctionType) -> bool:
    """Whether every instruction of a function stands in a lambda's body; those without a place in the text don't count."""
    start, end = (node.body.lineno, node.body.col_offset), (node.body.end_lineno, node.body.end_col_offset)
    code = function.__code__
    places = [((a, c), (b, d)) for a, b, c, d in code.co_positions() if None not in (a, b, c, d) and (a, c) != (b, d)]
    return node.lineno == code.co_firstlineno and all(start <= first and last <= end for first, last in places)


def _size(node: ast.Lambda) -> tuple[int, int]:
    """Lines and columns: the innermost of nested lambdas is the smallest."""
    return (node.end_lineno or 0) - node.lineno, (node.end_col_offset or 0) - node.col_offset


def globals_of(code: types.CodeType) -> Iterator[str]:
    """Names of the globals that code reads, also in functions inside it."""
    for step in dis.get_instructions(code):
        if step.opname in ("LOAD_GLOBAL", "LOAD_NAME"):
            yield step.argval
    for inner in code.co_consts:
        if isinstance(inner, types.CodeType):
            yield from globals_of(inner)


def filled(cell: types.CellType) -> bool:
    """Whether a closed-over variable has a value yet."""
    try:
        cell.cell_contents  # noqa: B018 (an empty cell raises)
    except ValueError:
        return False
    return True
