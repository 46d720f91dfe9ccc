"""The driver of the real arm, over the arm's own wire: ROS 1 with Intera's messages, in pure Python.

`tcpros.RosNode` is the node, `messages` are the types. May import `control`, types, tasks, errors and config.
"""
