"""Addresses of dual control: barometer, workbench, outlook, decisions, units."""

from __future__ import annotations

from django.urls import path

from lvheng.dual_control.pages import barometer, decisions, outlook, units, workbench

urlpatterns = [
    path("energy/barometer/", barometer.barometer, name="barometer"),
    path("energy/warning/draft/", barometer.draft_warning, name="warning_draft"),
    path("energy/workbench/", workbench.workbench, name="workbench"),
    path("energy/workbench/draft/", workbench.draft_decomposition, name="decomposition_draft"),
    path("energy/tons/", workbench.tons, name="tons"),
    path("energy/outlook/", outlook.outlook, name="outlook"),
    path("energy/outlook/report.docx", outlook.outlook_report, name="outlook_report"),
    path("energy/colours/", units.unit_colours, name="unit_colours"),
    path("energy/colours/warn/", units.draft_unit_warning, name="unit_warning_draft"),
    path("energy/decisions/", decisions.decisions, name="decisions"),
    path("energy/decision/<int:pk>/", decisions.decision, name="decision"),
    path("energy/decision/<int:pk>/step/", decisions.step, name="decision_step"),
    path("energy/decision/<int:pk>/document.docx", decisions.document, name="decision_document"),
]
