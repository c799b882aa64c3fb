"""Expressions of sizes in a `.pt2` archive: arithmetic passes, all else does not.

torch hands them to `sympy.sympify`, which evaluates them as Python. They are parsed here by
Python's own grammar and only what arithmetic needs is let through: numbers, plain names, a list
of functions, and text in one place, the name of a symbol.
"""

from __future__ import annotations

import ast
import re

_FUNCTIONS = frozenset(
    "Symbol Integer Float Rational Half One Zero NegativeOne Add Mul Pow Max Min Abs Mod"
    " FloorDiv CleanDiv CeilDiv PythonMod ModularIndexing IntTrueDiv FloatTrueDiv TrueDiv"
    " PowByNatural FloatPow CeilToInt FloorToInt TruncToInt TruncToFloat RoundToInt RoundDecimal"
    " ToFloat Identity Where LShift RShift ceiling floor sqrt Piecewise ExprCondPair Tuple"
    " Eq Ne Lt Le Gt Ge Equality Unequality StrictLessThan LessThan StrictGreaterThan"
    " GreaterThan And Or Not BooleanTrue BooleanFalse Relational"
    " IsNonOverlappingAndDenseIndicator OpaqueUnaryFn_sqrt".split()
)
_ARITHMETIC = (
    *(ast.Add, ast.Sub, ast.Mult, ast.Div, ast.FloorDiv),
    *(ast.Mod, ast.Pow, ast.BitAnd, ast.BitOr),
)
_MAX_EXPRESSION = 20_000
_MAX_POWER = 16
_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def find_fault(text: object) -> str:
    """Name the first thing in an expression that is not arithmetic.

    Parameters
    ----------
    text : object
        What the archive gives as an expression.

    Returns
    -------
    str
        Empty where the expression is arithmetic.

    Examples
    --------
    >>> find_fault("Mul(Integer(2), Symbol('s0', positive=True, integer=True))")
    ''
    >>> find_fault("__import__('os').system('true')")
    "a call of '__import__('os').system'"
    """
    if not isinstance(text, str) or len(text) > _MAX_EXPRESSION:
        return "too long, or no text"
    try:
        return _find_fault(ast.parse(text, mode="eval").body)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return "no expression"


def is_plain_name(name: str) -> bool:
    """Whether a name can be nothing but that of a symbol.

    Parameters
    ----------
    name : str
        An identifier.

    Returns
    -------
    bool
        False for names with a leading or a double underscore.
    """
    plain = _IDENTIFIER.fullmatch(name) and len(name) < 100
    return bool(plain) and not name.startswith("_") and "__" not in name


def _find_fault(node: ast.expr) -> str:
    """Name the first thing in an expression that is not arithmetic; empty if all is."""
    if isinstance(node, ast.Constant):
        number = node.value if isinstance(node.value, int | float) else None
        plain = number is not None and abs(number) < 1 << 70
        return "" if plain else f"the constant {str(node.value)[:40]!r}"
    if isinstance(node, ast.Name):
        return "" if is_plain_name(node.id) else f"the name '{node.id[:40]}'"
    if isinstance(node, ast.Call):
        return _find_call_fault(node)
    if isinstance(node, ast.UnaryOp):
        parts = [node.operand]
    elif isinstance(node, ast.BinOp):
        parts = [node.left, node.right]
        if isinstance(node.op, ast.Pow) and not _is_small(node.right):
            return "a large power"
        if not isinstance(node.op, _ARITHMETIC):
            return f"'{type(node.op).__name__}'"
    elif isinstance(node, ast.Compare):
        parts = [node.left, *node.comparators]
    else:
        return f"'{type(node).__name__}'"
    return next(filter(None, map(_find_fault, parts)), "")


def _find_call_fault(call: ast.Call) -> str:
    function = call.func.id if isinstance(call.func, ast.Name) else ""
    if function not in _FUNCTIONS:
        return f"a call of '{ast.unparse(call.func)[:40]}'"
    for word in call.keywords:
        if word.arg is None or not isinstance(word.value, ast.Constant):
            return "an option"
        if type(word.value.value) not in (bool, int):
            return "an option"
    if function in ("Symbol", "Float"):
        return _find_literal_fault(function, call.args)
    if function in ("Pow", "PowByNatural", "FloatPow", "LShift"):
        if len(call.args) != 2 or not _is_small(call.args[1]):
            return "a large power"
    return next(filter(None, map(_find_fault, call.args)), "")


def _find_literal_fault(function: str, arguments: list[ast.expr]) -> str:
    """Check ``Symbol('s0')`` and ``Float('0.5')``: the one place where text is allowed."""
    values = [a.value for a in arguments if isinstance(a, ast.Constant)]
    if len(arguments) != 1 or len(values) != 1:
        return f"'{function}'"
    if function == "Symbol":
        name = values[0]
        plain = isinstance(name, str) and is_plain_name(name)
        return "" if plain else "a symbol's name"
    number = re.fullmatch(r"-?[0-9]{1,40}(\.[0-9]{0,40})?(e[+-]?[0-9]{1,3})?", str(values[0]))
    return "" if number else "a number"


def _is_small(node: ast.expr) -> bool:
    if isinstance(node, ast.UnaryOp):
        node = node.operand
    if isinstance(node, ast.Call) and len(node.args) == 1:
        node = node.args[0]
    return isinstance(node, ast.Constant) and type(node.value) is int and node.value <= _MAX_POWER
