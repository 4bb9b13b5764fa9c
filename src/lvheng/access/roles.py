"""Roles, and the one place where it is decided what a person may see and do.

A person belongs to a body; a body stands for a region, a unit, or the whole city. Pages and API ask
:func:`may` with a permission and, where it matters, whose thing it is.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Role(StrEnum):
    LEAD = "lead"  # the two leading departments: energy office, ecology bureau
    DEPARTMENT = "department"
    COUNTY = "county"
    ENTERPRISE = "enterprise"
    VERIFIER = "verifier"
    AUDITOR = "auditor"
    ADMINISTRATOR = "administrator"
    PUBLIC = "public"

    @property
    def label(self) -> str:
        return ROLE_WORDS[self]


ROLE_WORDS = {
    Role.LEAD: "市级牵头部门",
    Role.DEPARTMENT: "责任部门",
    Role.COUNTY: "县（市）区",
    Role.ENTERPRISE: "企业",
    Role.VERIFIER: "核查机构",
    Role.AUDITOR: "审计监督",
    Role.ADMINISTRATOR: "系统管理员",
    Role.PUBLIC: "公众",
}


class Permission(StrEnum):
    VIEW_PUBLIC = "view_public"  # the plan, published figures, rules
    VIEW_INTERNAL = "view_internal"  # figures of regions not yet published, warnings, reviews
    VIEW_UNIT = "view_unit"  # figures of a single unit
    EDIT_PLAN = "edit_plan"
    FILE = "file"  # fill in and submit forms
    REVIEW_COUNTY = "review_county"
    REVIEW_CITY = "review_city"
    DECIDE = "decide"  # issue targets, warnings, grades
    VERIFY = "verify"
    AUDIT = "audit"  # read everything and the audit chain, change nothing
    ADMINISTER = "administer"


_P = Permission
GRANTS: dict[Role, frozenset[Permission]] = {
    Role.PUBLIC: frozenset({_P.VIEW_PUBLIC}),
    Role.ENTERPRISE: frozenset({_P.VIEW_PUBLIC, _P.VIEW_UNIT, _P.FILE}),
    Role.VERIFIER: frozenset({_P.VIEW_PUBLIC, _P.VIEW_UNIT, _P.VERIFY}),
    Role.COUNTY: frozenset({_P.VIEW_PUBLIC, _P.VIEW_INTERNAL, _P.VIEW_UNIT, _P.FILE, _P.REVIEW_COUNTY}),
    Role.DEPARTMENT: frozenset({_P.VIEW_PUBLIC, _P.VIEW_INTERNAL, _P.VIEW_UNIT, _P.FILE}),
    Role.LEAD: frozenset(
        {_P.VIEW_PUBLIC, _P.VIEW_INTERNAL, _P.VIEW_UNIT, _P.EDIT_PLAN, _P.FILE, _P.REVIEW_CITY, _P.DECIDE, _P.VERIFY}
    ),
    Role.AUDITOR: frozenset({_P.VIEW_PUBLIC, _P.VIEW_INTERNAL, _P.VIEW_UNIT, _P.AUDIT}),
    Role.ADMINISTRATOR: frozenset({_P.VIEW_PUBLIC, _P.ADMINISTER}),
}  # fmt: skip

# Roles whose say is not bounded by a county or a unit.
CITYWIDE = frozenset({Role.LEAD, Role.DEPARTMENT, Role.AUDITOR})


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose thing is asked for: a region's, a unit's (with the region it lies in), a department's, or the city's."""

    region: str = ""
    unit: str = ""
    body: str = ""


@dataclass(frozen=True, slots=True)
class Actor:
    """Who asks: role, and the region or unit the person's body stands for ("" = the whole city)."""

    role: Role = Role.PUBLIC
    name: str = ""
    body: str = ""
    region: str = ""
    unit: str = ""
    stands_in: tuple[Owner, ...] = ()  # for whom duties were handed over, see access.models.Delegation

    @property
    def signed_in(self) -> bool:
        return self.role is not Role.PUBLIC


ANYONE = Actor()


def may(actor: Actor, permission: Permission, owner: Owner | None = None) -> bool:
    """Whether the actor may, for a thing of that owner (None: in general).

    To file is for one's own body alone, whatever the role, or for one whose duties were handed over.
    """
    if permission not in GRANTS[actor.role]:
        return False
    if owner is None or permission is Permission.VIEW_PUBLIC:
        return True
    if permission is Permission.FILE:
        return _own(actor, owner) or owner in actor.stands_in
    if actor.role in CITYWIDE:
        return True
    if actor.role is Role.COUNTY:
        return bool(actor.region) and owner.region == actor.region
    if actor.role in (Role.ENTERPRISE, Role.VERIFIER):
        return bool(actor.unit) and owner.unit == actor.unit
    return permission is Permission.ADMINISTER


def _own(actor: Actor, owner: Owner) -> bool:
    if owner.unit:
        return actor.role is Role.ENTERPRISE and owner.unit == actor.unit
    if owner.body:
        return actor.role in (Role.DEPARTMENT, Role.LEAD) and owner.body == actor.body
    if owner.region:
        return actor.role is Role.COUNTY and owner.region == actor.region
    return actor.role is Role.LEAD
