"""Addresses of on-line monitoring: outlets, one outlet and its series, alarms."""

from __future__ import annotations

from django.urls import path

from lvheng.telemetry import views

urlpatterns = [
    path("outlets/", views.outlets, name="outlets"),
    path("outlets/alarms/", views.alarms, name="telemetry_alarms"),
    path("outlets/alarms/<int:pk>/", views.alarm, name="telemetry_alarm"),
    path("outlets/<slug:code>/", views.outlet, name="outlet"),
    path("outlets/<slug:code>/series/<int:pk>.json", views.series, name="outlet_series"),
    path("outlets/<slug:code>/mark/", views.mark, name="outlet_mark"),
]
