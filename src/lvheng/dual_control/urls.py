"""Addresses of dual control: barometer, workbench, series, outlook, decisions."""

from __future__ import annotations

from django.urls import path

from lvheng.dual_control import views

urlpatterns = [
    path("energy/barometer/", views.barometer, name="barometer"),
    path("energy/workbench/", views.workbench, name="workbench"),
    path("energy/workbench/draft/", views.draft_decomposition, name="decomposition_draft"),
    path("energy/tons/", views.tons, name="tons"),
    path("energy/series/", views.series, name="energy_series"),
    path("energy/outlook/", views.outlook, name="outlook"),
    path("energy/outlook/report.docx", views.outlook_report, name="outlook_report"),
    path("energy/decisions/", views.decisions, name="decisions"),
    path("energy/decision/<int:pk>/", views.decision, name="decision"),
    path("energy/decision/<int:pk>/step/", views.step, name="decision_step"),
    path("energy/decision/<int:pk>/document.docx", views.document, name="decision_document"),
    path("energy/warning/draft/", views.draft_warning, name="warning_draft"),
]
