"""What an operator's family hands over: how its policy values are read, and whether it is the negation of another.

Owns the shapes only; imported by every family and by `operators`. Pure.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from craton.aws.access.variables import Keys

# One value of the request against all values of the policy: whether any of them fits.
Compare = Callable[[str, Keys], bool]


class Operator(NamedTuple):
    """One operator.

    `build` takes the policy's values and whether policy variables exist in this version; it raises ValueError for a
    value that the operator cannot read. A `negated` operator is true where its comparison is false.
    `variables` tells whether its values may hold policy variables at all.
    """

    build: Callable[[tuple[str, ...], bool], Compare]
    negated: bool = False
    variables: bool = False
