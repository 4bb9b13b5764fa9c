"""Run a pip command and say how far it has come, in one line where there is a terminal.

Usage: progress.py TITLE LOCK... -- COMMAND...; needs nothing but Python itself.
"""

import subprocess
import sys
import time
from collections import deque
from pathlib import Path


def main(arguments: list[str]) -> int:
    split = arguments.index("--")
    title, locks, command = arguments[0], arguments[1:split], arguments[split + 1 :]
    total = sum(line[:1].isalpha() and "==" in line for lock in locks for line in Path(lock).read_text().splitlines())
    live = sys.stdout.isatty()
    started = time.monotonic()
    tail: deque[str] = deque(maxlen=30)
    found = 0

    def say(text: str) -> None:
        print(f"\r\033[K{title}：{text}" if live else f"{title}：{text}", end="" if live else "\n", flush=True)

    say(f"共{total}个")
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            tail.append(line)
            if line.startswith(("Collecting", "Requirement already satisfied")):
                found += 1
                if live or found % 25 == 0:
                    say(f"已取{min(found, total)}/{total}个")
            elif line.startswith("Installing collected packages"):
                say("正在写入环境")
    if process.returncode:
        print("\n" + "".join(tail), file=sys.stderr)
        print(f"{title}未完成。请检查网络和 pip 的软件源设置后重试；已完成的部分会保留。", file=sys.stderr)
    else:
        say(f"完成，用时{time.monotonic() - started:.0f}秒" + ("\n" if live else ""))
    return process.returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
