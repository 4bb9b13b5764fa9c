"""Addresses of accounts."""

from __future__ import annotations

from django.urls import path

from lvheng.access import views

urlpatterns = [
    path("people/", views.people, name="people"),
    path("people/invite/", views.invite, name="person_invite"),
    path("people/invitation/<int:invitation_id>/withdraw/", views.withdraw, name="invitation_withdraw"),
    path("people/<int:user_id>/", views.person, name="person"),
    path("join/<str:secret>/", views.join, name="join"),
    path("account/", views.account, name="account"),
    path("account/password/", views.password, name="account_password"),
    path("account/hand-over/", views.hand_over, name="account_hand_over"),
    path("account/take-back/<int:delegation_id>/", views.take_back, name="account_take_back"),
    path("audit/", views.audit, name="audit"),
]
