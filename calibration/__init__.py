"""Measuring a rig: camera, hand-eye, latencies. Not in this version; the room and its import contract stand.

May import types, tasks, errors, config, the kinematics and ArmDriver of `control`, and `sim.render`.
"""
