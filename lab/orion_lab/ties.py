"""Child processes that end when this one ends, however it ends."""

import shutil
import sys
import threading


def tied_to_us() -> list[str]:
    """A prefix that makes the kernel kill the child when we die, however we die.

    The kernel ties the child to the *thread* that starts it, so only the main thread may do this;
    from other threads the caller's `with` block alone cleans up.
    """
    tool = shutil.which("setpriv")
    if sys.platform != "linux" or tool is None:
        return []
    if threading.current_thread() is not threading.main_thread():
        return []
    return [tool, "--pdeathsig", "KILL", "--"]
