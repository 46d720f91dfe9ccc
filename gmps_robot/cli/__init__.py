"""`gmps`: one file per command. The one room that knows all others; what a command needs is imported when it is chosen.

Start reading at `main.py`. A command is a module with a docstring (its help, with an example to copy), one frozen
dataclass of options (field docstrings are the help of each option) and `run(options) -> int`.
"""
