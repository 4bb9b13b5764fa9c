from datetime import date

from django.apps import AppConfig


class AccessConfig(AppConfig):
    name = "lvheng.access"
    verbose_name = "账号与审计"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from lvheng.access import daily, services, wall  # noqa: F401  the check registers itself

        def close(day: date) -> str:
            return f"停用离任账号{services.close_left(day)}个"

        daily.register("离任账号", close)
