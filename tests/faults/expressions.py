"""Parses DynamoDB's expressions by recursive descent, and evaluates them over an item.

It does not use moto's parsers (moto.dynamodb.parsing, .comparisons). There are three of them, they are internal to moto
and disagree about what they refuse. They evaluate over moto's own model of an item, which is too lax for this table.
It does use moto's list of reserved words. Unknown syntax raises an error.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from moto.dynamodb.parsing.reserved_keywords import ReservedKeywords

from tests.faults.values import (
    ORDERED,
    SETS,
    Item,
    Refused,
    Value,
    added,
    checked,
    copied,
    invalid,
    rank,
    set_of,
    type_of,
)

# ---- Syntax trees ----


@dataclass(frozen=True, slots=True)
class Path:
    """The path to an attribute or into a document: names, and positions in lists."""

    steps: tuple[str | int, ...]

    def __str__(self) -> str:
        return ".".join(map(str, self.steps))


@dataclass(frozen=True, slots=True)
class Constant:
    """A value given in the request."""

    value: Value


@dataclass(frozen=True, slots=True)
class Size:
    """size(): the length of the value at a path."""

    path: Path


Operand = Path | Constant | Size


@dataclass(frozen=True, slots=True)
class Comparison:
    operator: str
    left: Operand
    right: Operand


@dataclass(frozen=True, slots=True)
class Between:
    operand: Operand
    lowest: Operand
    highest: Operand


@dataclass(frozen=True, slots=True)
class In:
    operand: Operand
    choices: tuple[Operand, ...]


@dataclass(frozen=True, slots=True)
class Predicate:
    """A boolean function, such as begins_with."""

    name: str
    path: Path
    argument: Operand | None


@dataclass(frozen=True, slots=True)
class Not:
    condition: Condition


@dataclass(frozen=True, slots=True)
class Both:
    left: Condition
    right: Condition


@dataclass(frozen=True, slots=True)
class Either:
    left: Condition
    right: Condition


Condition = Comparison | Between | In | Predicate | Not | Both | Either


@dataclass(frozen=True, slots=True)
class Sum:
    left: Source
    right: Source
    sign: int


@dataclass(frozen=True, slots=True)
class Otherwise:
    """if_not_exists(): the value at the path, or another source if there is none."""

    path: Path
    source: Source


@dataclass(frozen=True, slots=True)
class Appended:
    first: Source
    second: Source


Source = Path | Constant | Sum | Otherwise | Appended


@dataclass(frozen=True, slots=True)
class Update:
    """An update expression, by clause."""

    sets: tuple[tuple[Path, Source], ...] = ()
    removes: tuple[Path, ...] = ()
    adds: tuple[tuple[Path, Constant], ...] = ()
    deletes: tuple[tuple[Path, Constant], ...] = ()

    def paths(self) -> list[Path]:
        """All paths that the update changes."""
        return [*(path for path, _ in (*self.sets, *self.adds, *self.deletes)), *self.removes]


# ---- Parsing ----

_TOKEN = re.compile(r"\s*(?:(?P<token>[#:]?[A-Za-z0-9_]+|<>|<=|>=|[=<>()\[\],.+-])|$)")
_COMPARATORS = frozenset({"=", "<>", "<", "<=", ">", ">="})
_TESTS = {"attribute_exists": 1, "attribute_not_exists": 1, "attribute_type": 2, "begins_with": 2, "contains": 2}
_CLAUSES = ("SET", "REMOVE", "ADD", "DELETE")
_CHOICES_MAX = 100


@cache
def _reserved() -> frozenset[str]:
    return frozenset(ReservedKeywords.get_reserved_keywords())


@dataclass(slots=True)
class Placeholders:
    """The names and values of one request. The request's expressions must use every one of them."""

    names: Mapping[str, str]
    values: Mapping[str, Value]
    used: set[str] = field(default_factory=set)

    @classmethod
    def of(cls, request: Mapping[str, Any]) -> Placeholders:
        for given in ("ExpressionAttributeNames", "ExpressionAttributeValues"):
            if given in request and not request[given]:
                raise invalid(f"{given} must not be empty")
        values = request.get("ExpressionAttributeValues", {})
        return cls(
            request.get("ExpressionAttributeNames", {}), {name: checked(value) for name, value in values.items()}
        )

    def require_all_used(self) -> None:
        """Raises Refused for an unused name or value."""
        for kind, given in (("Names", self.names), ("Values", self.values)):
            unused = ", ".join(sorted(given.keys() - self.used))
            if unused:
                message = f"Value provided in ExpressionAttribute{kind} unused in expressions: keys: {{{unused}}}"
                raise invalid(message)


class Reader:
    """Parses one expression. `slot` names it in error messages: ConditionExpression, UpdateExpression …"""

    def __init__(self, slot: str, text: str, placeholders: Placeholders) -> None:
        self._slot, self._text, self._placeholders = slot, text, placeholders
        self._tokens = [*_tokens(text, self._refused)]
        self._position = 0
        self._brackets: set[tuple[int, int]] = set()  # the positions of each pair of parentheses
        if not self._tokens:
            raise self._refused("The expression can not be empty;")

    def condition(self) -> Condition:
        condition = self._either()
        self._require_end()
        return condition

    def update(self) -> Update:
        parts: dict[str, tuple[Any, ...]] = {}
        while self._next is not None:
            clause = self._take().upper()
            if clause not in _CLAUSES:
                raise self._syntax_error()
            if clause in parts:
                raise self._refused(f'The "{clause}" section can only be used once in an update expression;')
            parts[clause] = tuple(self._comma_separated(getattr(self, f"_{clause.lower()}")))
        update = Update(*(parts.get(clause, ()) for clause in _CLAUSES))
        self._require_apart(update.paths())
        return update

    def projection(self) -> list[Path]:
        paths = [*self._comma_separated(self._path)]
        self._require_end()
        return paths

    # conditions, from the loosest binding to the tightest

    def _either(self) -> Condition:
        condition = self._both()
        while self._skip("OR"):
            condition = Either(condition, self._both())
        return condition

    def _both(self) -> Condition:
        condition = self._not()
        while self._skip("AND"):
            condition = Both(condition, self._not())
        return condition

    def _not(self) -> Condition:
        return Not(self._not()) if self._skip("NOT") else self._single()

    def _single(self) -> Condition:
        if self._next == "(":
            return self._bracketed()
        if self._next in _TESTS and self._after == "(":
            return self._test()
        operand = self._operand()
        if self._next in _COMPARATORS:
            return self._comparable(Comparison(self._take(), operand, self._operand()))
        if self._skip("BETWEEN"):
            lowest = self._operand()
            self._expect("AND")
            return self._comparable(Between(operand, lowest, self._operand()))
        if self._skip("IN"):
            self._expect("(")
            choices = tuple(self._comma_separated(self._operand))
            self._expect(")")
            if len(choices) > _CHOICES_MAX:
                raise self._refused("The IN operator is provided with too many operands;")
            return In(operand, choices)
        raise self._syntax_error()

    def _bracketed(self) -> Condition:
        opens = self._position
        self._expect("(")
        condition = self._either()
        self._expect(")")
        if (opens + 1, self._position - 1) in self._brackets:
            raise self._refused("The expression has redundant parentheses;")
        self._brackets.add((opens, self._position))
        return condition

    def _test(self) -> Condition:
        name = self._take()
        self._expect("(")
        path = self._path()
        argument = None
        if _TESTS[name] > 1:
            self._expect(",")
            argument = self._operand()
        self._expect(")")
        if name == "begins_with" and isinstance(argument, Constant) and type_of(argument.value) not in {"S", "B"}:
            raise self._wrong_type(name, argument)
        return Predicate(name, path, argument)

    def _operand(self) -> Operand:
        if self._next == "size" and self._after == "(":
            self._take()
            self._expect("(")
            path = self._path()
            self._expect(")")
            return Size(path)
        return self._constant() if self._is_constant() else self._path()

    def _comparable(self, condition: Comparison | Between) -> Condition:
        """Returns the condition. Raises Refused if it compares constants of a type without order."""
        if isinstance(condition, Comparison):
            operands = (condition.left, condition.right) if condition.operator not in {"=", "<>"} else ()
            for operand in operands:
                self._require_order(operand, condition.operator)
            return condition
        for operand in (condition.operand, condition.lowest, condition.highest):
            self._require_order(operand, "BETWEEN")
        match condition:
            case Between(_, Constant(lowest), Constant(highest)):
                if type_of(lowest) != type_of(highest):
                    raise self._refused("The BETWEEN operator requires same data type for lower and upper bounds;")
                if rank(lowest) > rank(highest):
                    raise self._refused(
                        "The BETWEEN operator requires upper bound to be greater than or equal to lower bound;"
                    )
        return condition

    def _require_order(self, operand: Operand, operator: str) -> None:
        if isinstance(operand, Constant) and type_of(operand.value) not in ORDERED:
            raise self._wrong_type(operator, operand)

    def _wrong_type(self, operator: str, operand: Constant) -> Refused:
        return self._refused(
            "Incorrect operand type for operator or function; "
            f"operator or function: {operator}, operand type: {type_of(operand.value)}"
        )

    # updates

    def _set(self) -> tuple[Path, Source]:
        path = self._path()
        self._expect("=")
        return path, self._source()

    def _remove(self) -> Path:
        return self._path()

    def _add(self) -> tuple[Path, Constant]:
        path, constant = self._path(), self._constant()
        if type_of(constant.value) not in {"N", *SETS}:
            raise self._wrong_type("ADD", constant)
        return path, constant

    def _delete(self) -> tuple[Path, Constant]:
        path, constant = self._path(), self._constant()
        if type_of(constant.value) not in SETS:
            raise self._wrong_type("DELETE", constant)
        return path, constant

    def _source(self) -> Source:
        source = self._term()
        if self._next in {"+", "-"}:
            sign = {"+": 1, "-": -1}[self._take()]
            other = self._term()
            for term in (source, other):
                if isinstance(term, Constant) and type_of(term.value) != "N":
                    raise self._wrong_type("+" if sign == 1 else "-", term)
            return Sum(source, other, sign)
        return source

    def _term(self) -> Source:
        if self._skip("("):
            source = self._source()
            self._expect(")")
            return source
        if self._after == "(" and self._next in {"if_not_exists", "list_append"}:
            if self._take() == "if_not_exists":
                self._expect("(")
                path = self._path()
                self._expect(",")
                source = Otherwise(path, self._source())
            else:
                self._expect("(")
                first = self._source()
                self._expect(",")
                source = Appended(first, self._source())
                for term in (source.first, source.second):
                    if isinstance(term, Constant) and type_of(term.value) != "L":
                        raise self._wrong_type("list_append", term)
            self._expect(")")
            return source
        return self._constant() if self._is_constant() else self._path()

    def _require_apart(self, paths: list[Path]) -> None:
        for position, path in enumerate(paths):
            for other in paths[:position]:
                shared = min(len(path.steps), len(other.steps))
                if path.steps[:shared] == other.steps[:shared]:
                    raise self._refused(
                        f"Two document paths overlap with each other; path one: {other}, path two: {path}"
                    )

    # common to conditions and updates

    def _path(self) -> Path:
        steps: list[str | int] = [self._name()]
        while self._next in {".", "["}:
            if self._take() == ".":
                steps.append(self._name())
            else:
                steps.append(int(self._take()))
                self._expect("]")
        return Path(tuple(steps))

    def _name(self) -> str:
        token = self._take()
        if token.startswith("#"):
            if token not in self._placeholders.names:
                raise self._refused(
                    f"An expression attribute name used in the document path is not defined; attribute name: {token}"
                )
            self._placeholders.used.add(token)
            return self._placeholders.names[token]
        if not (token[0].isalpha() or token[0] == "_"):
            self._position -= 1
            raise self._syntax_error()
        if token.upper() in _reserved():
            raise self._refused(f"Attribute name is a reserved keyword; reserved keyword: {token}")
        return token

    def _is_constant(self) -> bool:
        return self._next is not None and self._next.startswith(":")

    def _constant(self) -> Constant:
        if not self._is_constant():
            raise self._syntax_error()
        token = self._take()
        if token not in self._placeholders.values:
            raise self._refused(
                f"An expression attribute value used in expression is not defined; attribute value: {token}"
            )
        self._placeholders.used.add(token)
        return Constant(self._placeholders.values[token])

    def _comma_separated(self, part: Callable[[], Any]) -> Iterator[Any]:
        yield part()
        while self._skip(","):
            yield part()

    # tokens

    @property
    def _next(self) -> str | None:
        return self._tokens[self._position] if self._position < len(self._tokens) else None

    @property
    def _after(self) -> str | None:
        return self._tokens[self._position + 1] if self._position + 1 < len(self._tokens) else None

    def _take(self) -> str:
        token = self._next
        if token is None:
            raise self._syntax_error()
        self._position += 1
        return token

    def _skip(self, token: str) -> bool:
        if self._next is not None and self._next.upper() == token:
            self._position += 1
            return True
        return False

    def _expect(self, token: str) -> None:
        if not self._skip(token):
            raise self._syntax_error()

    def _require_end(self) -> None:
        if self._next is not None:
            raise self._syntax_error()

    def _syntax_error(self) -> Refused:
        near = " ".join(self._tokens[max(self._position - 1, 0) : self._position + 2])
        return self._refused(f'Syntax error; token: "{self._next or "<EOF>"}", near: "{near}"')

    def _refused(self, message: str) -> Refused:
        return invalid(f"Invalid {self._slot}: {message}")


def _tokens(text: str, refused: Callable[[str], Refused]) -> Iterator[str]:
    position = 0
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            raise refused(f'Syntax error; token: "{text[position]}", near: "{text[position : position + 12]}"')
        if match["token"] is not None:
            yield match["token"]
        position = match.end()


# ---- Evaluating ----


def value_at(path: Path, item: Item) -> Value | None:
    """The value at the path, None if there is none."""
    place: Any = {"M": item}
    for step in path.steps:
        content = place.get("L" if isinstance(step, int) else "M")
        if content is None:
            return None
        place = dict(enumerate(content)).get(step) if isinstance(step, int) else content.get(step)
        if place is None:
            return None
    value: Value = place
    return value


def holds(condition: Condition, item: Item) -> bool:
    """Whether the condition is true of the item. A missing item counts as an empty one."""
    match condition:
        case Both(left, right):
            return holds(left, item) and holds(right, item)
        case Either(left, right):
            return holds(left, item) or holds(right, item)
        case Not(negated):
            return not holds(negated, item)
        case Comparison(operator, left, right):
            return _compares(operator, _operand(left, item), _operand(right, item))
        case Between(operand, lowest, highest):
            value = _operand(operand, item)
            return _compares(">=", value, _operand(lowest, item)) and _compares("<=", value, _operand(highest, item))
        case In(operand, choices):
            value = _operand(operand, item)
            return any(_compares("=", value, _operand(choice, item)) for choice in choices)
        case Predicate(name, path, argument):
            return _passes(name, value_at(path, item), None if argument is None else _operand(argument, item))


def _operand(operand: Operand, item: Item) -> Value | None:
    match operand:
        case Constant(value):
            return value
        case Size(path):
            stored = value_at(path, item)
            return None if stored is None else _length(stored)
        case Path():
            return value_at(operand, item)


def _length(value: Value) -> Value | None:
    [(type_, content)] = value.items()
    match type_:
        case "S":
            return {"N": str(len(content.encode()))}
        case "B":
            return {"N": str(len(rank(value)))}
        case "L" | "M" | "SS" | "NS" | "BS":
            return {"N": str(len(content))}
        case _:
            return None


def _compares(operator: str, left: Value | None, right: Value | None) -> bool:
    if operator == "<>":
        return not _compares("=", left, right)
    if left is None or right is None or type_of(left) != type_of(right):
        return False
    if operator == "=":
        return left == right
    if type_of(left) not in ORDERED:
        return False
    first, second = rank(left), rank(right)
    match operator:
        case "<":
            return bool(first < second)
        case "<=":
            return bool(first <= second)
        case ">":
            return bool(first > second)
        case _:
            return bool(first >= second)


def _passes(name: str, value: Value | None, argument: Value | None) -> bool:
    if name in {"attribute_exists", "attribute_not_exists"}:
        return (value is not None) == (name == "attribute_exists")
    if value is None or argument is None:
        return False
    if name == "attribute_type":
        return type_of(value) == argument.get("S")
    if name == "begins_with":
        return type_of(value) == type_of(argument) in {"S", "B"} and bool(rank(value).startswith(rank(argument)))
    return _contains(value, argument)


def _contains(value: Value, argument: Value) -> bool:
    [(type_, content)], kind = value.items(), type_of(argument)
    match type_:
        case "L":
            return argument in content
        case "S" | "B":
            return kind == type_ and bool(rank(argument) in rank(value))
        case "SS" | "NS" | "BS":
            return kind == SETS[type_] and argument[kind] in content
        case _:
            return False


def updated(update: Update, item: Item) -> Item:
    """The item after the update. All sources are evaluated on the item before it."""
    new: dict[str, Any] = {name: copied(value) for name, value in item.items()}
    for path, source in update.sets:
        _place(path, new, _source(source, item))
    for path in sorted(update.removes, key=_last_positions_first):
        _remove_at(path, new)
    for path, constant in update.adds:
        _place(path, new, _sum_or_union(value_at(path, item), constant.value))
    for path, constant in update.deletes:
        _shrink(path, new, value_at(path, item), constant.value)
    return new


def _last_positions_first(path: Path) -> tuple[int, ...]:
    # Positions refer to the list before the update, so the last one is removed first.
    return tuple(-step for step in path.steps if isinstance(step, int))


def _source(source: Source, item: Item) -> Value:
    match source:
        case Constant(value):
            return value
        case Path():
            stored = value_at(source, item)
            if stored is None:
                raise invalid("The provided expression refers to an attribute that does not exist in the item")
            return stored
        case Otherwise(path, other):
            current = value_at(path, item)
            return _source(other, item) if current is None else current
        case Sum(left, right, sign):
            first, second = _source(left, item), _source(right, item)
            if not type_of(first) == type_of(second) == "N":
                raise _incorrect_type()
            return added(first, second, sign)
        case Appended(left, right):
            head, tail = _source(left, item), _source(right, item)
            if not type_of(head) == type_of(tail) == "L":
                raise _incorrect_type()
            return {"L": [*head["L"], *tail["L"]]}


def _incorrect_type() -> Refused:
    return invalid("An operand in the update expression has an incorrect data type")


def _parent(path: Path, item: dict[str, Any]) -> Any:
    """The map or list that contains the path's last step. Raises Refused if there is none."""
    *way, last = path.steps
    place = value_at(Path(tuple(way)), item) if way else {"M": item}
    content = None if place is None else place.get("L" if isinstance(last, int) else "M")
    if content is None:
        raise invalid("The document path provided in the update expression is invalid for update")
    return content


def _place(path: Path, item: dict[str, Any], value: Value) -> None:
    content, last = _parent(path, item), path.steps[-1]
    if isinstance(last, int) and last >= len(content):
        content.append(copied(value))
    else:
        content[last] = copied(value)


def _remove_at(path: Path, item: dict[str, Any]) -> None:
    content, last = _parent(path, item), path.steps[-1]
    if isinstance(last, int):
        del content[last : last + 1]
    else:
        content.pop(last, None)


def _sum_or_union(current: Value | None, value: Value) -> Value:
    if current is None:
        return value
    kind = type_of(value)
    if type_of(current) != kind:
        raise _incorrect_type()
    return added(current, value) if kind == "N" else set_of(kind, {*current[kind], *value[kind]})


def _shrink(path: Path, item: dict[str, Any], current: Value | None, value: Value) -> None:
    if current is None:
        return
    kind = type_of(value)
    if type_of(current) != kind:
        raise _incorrect_type()
    remaining = set(current[kind]) - set(value[kind])
    if remaining:
        _place(path, item, set_of(kind, remaining))
    else:
        _remove_at(path, item)
