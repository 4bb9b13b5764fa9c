"""The register of on-line monitored outlets, marks, alarms, leads, closed months, and meters of key energy users.

Devices are not here: the gateway's own register (:mod:`lvheng.telemetry.devices`) is the one place for them, joined by MN.


Source documents: 污染物排放自动监测设备标记规则 (marks), 排污许可管理条例 (permitted amounts, ledgers).
"""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

MEDIA = {"gas": _("废气"), "water": _("废水")}
KINDS = {"value": _("污染物"), "flow": _("流量"), "o2": _("氧含量")}
ALARMS = {
    "exceedance": _("超标"), "no_data": _("无数据"), "constant": _("恒值"), "logger_off": _("数采仪离线"), "permit": _("许可排放量将用尽"),
}  # fmt: skip
VERDICTS = {"confirmed": _("确认"), "excluded": _("排除")}
FORMS = {"register": _("累计读数"), "slot": _("时段用量")}
STEPS = {"acknowledged": _("已接收"), "assigned": _("已交办"), "closed": _("已办结")}


class Outlet(models.Model):
    """An outlet with an on-line monitor. Reference oxygen comes from its permit, never from its city."""

    code = models.CharField(_("排口编号"), max_length=32, unique=True)
    name = models.CharField(_("排口"), max_length=120)
    unit = models.CharField(_("排污单位"), max_length=32, blank=True)
    unit_name = models.CharField(_("排污单位名称"), max_length=120, blank=True)
    region = models.CharField(_("地区"), max_length=12, blank=True)
    medium = models.CharField(_("类别"), max_length=8, choices=list(MEDIA.items()))
    longitude = models.DecimalField(_("经度"), max_digits=9, decimal_places=6, null=True, blank=True)
    latitude = models.DecimalField(_("纬度"), max_digits=9, decimal_places=6, null=True, blank=True)
    mn = models.CharField(_("设备编号"), max_length=30, unique=True)
    version = models.PositiveSmallIntegerField(_("协议版本"), default=2017)
    interval = models.PositiveSmallIntegerField(_("分钟数据间隔"), default=1)
    o2_reference = models.DecimalField(_("基准氧含量"), max_digits=5, decimal_places=2, null=True, blank=True)
    permit = models.CharField(_("排污许可证"), max_length=80, blank=True)
    since = models.DateField(_("联网日期"), null=True, blank=True, help_text="data are due from this day on")
    synthetic = models.BooleanField(_("演示数据"), default=False)

    class Meta:
        db_table_comment = "Outlets with on-line monitors"
        ordering = ["code"]

    def __str__(self) -> str:
        return self.name


class Factor(models.Model):
    """What is measured at an outlet; its key is the series of roll-ups. Limits in the unit sent, from the permit."""

    outlet = models.ForeignKey(Outlet, models.PROTECT, related_name="factors")
    code = models.CharField(_("因子代码"), max_length=12)
    name = models.CharField(_("因子"), max_length=40)
    kind = models.CharField(_("性质"), max_length=8, choices=list(KINDS.items()), default="value")
    unit = models.CharField(_("计量单位"), max_length=12)
    limit_low = models.DecimalField(_("限值下限"), max_digits=12, decimal_places=4, null=True, blank=True)
    limit_high = models.DecimalField(_("限值"), max_digits=12, decimal_places=4, null=True, blank=True)
    permitted_kg = models.DecimalField(
        _("年许可排放量（千克）"), max_digits=16, decimal_places=3, null=True, blank=True
    )
    item = models.CharField(_("总量指标分项"), max_length=16, blank=True)
    # what the logger sends where the permit or its filing says so: corrected in the roll-up (validity.state)
    ppm = models.BooleanField(_("上传体积浓度（ppm）"), default=False)
    actual = models.BooleanField(_("上传工况值"), default=False)
    wet = models.BooleanField(_("上传湿基值"), default=False)
    derived = models.BooleanField(_("由组分计算（设备不上传本因子）"), default=False)
    ambient = models.DecimalField(_("当地大气压（千帕）"), max_digits=8, decimal_places=4, null=True, blank=True)

    class Meta:
        db_table_comment = "Series of on-line data"
        constraints = [models.UniqueConstraint(fields=["outlet", "code"], name="factor_once")]
        ordering = ["outlet", "id"]

    def __str__(self) -> str:
        return self.name


class Mark(models.Model):
    """A mark by the operator: what, from when to when, why, on which evidence, by whom and when. Append-only."""

    outlet = models.ForeignKey(Outlet, models.PROTECT, related_name="marks")
    factor = models.ForeignKey(Factor, models.PROTECT, null=True, blank=True, related_name="marks")
    kind = models.CharField(_("标记种类"), max_length=16)
    begin = models.DateTimeField(_("开始"), help_text="whole hour")
    end = models.DateTimeField(_("结束"), help_text="whole hour, exclusive")
    reason = models.TextField(_("原因"))
    evidence = models.TextField(_("证明材料"))
    by = models.CharField(_("标记人"), max_length=80)
    at = models.DateTimeField(_("标记时间"))
    rule = models.CharField(max_length=120, help_text="version of the marking rule applied")

    class Meta:
        db_table_comment = "Working-condition and instrument marks; append-only"
        ordering = ["-begin"]
        constraints = [
            models.CheckConstraint(condition=models.Q(end__gt=models.F("begin")), name="mark_forward"),
            models.CheckConstraint(condition=~models.Q(reason="") & ~models.Q(evidence=""), name="mark_proven"),
        ]


class MarkWithdrawal(models.Model):
    """A mark set aside: papers not handed in in time, or found false. Append-only."""

    mark = models.OneToOneField(Mark, models.PROTECT, related_name="withdrawal")
    reason = models.TextField(_("理由"))
    by = models.CharField(_("办理人"), max_length=80)
    at = models.DateTimeField(_("时间"))

    class Meta:
        db_table_comment = "Marks set aside; append-only"


class MarkPaper(models.Model):
    """A paper handed in for a mark, kept by its content. Append-only."""

    mark = models.ForeignKey(Mark, models.PROTECT, related_name="papers")
    name = models.CharField(_("文件名"), max_length=160)
    size = models.PositiveIntegerField(_("字节数"))
    digest = models.CharField(max_length=64, help_text="SHA-256 of the content, its name in the store")
    by = models.CharField(_("提交人"), max_length=80)
    at = models.DateTimeField(_("提交时间"))

    class Meta:
        db_table_comment = "Papers handed in for marks; append-only"
        ordering = ["id"]


class Alarm(models.Model):
    """An alarm: one episode of one kind. ``first`` and ``last`` grow while it goes on; its steps are kept apart."""

    kind = models.CharField(_("类别"), max_length=16, choices=list(ALARMS.items()))
    outlet = models.ForeignKey(Outlet, models.PROTECT, related_name="alarms")
    factor = models.ForeignKey(Factor, models.PROTECT, null=True, blank=True, related_name="alarms")
    key = models.CharField(max_length=80, unique=True, help_text="kind, outlet, factor and beginning")
    first = models.DateTimeField(_("开始"))
    last = models.DateTimeField(_("至"))
    value = models.DecimalField(_("最大值"), max_digits=20, decimal_places=6, null=True, blank=True)
    limit = models.DecimalField(_("限值"), max_digits=20, decimal_places=6, null=True, blank=True)
    raised = models.DateTimeField(_("报警时间"))
    recovered = models.DateTimeField(_("恢复时间"), null=True, blank=True)
    state = models.CharField(_("状态"), max_length=14, default="open", db_index=True)

    class Meta:
        db_table_comment = "Alarms of on-line monitoring"
        ordering = ["-first", "id"]

    @property
    def kind_label(self) -> str:
        return str(ALARMS[self.kind])

    @property
    def state_label(self) -> str:
        return str(STEPS.get(self.state, _("待处理")))


class AlarmStep(models.Model):
    """What was done about an alarm. Append-only."""

    alarm = models.ForeignKey(Alarm, models.PROTECT, related_name="steps")
    step = models.CharField(_("办理"), max_length=14, choices=list(STEPS.items()))
    to = models.CharField(_("交办给"), max_length=80, blank=True)
    text = models.TextField(_("说明"), blank=True)
    by = models.CharField(_("办理人"), max_length=80)
    at = models.DateTimeField(_("时间"))

    class Meta:
        db_table_comment = "Steps of alarms; append-only"
        ordering = ["id"]

    @property
    def step_label(self) -> str:
        return str(STEPS[self.step])


class Lead(models.Model):
    """A suspicion of a screen with its window of evidence: to be checked on site, not a finding."""

    screen = models.CharField(_("疑点"), max_length=8)
    factor = models.ForeignKey(Factor, models.PROTECT, related_name="leads")
    first = models.DateTimeField(_("开始"))
    last = models.DateTimeField(_("至"))
    known = models.DateTimeField(_("可察觉时间"))
    seen = models.JSONField(default=dict)
    found = models.DateTimeField(_("发现时间"))
    state = models.CharField(_("状态"), max_length=10, default="open", db_index=True)

    class Meta:
        db_table_comment = "Leads of the screens of honesty"
        constraints = [models.UniqueConstraint(fields=["screen", "factor", "first"], name="lead_once")]
        ordering = ["-first", "id"]

    @property
    def state_label(self) -> str:
        return str(VERDICTS.get(self.state, _("待核查")))


class LeadDecision(models.Model):
    """What the check of a lead found. Append-only."""

    lead = models.ForeignKey(Lead, models.PROTECT, related_name="decisions")
    verdict = models.CharField(_("结论"), max_length=10, choices=list(VERDICTS.items()))
    reason = models.TextField(_("核查情况"))
    by = models.CharField(_("核查人"), max_length=80)
    at = models.DateTimeField(_("时间"))

    class Meta:
        db_table_comment = "Decisions on leads; append-only"
        ordering = ["id"]

    @property
    def verdict_label(self) -> str:
        return str(VERDICTS[self.verdict])


class Watch(models.Model):
    """The one row that the watchers of a site share: who is at work until when, and how the last round went."""

    name = models.CharField(max_length=16, primary_key=True)
    holder = models.CharField(max_length=80, blank=True)
    until = models.DateTimeField()
    started = models.DateTimeField(_("开始时间"), null=True)
    finished = models.DateTimeField(_("完成时间"), null=True)
    fault = models.TextField(_("未完成的原因"), blank=True)
    alarms = models.PositiveIntegerField(_("新报警"), default=0)
    leads = models.PositiveIntegerField(_("新疑点"), default=0)

    class Meta:
        db_table_comment = "The watch over on-line data: its turn and its last round"


class EnergyMeter(models.Model):
    """A measured item of a key energy user, and what must be known to read its register."""

    unit = models.CharField(_("用能单位"), max_length=32)
    device = models.CharField(_("端设备"), max_length=40)
    code = models.CharField(_("采集项代码"), max_length=40)
    carrier = models.CharField(_("能源品种"), max_length=32)
    measure = models.CharField(_("计量单位"), max_length=12)
    form = models.CharField(_("数据形式"), max_length=8, choices=list(FORMS.items()), default="register")
    minutes = models.PositiveSmallIntegerField(_("间隔（分钟）"), default=15)
    capacity = models.DecimalField(_("表底满度"), max_digits=18, decimal_places=4, null=True, blank=True)
    factor = models.DecimalField(_("倍率"), max_digits=14, decimal_places=6, default=1)
    most = models.DecimalField(_("每小时最大用量"), max_digits=18, decimal_places=4, null=True, blank=True)
    synthetic = models.BooleanField(_("演示数据"), default=False)

    class Meta:
        db_table_comment = "Measured items of key energy users"
        constraints = [models.UniqueConstraint(fields=["unit", "device", "code"], name="energy_meter_once")]
        ordering = ["unit", "device", "code"]


class MeterExchange(models.Model):
    """A meter was changed: the old one's last reading and the new one's first. Append-only."""

    meter = models.ForeignKey(EnergyMeter, models.PROTECT, related_name="exchanges")
    moment = models.DateTimeField(_("换表时间"))
    final = models.DecimalField(_("旧表止码"), max_digits=18, decimal_places=4)
    first = models.DecimalField(_("新表起码"), max_digits=18, decimal_places=4)
    reason = models.TextField(_("说明"))
    by = models.CharField(_("登记人"), max_length=80)
    at = models.DateTimeField(_("登记时间"))

    class Meta:
        db_table_comment = "Exchanges of meters; append-only"
        ordering = ["moment"]


class MonthClose(models.Model):
    """A version of a closed month: its roll-up's digests, rules, series, partitions of the lake and posting. Append-only.

    The first version counts what arrived within the patch window; each later one also what arrived until its ``late_until``.
    """

    month = models.CharField(_("月份"), max_length=7)
    version = models.PositiveSmallIntegerField(_("版次"), default=1)
    late_until = models.DateTimeField(_("计入迟到数据至"), null=True, help_text="null: the patch window alone")
    reason = models.TextField(_("重新关账的原因"), blank=True)
    digests = models.JSONField()
    rules = models.JSONField()
    series = models.JSONField(default=list, help_text="the register as it was; empty in closes of earlier releases")
    partitions = models.JSONField(help_text="partition of the lake, rows that counted and their SHA-256")
    marks = models.JSONField(help_text="keys of the marks in force")
    posting = models.PositiveIntegerField(null=True)
    by = models.CharField(_("关账人"), max_length=80)
    at = models.DateTimeField(_("关账时间"))

    class Meta:
        db_table_comment = "Closed months of on-line monitoring; append-only"
        ordering = ["-month", "-version"]
        constraints = [models.UniqueConstraint(fields=["month", "version"], name="month_close_once")]
