"""Run the benchmarks and print each figure with its baseline and their ratio.

``python -m bench.run [NAME...] [--json FILE]``; without names, all. Times are printed, never asserted.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
from collections.abc import Iterable
from dataclasses import asdict
from importlib import import_module
from pathlib import Path

from rich.console import Console
from rich.table import Table

from bench.measure import Result

OURS = {"__init__", "measure", "run"}


def names() -> list[str]:
    """Every module beside this one that has a ``run()`` giving results."""
    return sorted(path.stem for path in Path(__file__).parent.glob("*.py") if path.stem not in OURS)


def show(results: Iterable[Result]) -> Table:
    table = Table(title="性能对比（同一次运行）")
    for head, side in (("项目", "left"), ("本系统", "right"), ("基准", "left"), ("基准值", "right"), ("比值", "right")):
        table.add_column(head, justify=side)  # type: ignore[arg-type]
    table.add_column("目标", justify="right")
    for r in results:
        aim = (
            "—" if r.aim is None else f"{'≥' if r.better == 'higher' else '≤'}{r.aim:g} {'达到' if r.met else '未达到'}"
        )
        ours, theirs = f"{r.value:,.4g} {r.unit}", f"{r.baseline_value:,.4g} {r.unit}"
        table.add_row(f"{r.name}\n{r.note}".strip(), ours, r.baseline, theirs, f"{r.ratio:.2f}", aim)
    return table


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.run", description=__doc__)
    parser.add_argument("names", nargs="*", help=f"of {', '.join(names())}")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args(arguments)
    if unknown := set(options.names) - set(names()):
        parser.error(f"no benchmark {', '.join(sorted(unknown))}")
    results: list[Result] = []
    console = Console()
    for name in options.names or names():
        console.print(f"· {name} …")
        results += import_module(f"bench.{name}").run()
    console.print(show(results))
    if options.json:
        machine = {"python": platform.python_version(), "cores": os.cpu_count(), "system": platform.platform()}
        found = [{**asdict(r), "ratio": r.ratio} for r in results]
        options.json.write_text(json.dumps({"machine": machine, "results": found}, ensure_ascii=False, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
