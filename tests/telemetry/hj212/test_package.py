"""What the page on the package says of it."""

import subprocess
import sys
from pathlib import Path

from lvheng.telemetry.hj212.findings import CATALOGUE

PAGE = Path(__file__).parents[3] / "docs" / "hj212.md"


def test_the_page_lists_every_finding_and_no_other():
    rows = [line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("| `")]
    wanted = [f"| `{name}` | {severity.label} | {message} |" for name, (severity, message, _) in CATALOGUE.items()]
    assert [row for row in rows if row.split("`")[1] in CATALOGUE] == wanted


def test_the_package_needs_neither_the_web_nor_the_columnar_libraries():
    code = (
        "import sys; from lvheng.telemetry import hj212; hj212.decode(b'##0000FFFF');"
        "print(sorted(m for m in ('django', 'numpy', 'pyarrow', 'duckdb', 'numba') if m in sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
