"""The application that the workers run."""

import logging
import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "lvheng.web.settings")
application = get_wsgi_application()


def _warm() -> None:
    """Compute the standings before the first visitor asks; a site without a plan still starts and says so."""
    from django.db import DatabaseError, close_old_connections

    from lvheng.core.problem import ProblemError
    from lvheng.observations import view

    try:
        look = view.current()
        for target in look.plan.targets:
            look.standing(target.id)
            look.county_standings(target.id)
    except (DatabaseError, ProblemError) as error:
        logging.getLogger("lvheng").warning("%s", error)
    finally:
        close_old_connections()


_warm()
