"""PTX text -> functions: declared registers, variables, parameters, and a list of instructions and labels.

The grammar is that of NVIDIA's "PTX ISA", as far as NVVM writes it: a statement ends with a semicolon,
braces open a scope with registers of its own (inline assembly does that), `.loc` names the line of source
that follows.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from tests.ptx.faults import UnknownPTX


@dataclass(frozen=True)
class Register:
    name: str
    negated: bool = False  # !%p1


@dataclass(frozen=True)
class Immediate:
    text: str


@dataclass(frozen=True)
class Symbol:
    """A variable, a parameter, a function or a label."""

    name: str


@dataclass(frozen=True)
class Address:
    """[base + offset]; base None is an absolute address."""

    base: Register | Symbol | None
    offset: int


@dataclass(frozen=True)
class Group:
    """{a, b} of a vector access, (a, b) of a call, a|b of a pair of results."""

    items: tuple


@dataclass(frozen=True)
class Instruction:
    line: int  # of the PTX text
    text: str
    source: str  # "file.py:12" where the compiler was told to say it, else ""
    guard: Register | None  # @%p1, @!%p1
    name: str  # "ld"
    modifiers: tuple[str, ...]  # ("global", "v4", "f32")
    operands: tuple


@dataclass(frozen=True)
class Label:
    name: str


@dataclass(frozen=True)
class Variable:
    space: str  # global, const, shared, local, param
    name: str
    size: int | None  # bytes; None: given at launch (dynamic shared memory)
    align: int
    content: bytes | None = None


@dataclass
class Function:
    name: str
    is_kernel: bool
    returns: list[Variable]
    params: list[Variable]
    max_threads: int | None
    registers: dict[str, str] = field(default_factory=dict)  # name -> type
    variables: list[Variable] = field(default_factory=list)
    body: list[Instruction | Label] = field(default_factory=list)


@dataclass
class Module:
    functions: dict[str, Function]
    variables: list[Variable]

    def kernel(self) -> Function:
        kernels = [f for f in self.functions.values() if f.is_kernel]
        if len(kernels) != 1:
            raise UnknownPTX(f"one kernel a text is understood, found {len(kernels)}")
        return kernels[0]


NAME = r"[A-Za-z_$%][\w$]*(?:\.[xyz])?"
LINE_DIRECTIVES = re.compile(r"\.(version|target|address_size|loc|file)\b")
SIZES = {"pred": 1, **{f"{kind}{bits}": bits // 8 for kind in "bus" for bits in (8, 16, 32, 64)}}
SIZES |= {"f16": 2, "f32": 4, "f64": 8}
VARIABLE = re.compile(
    r"(?:\.(?:visible|extern|weak|common)\s+)*\.(?P<space>global|const|shared|local|param)\s+"
    r"(?:\.align\s+(?P<align>\d+)\s+)?"
    rf"\.(?P<type>\w+)\s+(?P<name>{NAME})\s*(?P<array>\[\d*\])?\s*(?:=\s*(?P<value>.*))?$",
    re.S,
)


def statements(text: str):
    """(line, statement) of a text, with comments removed; braces that open or close a scope come alone."""
    text = re.sub(r"//[^\n]*", "", text)
    text = re.sub(r"/\*.*?\*/", lambda m: re.sub(r"[^\n]", " ", m[0]), text, flags=re.S)
    position = 0
    while (start := re.compile(r"\S").search(text, position)) is not None:
        begin = start.start()
        rest = text[begin : begin + 16]
        if rest[0] in "{}":
            end = begin + 1
        elif LINE_DIRECTIVES.match(rest):
            end = text.find("\n", begin)
            end = len(text) if end < 0 else end
        elif rest.startswith(".section"):  # debugging tables
            position = text.index("}", begin) + 1
            continue
        elif label := re.compile(rf"{NAME}:").match(text, begin):
            end = label.end()
        elif re.compile(r"(\.\w+\s+)*\.(entry|func)\b").match(text, begin):
            end = re.compile(r"[{;]").search(text, begin).start()
            end += text[end] == ";"  # a declaration without a body
        else:
            end = text.index(";", begin) + 1
        yield text.count("\n", 0, begin) + 1, text[begin:end].strip()
        position = end


def parse(text: str) -> Module:
    """The functions and the variables of a PTX text."""
    module = Module({}, [])
    reader: _Body | None = None
    files = dict(re.findall(r'^\s*\.file\s+(\d+)\s+"(?:[^"]*/)?([^"/]*)"', text, re.M))
    for line, statement in statements(text):
        if reader is not None:
            if reader.take(line, statement, files):
                reader = None
        elif re.match(r"(\.\w+\s+)*\.(entry|func)\b", statement):
            if not statement.endswith(";"):
                function = _header(statement)
                module.functions[function.name] = function
                reader = _Body(function)
        elif not LINE_DIRECTIVES.match(statement):
            module.variables.append(_variable(line, statement.rstrip(";")))
    return module


def _header(text: str) -> Function:
    match = re.match(
        rf"(?:\.\w+\s+)*\.(entry|func)\s*(?:\((?P<ret>[^)]*)\))?\s*(?P<name>{NAME})\s*"
        r"(?:\((?P<par>[^)]*)\))?(?P<rest>.*)",
        text,
        re.S,
    )
    assert match is not None, text
    lists = [
        [_variable(0, part.strip()) for part in (match[key] or "").split(",") if part.strip()]
        for key in ("ret", "par")
    ]
    limit = re.search(r"\.(?:maxntid|reqntid)\s+([\d,\s]+)", match["rest"])
    threads = None
    if limit:
        threads = 1
        for number in limit[1].split(","):
            threads *= int(number)
    return Function(match["name"], match[1] == "entry", *lists, threads)


def _variable(line: int, text: str) -> Variable:
    match = VARIABLE.match(text)
    if match is None or match["type"] not in SIZES:
        raise UnknownPTX(f"line {line}: declaration not understood: {text[:120]}")
    size, array = SIZES[match["type"]], match["array"]
    align = int(match["align"] or size)
    content = None
    if match["value"]:
        if size != 1:
            raise UnknownPTX(f"line {line}: only bytes can be initialised: {text[:120]}")
        content = bytes(int(value, 0) for value in match["value"].strip(" {}\n").split(","))
    if array == "[]":
        return Variable(match["space"], match["name"], None, align)
    total = size * int(array[1:-1]) if array else size
    return Variable(match["space"], match["name"], total, align, content and content.ljust(total, b"\0"))


class _Body:
    """Reads a function's statements; names of an inner scope are made unique by the scope's number."""

    def __init__(self, function: Function):
        self.function = function
        self.scopes: list[dict[str, str]] = []
        self.opened = 0
        self.source = ""

    def take(self, line: int, statement: str, files: dict[str, str]) -> bool:
        """Take one statement; True at the function's end."""
        if statement == "{":
            self.scopes.append({})
            self.opened += 1
        elif statement == "}":
            self.scopes.pop()
            return not self.scopes
        elif re.match(r"\.loc\b", statement):
            number, row = statement.split()[1:3]
            self.source = f"{files.get(number, '?')}:{row}" if row != "0" else self.source
        elif statement.startswith(".reg"):
            self._registers(line, statement)
        elif statement.startswith(".pragma"):
            pass  # a hint to the assembler, "nounroll"
        elif statement.startswith("."):
            variable = _variable(line, statement.rstrip(";"))
            name = self._declare(variable.name)
            self.function.variables.append(Variable(variable.space, name, variable.size, variable.align))
        elif statement.endswith(":"):
            self.function.body.append(Label(statement[:-1]))
        else:
            self.function.body.append(self._instruction(line, statement))
        return False

    def _declare(self, name: str) -> str:
        unique = name if self.opened == 1 else f"{name}@{self.opened}"
        self.scopes[-1][name] = unique
        return unique

    def _registers(self, line: int, statement: str) -> None:
        match = re.match(r"\.reg\s+\.(\w+)\s+(.*);", statement, re.S)
        if match is None or match[1] not in SIZES:
            raise UnknownPTX(f"line {line}: registers not understood: {statement}")
        for part in match[2].split(","):
            name, _, count = part.strip().rstrip(">").partition("<")
            for full in [f"{name}{i}" for i in range(int(count))] if count else [name]:
                self.function.registers[self._declare(full)] = match[1]

    def _name(self, name: str) -> Register | Symbol:
        for scope in reversed(self.scopes):
            if name in scope:
                unique = scope[name]
                known = unique in self.function.registers
                return Register(unique) if known else Symbol(unique)
        return Register(name) if name.startswith("%") else Symbol(name)

    def _instruction(self, line: int, statement: str) -> Instruction:
        text = " ".join(statement.split())
        match = re.match(rf"(?:@(!?)({NAME})\s+)?([a-z]\w*)((?:(?:\.|::)\w+)*)\s*(.*);$", text)
        if match is None:
            raise UnknownPTX(f"line {line}: not understood: {text}")
        guard = None
        if match[2]:
            register = self._name(match[2])
            guard = Register(register.name, match[1] == "!")
        modifiers = tuple(m for m in re.split(r"\.|::", match[4]) if m)
        operands = tuple(self._operand(part, line) for part in _split(match[5]))
        return Instruction(line, text, self.source, guard, match[3], modifiers, operands)

    def _operand(self, text: str, line: int):
        if text[0] in "{(":
            return Group(tuple(self._operand(part, line) for part in _split(text[1:-1])))
        if text[0] == "[":
            match = re.match(rf"\[\s*({NAME})?\s*\+?\s*(-?\d+|-?0x[0-9a-fA-F]+)?\s*\]$", text)
            if match is None:
                raise UnknownPTX(f"line {line}: address not understood: {text}")
            return Address(self._name(match[1]) if match[1] else None, int(match[2] or "0", 0))
        if "|" in text:
            return Group(tuple(self._operand(part.strip(), line) for part in text.split("|")))
        if text[0] == "!":
            register = self._name(text[1:].strip())
            return Register(register.name, negated=True)
        if re.match(r"-?\d", text):
            return Immediate(text)
        return self._name(text)


def _split(text: str) -> list[str]:
    """The operands between top-level commas."""
    parts = re.findall(r"(?:\{[^}]*\}|\([^)]*\)|\[[^\]]*\]|[^,])+", text)
    return [part.strip() for part in parts if part.strip()]
