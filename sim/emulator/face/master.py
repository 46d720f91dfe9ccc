"""A ROS 1 master on the loopback interface, on the port of its first argument (0: any free one).

Writes its address as one line of JSON and runs until it is killed.
"""

from __future__ import annotations

import json
import socket
import sys
import threading


def main() -> None:
    """Start the master."""
    try:
        from rosmaster.master import Master

        from sim.emulator.face.loopback import LOOPBACK, stay_on_loopback
    except ImportError as error:
        sys.stdout.write(json.dumps({"error": str(error)}) + "\n")
        return
    stay_on_loopback()
    port = int(sys.argv[1])
    try:
        socket.create_server((LOOPBACK, port)).close()
    except OSError as error:
        sys.stdout.write(json.dumps({"error": f"port {port}: {error.strerror}; take another one, or 0"}) + "\n")
        return
    master = Master(port=port)
    master.start()
    port = master.master_node.port
    sys.stdout.write(json.dumps({"uri": f"http://{LOOPBACK}:{port}"}) + "\n")
    sys.stdout.flush()
    threading.Event().wait()


if __name__ == "__main__":
    main()
