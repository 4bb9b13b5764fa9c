from django.apps import AppConfig


class DualControlConfig(AppConfig):
    name = "lvheng.dual_control"
    verbose_name = "能耗双控"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from lvheng.dual_control.services import issued_goals
        from lvheng.observations.view import goal_sources

        if issued_goals not in goal_sources:
            goal_sources.append(issued_goals)
