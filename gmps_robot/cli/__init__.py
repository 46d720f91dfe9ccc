"""`gmps`: one file per command. The one room that knows all others; what a command needs is imported when it is chosen.

Start reading at `main.py`. A command is a module with one frozen dataclass of options (its docstring and those of its
fields are the help) and `run(options) -> int`.
"""
