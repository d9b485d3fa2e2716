"""Runs in a client's environment: calls the functions of `acts.py` in the folder named, one a line of JSON.

{"act": name, "given": {…}} on standard input gives {"returned": …} or {"raised": [class, text]} on standard
output. Standard library only.
"""

import asyncio
import contextlib
import importlib.util
import inspect
import json
import sys
import warnings
from pathlib import Path


def acts(folder):
    """The module `acts.py`; `sys.path` is left alone, so that no client is shadowed by its folder's name."""
    spec = importlib.util.spec_from_file_location("acts", Path(folder) / "acts.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def answer(module, asked):
    """What one act returned or raised."""
    try:
        returned = getattr(module, asked["act"])(**asked["given"])
        if inspect.iscoroutine(returned):
            returned = asyncio.run(returned)
        return {"returned": returned}
    except Exception as error:
        return {"raised": [type(error).__name__, str(error)]}


def main():
    """Answers until standard input ends."""
    warnings.simplefilter("ignore")
    out = sys.stdout
    with contextlib.redirect_stdout(sys.stderr):
        module = acts(sys.argv[1])
        for line in sys.stdin:
            out.write(json.dumps(answer(module, json.loads(line)), default=str) + "\n")
            out.flush()


if __name__ == "__main__":
    main()
