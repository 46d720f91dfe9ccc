"""Metrics of a run: one JSON line per record and the same numbers as TensorBoard events, in the run's folder."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType

from torch.utils.tensorboard import SummaryWriter

LINES = "metrics.jsonl"


class RunLog:
    """Appends records to `metrics.jsonl` and TensorBoard; a resumed run continues both."""

    def __init__(self, directory: Path, first: int) -> None:
        """Open the log in `directory`, or continue it: records from step `first` on will be written again."""
        directory.mkdir(parents=True, exist_ok=True)
        path = directory / LINES
        kept = [record for record in read_metrics(directory) if record["step"] < first]
        partial = path.with_suffix(".part")
        partial.write_text("".join(json.dumps(record) + "\n" for record in kept), encoding="utf-8")
        partial.replace(path)
        self._lines = path.open("a", encoding="utf-8")
        self._events = SummaryWriter(str(directory), purge_step=first)

    def write(self, step: int, record: Mapping[str, float]) -> None:
        """Write one record at `step`; the line is on disk when this returns."""
        self._lines.write(json.dumps({"step": step, **record}) + "\n")
        self._lines.flush()
        for key, value in record.items():
            self._events.add_scalar(key, value, step)

    def __enter__(self) -> RunLog:
        """Return self."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close both files."""
        self._lines.close()
        self._events.close()


def read_metrics(directory: Path) -> list[dict[str, float]]:
    """Read the records of a run, oldest first; an unfinished last line is left out."""
    path = directory / LINES
    if not path.is_file():
        return []
    records = []
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            records.append(json.loads(line))
        except json.JSONDecodeError:
            break
    return records
