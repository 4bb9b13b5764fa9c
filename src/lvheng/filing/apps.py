from django.apps import AppConfig


class FilingConfig(AppConfig):
    name = "lvheng.filing"
    verbose_name = "填报"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from lvheng.access import daily
        from lvheng.filing import imports, reminders

        daily.register("催报", reminders.run)
        daily.register_often("补寄邮件", reminders.deliver)
        daily.register_often("接续导入", imports.resume)
