# What Tocsin uses of numba: a function is compiled, and keeps its type.

from collections.abc import Callable
from typing import TypeVar

_F = TypeVar("_F", bound=Callable[..., object])

def njit(*, nogil: bool = ..., cache: bool = ...) -> Callable[[_F], _F]: ...
