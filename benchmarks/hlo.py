"""What a compiled program's text says: its loops, the compiler's estimate of each instruction, products and their precision.

XLA prints an optimised program as computations of instructions. The TPU compiler writes beside each instruction the cycles that
it expects (``estimated_cycles``): **estimates, never measurements**. XLA's compiler for GPUs gives none that could be used: its
cost model (``xla_gpu_collect_cost_model_stats``) makes seconds of one layer norm.
"""

import dataclasses
import functools
import re
from collections import defaultdict
from collections.abc import Iterator

PRODUCTS = ("dot", "convolution")
CALLED = r'custom_call_target="__cu(?:blas|dnn)[^"]*"'
"""Products that NVIDIA's libraries compute."""


@dataclasses.dataclass(frozen=True)
class Instruction:
    """One line of a computation.

    Attributes:
        name: unique in the program.
        shape: type and shape of its result, without its layout.
        op: what it does: ``fusion``, ``dot``, ``while``..
        text: the whole line.
    """

    name: str
    shape: str
    op: str
    text: str

    def attribute(self, name: str) -> str | None:
        """The computation that an attribute names, e.g. ``body``."""
        found = re.search(rf"\b{name}=%?([\w.-]+)", self.text)
        return found[1] if found else None

    @property
    def cycles(self) -> int | None:
        """The compiler's estimate; None where it gives none."""
        found = re.search(r'"estimated_cycles":"(\d+)"', self.text)
        return int(found[1]) if found else None

    @property
    def is_product(self) -> bool:
        """Whether it multiplies matrices: itself, or as a call of NVIDIA's libraries."""
        return self.op in PRODUCTS or (self.op == "custom-call" and bool(re.search(CALLED, self.text)))

    @property
    def frame(self) -> int:
        """Number of its stack frame; 0 where it has none."""
        found = re.search(r"stack_frame_id=(\d+)", self.text)
        return int(found[1]) if found else 0

    @property
    def precision(self) -> tuple[str, ...]:
        """Of a product: the precision of its operands, ``("default", "default")`` where nothing is said."""
        found = re.search(r'operand_precision(?:=\{([\w,]+)\}|":\[([\w,"]+)\])', self.text)
        given = (found[1] or found[2]) if found else "default,default"
        return tuple(given.replace('"', "").lower().split(","))

    @property
    def dtype(self) -> str:
        """The type of its first result, ``f32``.."""
        return self.shape.strip("(").split("[")[0]


@dataclasses.dataclass(frozen=True)
class Piece:
    """An instruction with an estimate, and where it stands: ``prologue``, in the body of a loop, ..

    Attributes:
        section: ``prologue``, ``loop 1``, ``loop 2``.. or ``epilogue``.
        source: ``module.function`` that it was traced from.
        operation: last part of its ``op_name``.
        shape: of its result.
        cost: the compiler's estimate, once round the loop.
    """

    section: str
    source: str
    operation: str
    shape: str
    cost: int


@dataclasses.dataclass(frozen=True)
class Program:
    """A compiled program.

    Attributes:
        computations: name -> instructions in the order in which they are scheduled.
        entry: name of the computation that is run.
        frames: stack frame -> ``module.function`` that was traced there.
    """

    computations: dict[str, list[Instruction]]
    entry: str
    frames: dict[int, str]

    @functools.cached_property
    def loops(self) -> list[Instruction]:
        """The loops of the entry computation, in order."""
        return [x for x in self.computations[self.entry] if x.op == "while"]

    def trips(self, loop: Instruction) -> int:
        """How often a loop goes round: as the compiler says, or the bound in its condition."""
        if found := re.search(r'"known_trip_count":\{"n":"(\d+)"', loop.text):
            return int(found[1])
        condition = self.computations[loop.attribute("condition") or ""]
        return max((int(n) for x in condition for n in re.findall(r" s32\[\]\S* constant\((\d+)\)", x.text)), default=1)

    def total(self, computation: str) -> int:
        """The estimate of a computation: its instructions, its loops as often as they go round."""
        return sum(self.cost(x) for x in self.computations[computation])

    def cost(self, instruction: Instruction) -> int:
        """The estimate of one instruction with what it runs."""
        if instruction.op == "while":
            return self.trips(instruction) * self.total(instruction.attribute("body") or "")
        if instruction.op == "call":
            return self.total(instruction.attribute("to_apply") or "")
        if instruction.op == "conditional":
            return max(self.total(name) for name in branches(instruction))
        return instruction.cycles or 0

    def sections(self) -> dict[str, int]:
        """The estimate of each section; a loop's once round."""
        made: dict[str, int] = defaultdict(int)
        for section, instruction in self.placed():
            made[section] += self.cost(instruction)
        return dict(made)

    def placed(self) -> Iterator[tuple[str, Instruction]]:
        """The instructions of the entry computation and of its loops' bodies, each with its section."""
        section, seen = "prologue", 0
        for instruction in self.computations[self.entry]:
            if instruction.op == "while":
                seen, section = seen + 1, "epilogue"
                body = self.computations[instruction.attribute("body") or ""]
                yield from ((f"loop {seen}", inner) for inner in body)
            else:
                yield section, instruction

    def pieces(self) -> list[Piece]:
        """Every instruction with an estimate, the dearest first."""
        made = [
            Piece(section, self.source(x), operation(x), x.shape, self.cost(x))
            for section, x in self.placed()
            if self.cost(x) > 0
        ]
        return sorted(made, key=lambda piece: -piece.cost)

    def unpriced(self) -> list[tuple[str, Instruction]]:
        """Instructions that do work and have no estimate, so that the totals lack them: kernels from outside XLA, mostly."""
        return [
            (section, x)
            for section, x in self.placed()
            if x.cycles is None and x.op in ("custom-call", "fusion", *PRODUCTS) and not bookkeeping(x)
        ]

    def source(self, instruction: Instruction) -> str:
        return self.frames.get(instruction.frame, "")

    def products(self) -> list[Instruction]:
        """Every product, wherever it stands, fused or not."""
        return [x for body in self.computations.values() for x in body if x.is_product]

    def of(self, *ops: str) -> list[Instruction]:
        """Every instruction of the given kinds, wherever it stands."""
        return [x for body in self.computations.values() for x in body if x.op in ops]


def bookkeeping(instruction: Instruction) -> bool:
    """A custom call that computes nothing."""
    return any(
        f'custom_call_target="{name}"' in instruction.text for name in ("AllocateBuffer", "ConcatBitcast", "Sharding")
    )


def branches(instruction: Instruction) -> list[str]:
    """The computations that a conditional chooses among."""
    if found := re.search(r"branch_computations=\{([^}]*)\}", instruction.text):
        return [name.strip().lstrip("%") for name in found[1].split(",")]
    return [instruction.attribute(f"{side}_computation") or "" for side in ("true", "false")]


def operation(instruction: Instruction) -> str:
    """The last part of ``op_name``, or the instruction's own kind."""
    found = re.search(r'op_name="([^"]*)"', instruction.text)
    return found[1].rsplit("/", 1)[-1] if found else instruction.op


def parse(text: str) -> Program:
    """A program from `jax.stages.Compiled.as_text`."""
    computations: dict[str, list[Instruction]] = {}
    entry, current = "", ""
    for line in text.splitlines():
        if heading := re.match(r"(ENTRY )?%?([\w.-]+) \(.*\{$", line):
            current = heading[2]
            computations[current], entry = [], current if heading[1] else entry
        elif line.startswith("}"):
            current = ""
        elif current and (made := read_instruction(line)):
            computations[current].append(made)
    return Program(computations, entry, read_frames(text))


def read_instruction(line: str) -> Instruction | None:
    """``[ROOT] %name = shape op(operands), attributes``; None for a line that is none."""
    found = re.match(r"\s+(?:ROOT )?%?([\w.-]+) = (.*)", line)
    if not found:
        return None
    shape, rest = split_shape(found[2])
    op = re.match(r"[\w-]+", rest)
    return Instruction(found[1], re.sub(r"\{[^}]*\}|/\*.*?\*/", "", shape), op[0], line) if op else None


def split_shape(text: str) -> tuple[str, str]:
    """A type and what follows it; a tuple's type holds spaces and brackets."""
    if not text.startswith("("):
        shape, _, rest = text.partition(" ")
        return shape, rest
    depth = 0
    for place, letter in enumerate(text):
        depth += {"(": 1, ")": -1}.get(letter, 0)
        if depth == 0:
            return text[: place + 1], text[place + 2 :]
    return text, ""


def read_frames(text: str) -> dict[int, str]:
    """Stack frame -> ``module.function``, from the tables at the head of a program's text."""
    files, functions = (read_table(text, name, r'"(.*)"') for name in ("FileNames", "FunctionNames"))
    places = read_table(text, "FileLocations", r"\{file_name_id=(\d+) function_name_id=(\d+)")
    frames = read_table(text, "StackFrames", r"\{file_location_id=(\d+)")
    made = {}
    for number, (place,) in frames.items():
        file, function = places[int(place)]
        module = files[int(file)][0].rsplit("/", 1)[-1].removesuffix(".py")
        made[number] = f"{module}.{functions[int(function)][0].split('.')[0]}"
    return made


def read_table(text: str, name: str, row: str) -> dict[int, tuple[str, ...]]:
    """One table of a program's head: number -> the groups of ``row``."""
    found = re.search(rf"^{name}\n((?:\d+ .*\n)*)", text, re.MULTILINE)
    lines = found[1].splitlines() if found else []
    return {int(x[1]): x.groups()[1:] for line in lines if (x := re.match(rf"(\d+) {row}", line))}
