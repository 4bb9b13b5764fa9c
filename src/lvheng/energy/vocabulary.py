"""Words of the accounts that stand in data and not in a template, so that the catalogue holds them."""

from django.utils.translation import gettext_noop as _

WORDS = (
    _("一次能源生产"), _("调入"), _("调出"), _("年初库存"), _("年末库存"), _("加工转换投入"), _("加工转换产出"), _("损失"), _("农林牧渔业"), _("工业"), _("建筑业"),
    _("交通运输、仓储和邮政业"), _("批发零售和住宿餐饮业"), _("其他行业"), _("居民生活"), _("其中：用作原料材料"), _("第一产业"), _("第三产业"),
    _("煤炭"), _("石油"), _("天然气"), _("电力"), _("热力"), _("其他"), _("实测"), _("参考系数"), _("区间内选定"),
)  # fmt: skip
