"""A real standalone cluster on loopback, master and two workers, gives the tables that DuckDB gives."""

from __future__ import annotations

import importlib.util
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lvheng.telemetry.lake import VALUES, Lake
from lvheng.telemetry.validity.run import read

from .support import GAS, START, series
from .test_rollup import noisy

pytestmark = pytest.mark.spark
LAST = START.date() + timedelta(days=1)


def _free() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])


def _wait_for(log: Path, text: str, times: int, process: subprocess.Popen[bytes]) -> None:
    for _ in range(600):
        if log.read_text(errors="replace").count(text) >= times:
            return
        assert process.poll() is None, log.read_text(errors="replace")
        time.sleep(0.1)
    raise AssertionError(log.read_text(errors="replace"))


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    if shutil.which("java") is None:
        pytest.skip("本机没有 Java：Spark 集群测试未执行")
    if importlib.util.find_spec("pyspark") is None:
        pytest.skip("没有安装 pyspark：Spark 集群测试未执行")
    import pyspark

    home = Path(pyspark.__file__).parent
    work = tmp_path_factory.mktemp("spark")
    env = {**os.environ, "SPARK_LOCAL_IP": "127.0.0.1", "SPARK_HOME": str(home), "PYSPARK_PYTHON": sys.executable}
    port, log = _free(), work / "master.log"
    launch = str(home / "bin" / "spark-class")
    url = f"spark://127.0.0.1:{port}"
    started: list[subprocess.Popen[bytes]] = []
    try:
        with log.open("wb") as out:
            name = "org.apache.spark.deploy.master.Master"
            master = subprocess.Popen(
                [launch, name, "--host", "127.0.0.1", "--port", str(port), "--webui-port", str(_free())],
                stdout=out, stderr=out, env=env, start_new_session=True,
            )  # fmt: skip
        started.append(master)
        _wait_for(log, "I have been elected leader", 1, master)
        for n in range(2):
            with (work / f"worker{n}.log").open("wb") as out:
                started.append(subprocess.Popen(
                    [launch, "org.apache.spark.deploy.worker.Worker", "--host", "127.0.0.1", "--cores", "1", "--memory", "1g",
                     "--webui-port", str(_free()), "--work-dir", str(work / f"w{n}"), url],
                    stdout=out, stderr=out, env=env, start_new_session=True,
                ))  # fmt: skip
        _wait_for(log, "Registering worker", 2, master)
        yield url
    finally:
        for process in reversed(started):
            process.terminate()
        for process in started:
            process.wait(30)


def test_a_cluster_gives_the_same_tables(cluster: str, s3: str, tmp_path: Path) -> None:
    """With gaps, faults, raw readings to correct, pH to fill and marks of time: from an object store, Spark by a mirror."""
    lake = f"{s3}/{tmp_path.name}"
    rows = noisy(3)
    flue = {"a01012": 118.25, "a01013": -0.31, "a01014": 7.9}
    rows += [{**r, "code": c, "value": v, "flag": "N"} for r in rows if r["code"] == "a21002" for c, v in flue.items()]
    rows += [
        {**r, "code": "w01001", "value": r["value"] / 6}
        for r in rows
        if r["code"] == "a21002" and r["data_time"].hour % 5
    ]
    for n in range(4):
        Lake(lake).write_values(pa.Table.from_pylist(rows[n::4], schema=VALUES), f"g00-{n + 1:08d}-{0:012d}")
    raw = {"actual": True, "wet": True}
    table = series(
        {"code": "a21002", "o2_reference": 9_000_000, **raw}, {"code": "a00000", "kind": "flow", **raw},
        {"code": "a19001", "kind": "o2", "wet": True}, {"code": "w01001", "medium": "water"},
    )  # fmt: skip
    pq.write_table(table, tmp_path / "series.parquet")
    found = []
    for name, more in (("duckdb", []), ("spark", ["--master", cluster, "--mirror", str(tmp_path / "shared")])):
        command = [sys.executable, "-m", "lvheng.cli", "telemetry", "rollup", "--engine", name, "--lake", lake]
        command += ["--series", str(tmp_path / "series.parquet"), "--from", str(START.date()), "--to", str(LAST)]
        env = {**os.environ, "SPARK_LOCAL_IP": "127.0.0.1"}
        done = subprocess.run([*command, "--out", str(tmp_path / name), *more], capture_output=True, text=True, env=env, check=False)  # fmt: skip
        assert done.returncode == 0, done.stderr[-4000:]
        found.append(done.stdout)
    assert found[0] == found[1]
    for name in ("hours", "days", "months"):
        one, two = (read(tmp_path / e, name) for e in ("duckdb", "spark"))
        assert one.equals(two)
        assert one.num_rows
    assert {s for s in read(tmp_path / "spark", "hours")["substitute"].to_pylist() if s}
    assert (tmp_path / "spark" / "hours.parquet").is_dir()  # written by the executors, a file for each share


def test_a_cluster_without_its_engine_is_refused(tmp_path: Path) -> None:
    pq.write_table(GAS, tmp_path / "series.parquet")
    command = [
        sys.executable,
        "-m",
        "lvheng.cli",
        "telemetry",
        "rollup",
        "--lake",
        str(tmp_path),
        "--series",
        str(tmp_path / "series.parquet"),
    ]
    command += [
        "--from",
        "2026-06-01",
        "--to",
        "2026-06-01",
        "--out",
        str(tmp_path / "o"),
        "--master",
        "spark://127.0.0.1:1",
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "只有Spark引擎才有集群地址" in done.stderr
