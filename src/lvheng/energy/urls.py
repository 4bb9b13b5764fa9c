"""Addresses of energy accounts, units and certificates."""

from __future__ import annotations

from django.urls import path

from lvheng.energy import certificate_views, unit_views, views

urlpatterns = [
    path("energy/balance/", views.balance, name="energy_balance"),
    path("energy/fuels/", views.fuels, name="energy_fuels"),
    path("energy/sectors/", views.sectors, name="energy_sectors"),
    path("energy/industries/", views.industries, name="energy_industries"),
    path("energy/deductions/", views.deductions, name="energy_deductions"),
    path("energy/units/", unit_views.units, name="energy_units"),
    path("energy/unit/<str:code>/", unit_views.unit, name="energy_unit"),
    path("energy/certificates/", certificate_views.certificates, name="certificates"),
    path("energy/certificates/import/", certificate_views.upload, name="certificates_import"),
    path("energy/certificates/close/", certificate_views.close, name="certificates_close"),
    path("energy/certificates/<int:pk>/release/", certificate_views.release, name="certificate_release"),
]
