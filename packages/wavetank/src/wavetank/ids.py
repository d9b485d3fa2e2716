"""The one source of sys_ids and of other random text; seed it and a run repeats."""

import os
import random


class Ids:
    """Makes 32-digit lower-case hexadecimal sys_ids."""

    def __init__(self, seed: int | None = None) -> None:
        self._random = random.Random()  # noqa: S311  names records, guards nothing
        self.seed(seed)

    def seed(self, seed: int | None) -> None:
        """Starts a repeatable series; None goes back to an unpredictable one."""
        self._random.seed(os.urandom(32) if seed is None else seed)

    def sys_id(self) -> str:
        return f"{self._random.getrandbits(128):032x}"

    def hex(self, digits: int) -> str:
        return f"{self._random.getrandbits(4 * digits):0{digits}x}"


ids = Ids()
new_sys_id = ids.sys_id
