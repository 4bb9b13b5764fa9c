from django.apps import AppConfig


class ObservationsConfig(AppConfig):
    name = "lvheng.observations"
    verbose_name = "数据"
    default_auto_field = "django.db.models.BigAutoField"
