"""Running a node as a process: started, spun, and ended the same way everywhere."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable
from types import FrameType

import rclpy
from rclpy.exceptions import InvalidParameterValueException, ParameterException
from rclpy.executors import ExternalShutdownException
from rclpy.signals import SignalHandlerOptions

from gmps_robot.errors import ConfigError, GmpsError


class Ending(Exception):  # noqa: N818 - a wish, not an error
    """SIGINT or SIGTERM asked this process to end."""


def run_process(name: str, work: Callable[[], int]) -> int:
    """Run `work` inside an initialised ROS context and return the exit status of the process.

    Signals raise `Ending` in `work`, so that its `finally` blocks still have a context to say goodbye in. An error that a
    person can act on is logged as one line.
    """
    rclpy.init(signal_handler_options=SignalHandlerOptions.NO)
    signal.signal(signal.SIGINT, _end)
    signal.signal(signal.SIGTERM, _end)
    try:
        return work()
    except (Ending, ExternalShutdownException):
        return 0
    except (GmpsError, ParameterException, InvalidParameterValueException) as error:
        rclpy.logging.get_logger(name).fatal(str(error))
        return 2 if isinstance(error, ConfigError) else 1
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        rclpy.try_shutdown()


def main(name: str, work: Callable[[], int]) -> None:
    """End this process with the status of `work`."""
    sys.exit(run_process(name, work))


def _end(_signal: int, _frame: FrameType | None) -> None:
    raise Ending
