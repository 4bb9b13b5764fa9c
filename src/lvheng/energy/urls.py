"""Addresses of energy accounts, units and certificates."""

from __future__ import annotations

from django.urls import path

from lvheng.energy import certificate_views, unit_views, views

urlpatterns = [
    path("energy-accounts/balance/", views.balance, name="energy_balance"),
    path("energy-accounts/fuels/", views.fuels, name="energy_fuels"),
    path("energy-accounts/sectors/", views.sectors, name="energy_sectors"),
    path("energy-accounts/industries/", views.industries, name="energy_industries"),
    path("energy-accounts/deductions/", views.deductions, name="energy_deductions"),
    path("energy-accounts/units/", unit_views.units, name="energy_units"),
    path("energy-accounts/unit/<str:code>/", unit_views.unit, name="energy_unit"),
    path("energy-accounts/certificates/", certificate_views.certificates, name="certificates"),
    path("energy-accounts/certificates/import/", certificate_views.upload, name="certificates_import"),
    path("energy-accounts/certificates/close/", certificate_views.close, name="certificates_close"),
    path("energy-accounts/certificates/<int:pk>/release/", certificate_views.release, name="certificate_release"),
]
