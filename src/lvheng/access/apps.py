from django.apps import AppConfig


class AccessConfig(AppConfig):
    name = "lvheng.access"
    verbose_name = "账号与审计"
    default_auto_field = "django.db.models.BigAutoField"
