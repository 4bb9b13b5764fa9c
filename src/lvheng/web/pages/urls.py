"""Addresses of the shell's pages; every one names what is seen. ``?plan=`` chooses a plan other than the first."""

from __future__ import annotations

from django.urls import path

from lvheng.web.pages import access, catalogue, drafts, home, plan, region, search, target, verification

urlpatterns = [
    path("", home.home, name="home"),
    path("plan/", plan.plan, name="plan"),
    path("plan/read/", drafts.read, name="plan_read"),
    path("plan/drafts/<int:pk>/", drafts.draft, name="plan_draft"),
    path("plan/drafts/<int:pk>/plan.yaml", drafts.download, name="plan_draft_file"),
    path("plan/drafts/<int:pk>/header/", drafts.header, name="plan_draft_header"),
    path("plan/drafts/<int:pk>/finish/", drafts.finish, name="plan_draft_finish"),
    path("plan/drafts/<int:pk>/add/<str:part>/", drafts.add, name="plan_draft_add"),
    path("plan/drafts/<int:pk>/item/<str:item>/", drafts.item, name="plan_draft_item"),
    path("clause/<str:clause_id>/", plan.clause, name="clause"),
    path("target/<str:target_id>/", target.target, name="target"),
    path("explain/<str:indicator>/<str:region>/<path:period>/", target.explanation, name="explanation"),
    path("shapes.json", region.shapes, name="shapes"),
    path("regions/", region.regions, name="regions"),
    path("region/<str:code>/", region.region, name="region"),
    path("bodies/", region.bodies, name="bodies"),
    path("body/<str:code>/", region.body, name="body"),
    path("indicators/", catalogue.indicators, name="indicators"),
    path("indicator/<str:code>/", catalogue.indicator, name="indicator"),
    path("rules/", catalogue.rules, name="rules"),
    path("rule/<str:rule_id>/", catalogue.rule, name="rule"),
    path("observation/<int:pk>/", catalogue.observation, name="observation"),
    path("verification/", verification.verification, name="verification"),
    path("search/", search.search, name="search"),
    path("sign-in/", access.SignIn.as_view(), name="sign_in"),
    path("sign-out/", access.sign_out, name="sign_out"),
    path("language/", access.language, name="language"),
]
