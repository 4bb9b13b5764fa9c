from django.apps import AppConfig


class ShellConfig(AppConfig):
    name = "lvheng.shell"
    verbose_name = "页面部件"
    default_auto_field = "django.db.models.BigAutoField"
