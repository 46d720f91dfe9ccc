"""XML-RPC as ROS 1 speaks it: every answer is (code, message, value), every question ends by a time-out.

Source: http://wiki.ros.org/ROS/Master_API
"""

from __future__ import annotations

import http.client
import xml.parsers.expat
import xmlrpc.client
from typing import Any

from gmps_robot.errors import LinkError
from gmps_robot.sawyer.names import Hosts, split_uri

TIMEOUT_S = 3.0


class RefusedError(LinkError):
    """The other side answered, and the answer is no."""


class _TimedTransport(xmlrpc.client.Transport):
    """One question per connection, with a time-out."""

    def __init__(self, timeout_s: float) -> None:
        super().__init__()
        self._timeout_s = timeout_s

    def make_connection(self, host: Any) -> http.client.HTTPConnection:
        return http.client.HTTPConnection(host, timeout=self._timeout_s)


def ask(address: str, port: int, method: str, *arguments: Any, timeout_s: float = TIMEOUT_S) -> Any:
    """Call a method of a master or node and return the value of its answer.

    Raises:
        RefusedError: the answer says that it failed.
        LinkError: no answer, or not one of ROS 1.
    """
    where = f"http://{address}:{port}/"
    try:
        with xmlrpc.client.ServerProxy(where, transport=_TimedTransport(timeout_s), allow_none=True) as proxy:
            answer = getattr(proxy, method)(*arguments)
    except xmlrpc.client.Fault as error:
        raise RefusedError(f"{method} at {where} failed: {error.faultString}") from error
    except (OSError, http.client.HTTPException, xmlrpc.client.Error, xml.parsers.expat.ExpatError) as error:
        raise LinkError(f"{method} at {where} was not answered: {error or type(error).__name__}") from error
    if not isinstance(answer, list) or len(answer) != 3:
        raise LinkError(f"{method} at {where} answered {answer!r}, which is not ROS 1")
    code, text, value = answer
    if code != 1:
        raise RefusedError(f"{method} at {where} refused: {text}")
    return value


class Master:
    """The master at `uri`, asked in the name of the node `caller`.

    Raises:
        LinkError: the URI is wrong or its host is unknown. Whether the master answers shows at the first question.
    """

    def __init__(self, uri: str, caller: str) -> None:
        self.uri = uri
        self._host, self._port = split_uri(uri)
        self._caller = caller
        self.hosts = Hosts(self._host)

    def ask(self, method: str, *arguments: Any) -> Any:
        """Return the value of the master's answer.

        Raises:
            RefusedError: the master says no.
            LinkError: the master does not answer.
        """
        try:
            return ask(self.hosts.master_address, self._port, method, self._caller, *arguments)
        except RefusedError:
            raise
        except LinkError as error:
            advice = "is the robot switched on, started up, and on this network?"
            raise LinkError(f"the ROS master {self.uri} does not answer ({error}); {advice}") from error

    def node_uri(self, node: str) -> str | None:
        """Return the XML-RPC URI of a node, or None when the master does not know it."""
        try:
            return str(self.ask("lookupNode", node))
        except RefusedError:
            return None

    def publishers(self, topic: str) -> tuple[str, ...]:
        """Return the names of the nodes that publish `topic`."""
        published, _, _ = self.ask("getSystemState")
        return tuple(node for name, nodes in published if name == topic for node in nodes)
