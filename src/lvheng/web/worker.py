"""What each worker of ``lvheng serve`` runs: the application, with the standings computed before the first visitor."""

import logging

from lvheng.web.wsgi import application  # first: it starts Django

from lvheng.access import daily, wall  # isort: skip

__all__ = ["application"]


def _warm() -> None:
    """Compute the standings before the first visitor asks; a site without a plan still starts and says so."""
    from django.db import DatabaseError, close_old_connections

    from lvheng.core.problem import ProblemError
    from lvheng.observations import serving

    try:
        serving.keep_ready()
    except (DatabaseError, ProblemError) as error:
        logging.getLogger("lvheng").warning("%s", error)
    finally:
        close_old_connections()


_warm()
wall.warn()
daily.start()
