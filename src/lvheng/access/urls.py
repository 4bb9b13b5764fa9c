"""Addresses of accounts."""

from __future__ import annotations

from django.urls import path

from lvheng.access import factor_views, views

urlpatterns = [
    path("people/", views.people, name="people"),
    path("people/invite/", views.invite, name="person_invite"),
    path("people/invitation/<int:invitation_id>/withdraw/", views.withdraw, name="invitation_withdraw"),
    path("people/<int:user_id>/", views.person, name="person"),
    path("people/<int:user_id>/leave/", views.leave, name="person_leave"),
    path("people/<int:user_id>/password/", views.password_link, name="person_password"),
    path("people/<int:user_id>/second-factor/reset/", factor_views.reset, name="person_factor_reset"),
    path("people/safety/", factor_views.safety, name="safety"),
    path("sign-in/code/", factor_views.code, name="sign_in_code"),
    path("sign-in/enrol/", factor_views.enrol, name="sign_in_enrol"),
    path("reset/<str:code>/<str:token>/", views.reset_password, name="password_reset"),
    path("join/<str:secret>/", views.join, name="join"),
    path("account/", views.account, name="account"),
    path("account/contact/", views.contact, name="account_contact"),
    path("account/second-factor/", factor_views.own, name="second_factor"),
    path("account/second-factor/<slug:name>/", factor_views.act, name="second_factor_act"),
    path("account/password/", views.password, name="account_password"),
    path("account/hand-over/", views.hand_over, name="account_hand_over"),
    path("account/take-back/<int:delegation_id>/", views.take_back, name="account_take_back"),
    path("audit/", views.audit, name="audit"),
]
