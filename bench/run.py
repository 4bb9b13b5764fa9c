"""Run the benchmarks one after another, each in a process of its own.

``python -m bench.run [NAME...]``; without names, all. Each prints its figures beside a baseline of the same
run; times are printed, never asserted.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).parent


def names() -> list[str]:
    """Every script beside this one that can be run."""
    return sorted(path.stem for path in FOLDER.glob("*.py") if path.stem not in ("__init__", "run"))


def main(wanted: list[str]) -> int:
    if unknown := sorted(set(wanted) - set(names())):
        print(f"没有这项对比：{'、'.join(unknown)}。可选：{'、'.join(names())}。", file=sys.stderr)
        return 2
    failed = []
    for name in wanted or names():
        print(f"\n—— {name} ——", flush=True)
        if subprocess.run([sys.executable, "-m", f"bench.{name}"], cwd=FOLDER.parent, check=False).returncode:
            failed.append(name)
    if failed:
        print(f"\n未完成：{'、'.join(failed)}。", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
