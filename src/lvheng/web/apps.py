from django.apps import AppConfig


class WebConfig(AppConfig):
    name = "lvheng.web"
    verbose_name = "门户"
    default_auto_field = "django.db.models.BigAutoField"
