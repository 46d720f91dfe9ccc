"""The driver of the real arm. Not in this version; the room and its import contract stand.

May import `control`, types, tasks, errors and config. Until it is here, `robot:=sawyer` is refused by name.
"""
