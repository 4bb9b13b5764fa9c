"""Addresses of filing."""

from __future__ import annotations

from django.urls import path

from lvheng.filing import administration, views
from lvheng.filing.api import api, documentation

urlpatterns = [
    path("filing/", views.home, name="filings"),
    path("filing/start/", views.start, name="filing_start"),
    path("filing/completeness/", views.completeness, name="filing_completeness"),
    path("filing/keys/", views.keys, name="filing_keys"),
    path("filing/<int:pk>/", views.filing, name="filing"),
    path("filing/<int:pk>/save/", views.save, name="filing_save"),
    path("filing/<int:pk>/do/<slug:name>/", views.act, name="filing_act"),
    path("filing/<int:pk>/template.xlsx", views.template, name="filing_template"),
    path("filing/<int:pk>/attachment/<int:attachment_id>/", views.attachment, name="filing_attachment"),
    path("filing/<int:pk>/history/", views.history, name="filing_history"),
    path("filing/<int:pk>/upload/", views.upload, name="filing_upload"),
    path("filing/<int:pk>/import/<int:job>/", views.import_job, name="filing_import"),
    path("filing/<int:pk>/import/<int:job>/marked.xlsx", views.marked, name="filing_marked"),
    path("filing/<int:pk>/import/<int:job>/<slug:name>/", views.import_act, name="filing_import_act"),
    path("filing/administration/keys/", administration.keys, name="filing_tokens"),
    path("filing/administration/keys/<int:token_id>/revoke/", administration.revoke, name="filing_token_revoke"),
    path("filing/administration/reminders/", administration.letters, name="filing_reminders"),
    path("filing/administration/reminders/<int:letter_id>/", administration.letter, name="filing_letter"),
    path("filing/administration/extensions/", administration.extensions, name="filing_extensions"),
    path("review/", views.reviews, name="filing_reviews"),
    path("review/<int:pk>/", views.reviewing, name="filing_review"),
    path("review/<int:pk>/<slug:name>/", views.review_act, name="filing_review_act"),
    path("review/extension/<int:extension_id>/decide/", views.extension, name="filing_extension"),
    path("registry/", views.bodies, name="filing_bodies"),
    path("registry/add/", views.body, name="filing_body_add"),
    path("registry/<str:code>/", views.body, name="filing_body"),
    path("api/docs", documentation, name="api_docs"),
    path("api/", api.urls),
]
