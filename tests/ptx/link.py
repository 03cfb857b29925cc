"""A parsed module -> one flat program: calls are replaced by the called function's body, labels by positions.

PTX written by NVVM knows no recursion, so a call is its body with fresh names, and `ret` in it jumps behind
it. Parameters of functions become registers, one for each offset that is read or written.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace

from tests.ptx.faults import UnknownPTX
from tests.ptx.parse import (
    Address,
    Function,
    Group,
    Instruction,
    Label,
    Module,
    Register,
    Symbol,
    Variable,
    parse,
)


@dataclass(frozen=True)
class Program:
    name: str
    params: list[Variable]
    max_threads: int | None
    registers: dict[str, str]  # name -> type
    variables: list[Variable]  # of all spaces but param
    instructions: list[Instruction]
    targets: dict[str, int]  # label -> index of the instruction that follows it


def link(text: str) -> Program:
    """The program of the one kernel in a PTX text."""
    module = parse(text)
    kernel = module.kernel()
    registers: dict[str, str] = {}
    variables = list(module.variables)
    body = _Linker(module, registers, variables).expand(kernel, "", {})
    instructions = [item for item in body if isinstance(item, Instruction)]
    targets, position = {}, 0
    for item in body:
        if isinstance(item, Label):
            targets[item.name] = position
        else:
            position += 1
    return Program(
        kernel.name, kernel.params, kernel.max_threads, registers, variables, instructions, targets
    )


class _Linker:
    def __init__(self, module: Module, registers: dict[str, str], variables: list[Variable]):
        self.module, self.registers, self.variables = module, registers, variables
        self.calls = itertools.count(1)
        self.open: list[str] = []

    def expand(self, function: Function, prefix: str, params: dict[str, str]) -> list[Instruction | Label]:
        """The body with each name of the function's own preceded by prefix, and its parameters renamed."""
        if function.name in self.open:
            raise UnknownPTX(f"{function.name} calls itself: recursion is not understood")
        self.open.append(function.name)
        labels = {item.name for item in function.body if isinstance(item, Label)}
        names = {
            name: prefix + name
            for name in (*labels, *function.registers, *(v.name for v in function.variables))
        }
        names |= params
        self.registers |= {prefix + name: kind for name, kind in function.registers.items()}
        self.variables += [replace(v, name=prefix + v.name) for v in function.variables if v.space != "param"]

        def renamed(operand):
            if isinstance(operand, Register):
                return replace(operand, name=names.get(operand.name, operand.name))
            if isinstance(operand, Symbol):
                return Symbol(names.get(operand.name, operand.name))
            if isinstance(operand, Address) and operand.base is not None:
                return replace(operand, base=renamed(operand.base))
            if isinstance(operand, Group):
                return Group(tuple(renamed(item) for item in operand.items))
            return operand

        body: list[Instruction | Label] = []
        end = f"{prefix}end of {function.name}"
        for item in function.body:
            if isinstance(item, Label):
                body.append(Label(names[item.name]))
                continue
            item = replace(
                item,
                guard=item.guard and renamed(item.guard),
                operands=tuple(renamed(operand) for operand in item.operands),
            )
            if item.name == "call":
                body += self._call(item)
            elif item.name == "ret" and prefix:
                body.append(replace(item, name="bra", modifiers=("uni",), operands=(Symbol(end),)))
            else:
                body.append(item)
        if prefix:
            body.append(Label(end))
        self.open.pop()
        return body

    def _call(self, call: Instruction) -> list[Instruction | Label]:
        operands = list(call.operands)
        results = operands.pop(0).items if isinstance(operands[0], Group) else ()
        name = operands.pop(0).name
        arguments = operands[0].items if operands else ()
        function = self.module.functions.get(name)
        if function is None:
            raise UnknownPTX(f"line {call.line}: {name} is called, and this PTX holds no body of it")
        if call.guard is not None:
            raise UnknownPTX(f"line {call.line}: a call under a predicate is not understood: {call.text}")
        given = zip((*function.returns, *function.params), (*results, *arguments), strict=True)
        params = {variable.name: argument.name for variable, argument in given}
        return self.expand(function, f"{name}#{next(self.calls)}.", params)
