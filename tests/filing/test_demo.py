"""The demonstration's filings: every unit, every state, nothing at odds with the store."""

from __future__ import annotations

import json

from tests.support.server import City

COUNT = """
import json
from collections import Counter
from lvheng.access.models import Delegation
from lvheng.filing.models import Body, Extension, Filing, FilingVersion
from lvheng.observations.models import Observation
month = Filing.objects.exclude(form__startswith="county").exclude(form__startswith="department").order_by("-period").first().period
mine = Filing.objects.filter(period=month, body__kind="unit")
print(json.dumps({
    "units": Body.objects.filter(kind="unit").count(), "filed": mine.values("body").distinct().count(), "states": Counter(mine.values_list("state", flat=True)),
    "corrected": mine.filter(number__gt=1).count(), "nil": FilingVersion.objects.filter(nil=True).count(), "extensions": Counter(Extension.objects.values_list("state", flat=True)),
    "late": sum(v.late for v in FilingVersion.objects.filter(filing__in=mine).select_related("filing").defer("data")), "delegated": Delegation.objects.count(),
    "sourced": Observation.objects.filter(reference__startswith="填报").values("subject").distinct().count(),
    "accepted": mine.filter(state="accepted").exclude(versions__nil=True).values("body").distinct().count(),
}))
"""


def test_every_unit_has_filed_and_every_state_is_there(prepared_city: City) -> None:
    done = prepared_city.run("manage", "shell", "-c", COUNT)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["units"] - found["filed"] <= 2, "all but the account to try, and a unit that nothing is known of"
    assert set(found["states"]) == {"draft", "submitted", "county_reviewed", "returned", "accepted"}
    assert set(found["extensions"]) == {"asked", "granted"}
    assert all(found[k] for k in ("corrected", "nil", "late", "delegated"))
    assert found["sourced"] >= found["accepted"] > 0, "what was accepted is the source of its figures"
    assert prepared_city.run("audit", "verify").returncode == 0
