"""Words of the rulebook and of pure rules that pages show in the language of the reader."""

from __future__ import annotations

from django.utils.translation import gettext_noop as _

WORDS = (
    _("一级"),
    _("二级"),
    _("三级"),
    _("Ⅰ级"),
    _("Ⅱ级"),
    _("Ⅲ级"),
    _("不预警"),
    _("绿色"),
    _("黄色"),
    _("橙色"),
    _("红色"),
    _("等比例"),
    _("按得分分档"),
    _("按节能潜力"),
    _("能源产出率"),
    _("工业用能占比"),
    _("人均地区生产总值"),
    _("上一规划期完成情况"),
    _("已定重大项目用能"),
    _("原口径"),
    _("扣除原料用能"),
    _("扣除原料用能和非化石能源"),
    _("较好"),
    _("基准"),
    _("较差"),
    _("先行指标"),
    _("上季增速"),
    _("累计增速"),
    _("该数据尚未公开。"),
    _("数据不完整"),
)
