from django.apps import AppConfig


class EnergyConfig(AppConfig):
    name = "lvheng.energy"
    verbose_name = "能耗核算"
    default_auto_field = "django.db.models.BigAutoField"
