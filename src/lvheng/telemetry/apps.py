from django.apps import AppConfig


class TelemetryConfig(AppConfig):
    name = "lvheng.telemetry"
    verbose_name = "在线监测"
    default_auto_field = "django.db.models.BigAutoField"
