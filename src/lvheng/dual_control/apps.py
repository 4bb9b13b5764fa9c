from django.apps import AppConfig


class DualControlConfig(AppConfig):
    name = "lvheng.dual_control"
    verbose_name = "能耗双控"
    default_auto_field = "django.db.models.BigAutoField"
