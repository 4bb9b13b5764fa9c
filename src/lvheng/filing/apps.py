from django.apps import AppConfig


class FilingConfig(AppConfig):
    name = "lvheng.filing"
    verbose_name = "填报"
    default_auto_field = "django.db.models.BigAutoField"
