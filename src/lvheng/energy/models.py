"""The register of green certificates and green-power contracts. Append-only; a release frees what it names."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _


class GreenContract(models.Model):
    """Green power settled under one contract, claimed by one holder for one year."""

    number = models.CharField(_("合同编号"), max_length=64, unique=True)
    holder = models.CharField(_("持有者"), max_length=32, help_text="code of the subject (region or unit)")
    year = models.PositiveSmallIntegerField(_("年度"))
    kwh = models.DecimalField(_("电量（千瓦时）"), max_digits=18, decimal_places=0)
    plant = models.CharField(_("电站"), max_length=120, blank=True)
    recorded_at = models.DateTimeField(_("登记时间"))
    recorded_by = models.CharField(_("登记人"), max_length=80)

    class Meta:
        db_table_comment = "Green-power contracts claimed (发改环资〔2024〕113号); append-only"
        constraints = [models.CheckConstraint(condition=models.Q(kwh__gt=0), name="green_contract_positive")]


class CertificateUse(models.Model):
    """A block of certificates used by one holder for one year. Overlap with another use in force is refused by trigger."""

    series = models.CharField(_("批次"), max_length=64)
    start = models.BigIntegerField(_("起号"))
    end = models.BigIntegerField(_("止号"))
    holder = models.CharField(_("持有者"), max_length=32, help_text="code of the subject (region or unit)")
    year = models.PositiveSmallIntegerField(_("年度"))
    contract = models.CharField(_("随绿电合同"), max_length=64, blank=True)
    kwh_each = models.PositiveIntegerField(_("每张电量（千瓦时）"), default=1000)
    cross_province = models.BooleanField(_("跨省购入"), default=False)
    recorded_at = models.DateTimeField(_("登记时间"))
    recorded_by = models.CharField(_("登记人"), max_length=80)

    class Meta:
        db_table_comment = "Green certificates used, by serial block (发改环资〔2024〕113号); append-only"
        constraints = [
            models.CheckConstraint(
                condition=models.Q(start__gte=1, end__gte=models.F("start")), name="certificate_block"
            ),
            models.CheckConstraint(condition=models.Q(kwh_each__gt=0), name="certificate_kwh"),
        ]
        indexes = [models.Index(fields=["series", "start"])]


class CertificateRelease(models.Model):
    """A use taken back with its reason; the serials may then be used again."""

    use = models.OneToOneField(CertificateUse, models.PROTECT, related_name="release")
    reason = models.CharField(_("理由"), max_length=200)
    recorded_at = models.DateTimeField(_("登记时间"))
    recorded_by = models.CharField(_("登记人"), max_length=80)

    class Meta:
        db_table_comment = "Uses of certificates taken back; append-only"
