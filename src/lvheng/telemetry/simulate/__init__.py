"""A device simulator: loggers of three versions with dialects, faults, outages and late data, from a seed."""

from lvheng.telemetry.simulate.fleet import Logger, make_fleet
from lvheng.telemetry.simulate.run import Report, run_fleet

__all__ = ["Logger", "Report", "make_fleet", "run_fleet"]
