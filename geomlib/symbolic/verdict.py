"""An answer that carries its reason, so that a notebook cell shows why and not only whether."""

from dataclasses import dataclass
from typing import Any

__all__ = ["Verdict"]


@dataclass(frozen=True, eq=False)
class Verdict:
    r"""A yes or no, with the sentence and the evidence that it rests on.

    It is true or false wherever Python asks (`if`, `assert`, `not`), and equals the plain `bool`.

    Attributes:
        holds: the answer.
        reason: one sentence that says why.
        evidence: what proves it: a point where a map fails, a pair that breaks a law,
            the factors of a product.

    Example:
        >>> Verdict(False, "the maps disagree at x = 0", ({"x": 0},))
        False: the maps disagree at x = 0
        >>> bool(Verdict(True, "by Hadamard's lemma"))
        True
    """

    holds: bool
    reason: str
    evidence: tuple[Any, ...] = ()

    def __bool__(self) -> bool:
        return self.holds

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Verdict | bool):
            return self.holds == bool(other)
        return NotImplemented

    def __hash__(self) -> int:
        return hash(self.holds)

    def __repr__(self) -> str:
        return f"{self.holds}: {self.reason}"
