"""Work that is killed at random moments, in children forked from one warm process."""

from __future__ import annotations

import functools
import os
import random
import signal
import time
import traceback
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


def killed_and_mended(
    work: Callable[[Callable[[], None]], object],
    mend: Callable[[], object],
    times: int,
    longest: float,
) -> int:
    """Run work in a child, kill it within `longest` seconds of its start, and mend in another.

    Work is given a function to call when it starts, so that getting ready takes no part.

    Returns:
        How many times mending went through.
    """
    chance = random.Random(7)  # noqa: S311 - moments, not secrets
    mended = 0
    for _ in range(times):
        waiting, telling = os.pipe()
        child = _fork(functools.partial(work, functools.partial(_tell, telling)))
        os.read(waiting, 1)
        time.sleep(chance.uniform(0.0, longest))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        for end in (waiting, telling):
            os.close(end)
        _, status = os.waitpid(_fork(mend), 0)
        mended += os.waitstatus_to_exitcode(status) == 0
    return mended


def _tell(end: int) -> None:
    os.write(end, b"!")


def _fork(work: Callable[[], object]) -> int:
    child = os.fork()
    if child:
        return child
    code = 1
    try:
        work()
        code = 0
    except BaseException:  # noqa: BLE001 - a child must not return into the parent's code
        traceback.print_exc()
    os._exit(code)
