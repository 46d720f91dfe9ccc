"""Running a node as a process: started, spun, and ended the same way everywhere."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable
from types import FrameType

import rclpy
from rclpy.exceptions import InvalidParameterValueException, ParameterException
from rclpy.executors import Executor
from rclpy.signals import SignalHandlerOptions
from rclpy.utilities import try_shutdown

from gmps_robot.errors import ConfigError, GmpsError

WAKE = 0.1  # a signal is noticed after this long at most [s]


class Ending:
    """Whether SIGINT or SIGTERM has asked this process to end.

    A flag instead of rclpy's own handler: that one closes the context at once, and a node could not say goodbye.
    """

    def __init__(self) -> None:
        self.requested = False

    def request(self, _signal: int, _frame: FrameType | None) -> None:
        """Note the wish."""
        self.requested = True


def spin(executor: Executor, ending: Ending) -> None:
    """Run callbacks until the process is asked to end."""
    while not ending.requested:
        executor.spin_once(timeout_sec=WAKE)


def run_process(name: str, work: Callable[[Ending], int]) -> int:
    """Run `work` inside an initialised ROS context and return the exit status of the process.

    An error that a person can act on is logged as one line.
    """
    ending = Ending()
    rclpy.init(signal_handler_options=SignalHandlerOptions.NO)
    signal.signal(signal.SIGINT, ending.request)
    signal.signal(signal.SIGTERM, ending.request)
    try:
        return work(ending)
    except (GmpsError, ParameterException, InvalidParameterValueException) as error:
        rclpy.logging.get_logger(name).fatal(str(error))
        return 2 if isinstance(error, ConfigError) else 1
    finally:
        try_shutdown()


def main(name: str, work: Callable[[Ending], int]) -> None:
    """End this process with the status of `work`."""
    sys.exit(run_process(name, work))
