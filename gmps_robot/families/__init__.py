"""Task families: where tasks come from, what they reward, what the policy may see, and the limits of the arm.

Pure numpy. The same functions score the twin and the real table. Imports only types, tasks, errors and config.
"""

from __future__ import annotations

from gmps_robot.errors import TaskError, nearest
from gmps_robot.families.family import Family
from gmps_robot.families.push import PushFamily


def family(name: str) -> Family:
    """Return the task family called `name`.

    Raises:
        TaskError: there is no such family.
    """
    known: dict[str, type[PushFamily]] = {"push": PushFamily}
    if name not in known:
        raise TaskError(f"unknown task family {name!r}{nearest(name, known)}")
    return known[name]()
