"""Episodes on disk: recording, catalogue, export. Not in this version; the room and its import contract stand.

May import types, tasks, errors, config and the families.
"""
