"""A rospy node that does what it is told: one JSON command per line in, one JSON answer per line out.

Runs under the system's Python, whose packages are ROS 1's own. Types that no package has are made from their full text.
"""

import importlib
import io
import json
import sys
import threading
import time

import genpy
import genpy.dynamic
import genpy.message
import rospy


class Peer:
    def __init__(self):
        self.classes, self.publishers, self.subscribers, self.received, self.services = {}, {}, {}, {}, {}
        self.lock = threading.Lock()

    def cls(self, kind, definition=None):
        if kind not in self.classes:
            package, name = kind.split("/")
            if definition:
                self.classes[kind] = genpy.dynamic.generate_dynamic(kind, definition)[kind]
            else:
                self.classes[kind] = getattr(importlib.import_module(package + ".msg"), name)
        return self.classes[kind]

    def make(self, kind, fields, definition=None):
        message = self.cls(kind, definition)()
        genpy.message.fill_message_args(message, [fields])
        return message

    def advertise(self, topic, kind, definition=None, latch=False, queue=10):
        cls = self.cls(kind, definition)
        self.publishers[topic] = rospy.Publisher(topic, cls, latch=latch, queue_size=queue, tcp_nodelay=True)

    def publish(self, topic, kind, fields, times=1, period=0.0):
        message = self.make(kind, fields)
        for _ in range(times):
            self.publishers[topic].publish(message)
            time.sleep(period)

    def drop(self, topic):
        """Close the connections of a topic, and go on publishing it."""
        for connection in list(self.publishers[topic].impl.connections):
            connection.close()

    def unadvertise(self, topic):
        self.publishers.pop(topic).unregister()

    def subscribe(self, topic, kind, definition=None, delay=0.0):
        self.received[topic] = []

        def keep(message):
            time.sleep(delay)
            with self.lock:
                self.received[topic].append((plain(message), message._connection_header["callerid"]))

        self.subscribers[topic] = rospy.Subscriber(topic, self.cls(kind, definition), keep, tcp_nodelay=True)

    def unsubscribe(self, topic):
        self.subscribers.pop(topic).unregister()

    def heard(self, topic):
        with self.lock:
            return list(self.received[topic])

    def connections(self, topic):
        where = self.publishers.get(topic) or self.subscribers[topic]
        return where.get_num_connections()

    def echo(self, topic, back, kind, definition=None):
        """Answer each message on `topic` with the same on `back`, at once."""
        cls = self.cls(kind, definition)
        answer = rospy.Publisher(back, cls, queue_size=10, tcp_nodelay=True)
        self.publishers[back] = answer
        self.subscribers[topic] = rospy.Subscriber(topic, cls, answer.publish, tcp_nodelay=True)

    def serve(self, name, kind, md5, request, response, answer, delay=0.0, fail=""):
        """Offer a service that answers with the fields `answer`, after `delay`, or fails with the text `fail`."""
        parts = [self.cls(kind + part, text) for part, text in (("Request", request), ("Response", response))]
        srv = type("Srv", (), {"_type": kind, "_md5sum": md5, "_request_class": parts[0], "_response_class": parts[1]})
        self.received[name] = []

        def handle(question):
            time.sleep(delay)
            self.received[name].append(plain(question))
            if fail:
                raise rospy.ServiceException(fail)
            return self.make(kind + "Response", answer)

        self.services[name] = rospy.Service(name, srv, handle)

    def encode(self, kind, fields, definition=None):
        """Return the bytes of a message as ROS 1 writes them, in hexadecimal."""
        buffer = io.BytesIO()
        self.make(kind, fields, definition).serialize(buffer)
        return buffer.getvalue().hex()

    def set_param(self, key, value):
        rospy.set_param(key, value)

    def now(self):
        return rospy.get_time()


def plain(value):
    """Return a message as dictionaries, lists and numbers."""
    if isinstance(value, genpy.Message):
        return {slot: plain(getattr(value, slot)) for slot in value.__slots__}
    if isinstance(value, (genpy.Time, genpy.Duration)):
        return value.to_nsec()
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return value


def main(name):
    rospy.init_node(name, disable_signals=True, disable_rosout=True)
    peer = Peer()
    answers = sys.stdout
    sys.stdout = sys.stderr
    print(json.dumps({"value": "ready"}), file=answers, flush=True)
    for line in sys.stdin:
        command = json.loads(line)
        try:
            answer = {"value": getattr(peer, command["do"])(**command["with"])}
        except Exception as error:  # noqa: BLE001 - every failure goes back to the test that caused it
            answer = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), file=answers, flush=True)
    rospy.signal_shutdown("told so")


main(sys.argv[1])
