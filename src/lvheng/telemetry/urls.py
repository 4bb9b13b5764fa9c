"""Addresses of on-line monitoring: outlets, one outlet and its series, alarms, leads, devices, months, energy users."""

from __future__ import annotations

from django.urls import path

from lvheng.telemetry import close_views, device_views, energy_views, lead_views, views

urlpatterns = [
    path("outlets/", views.outlets, name="outlets"),
    path("outlets/alarms/", views.alarms, name="telemetry_alarms"),
    path("outlets/alarms/<int:pk>/", views.alarm, name="telemetry_alarm"),
    path("outlets/leads/", lead_views.all_leads, name="telemetry_leads"),
    path("outlets/leads/<int:pk>/", lead_views.lead, name="telemetry_lead"),
    path("outlets/devices/", device_views.devices, name="telemetry_devices"),
    path("outlets/devices/new/", device_views.device_new, name="telemetry_device_new"),
    path("outlets/devices/adopt/", device_views.adopt, name="telemetry_adopt"),
    path("outlets/devices/<slug:mn>/", device_views.device, name="telemetry_device"),
    path("outlets/rates/", close_views.rates, name="telemetry_rates"),
    path("outlets/months/", close_views.closes, name="telemetry_closes"),
    path("outlets/months/<slug:month>/", close_views.close, name="telemetry_close"),
    path("outlets/months/<slug:month>/act/", close_views.close_act, name="telemetry_close_act"),
    path("outlets/energy/", energy_views.energy, name="telemetry_energy"),
    path("outlets/energy/meters/<int:pk>/", energy_views.meter, name="telemetry_meter"),
    path("outlets/energy/<slug:unit>/", energy_views.energy_unit, name="telemetry_energy_unit"),
    path("outlets/new/", device_views.outlet_edit, name="outlet_new"),
    path("outlets/<slug:code>/", views.outlet, name="outlet"),
    path("outlets/<slug:code>/edit/", device_views.outlet_edit, name="outlet_edit"),
    path("outlets/<slug:code>/series/<int:pk>.json", views.series, name="outlet_series"),
    path("outlets/<slug:code>/mark/", views.mark, name="outlet_mark"),
    path("outlets/<slug:code>/marks/<int:pk>/paper/", views.paper, name="mark_paper"),
    path("outlets/<slug:code>/papers/<int:pk>/", views.paper_file, name="mark_paper_file"),
]
