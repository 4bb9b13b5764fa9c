"""The catalogue of what may be wrong with a packet: code → severity, sentence, advice.

A BLOCKER quarantines the packet (it is journalled, never treated as normal data); everything else is reported
beside the decoded values. The texts are for people; the codes for machines.
"""

from __future__ import annotations

from lvheng.core.problem import Place, Problem, Severity

_B, _E, _W, _N = Severity.BLOCKER, Severity.ERROR, Severity.WARNING, Severity.NOTICE

CATALOGUE: dict[str, tuple[Severity, str, str]] = {
    # frame
    "noise": (_W, "报文之外有无法识别的字节", "请检查链路和设备的发送程序"),
    "truncated": (_B, "报文不完整，实有字节少于声明长度", "请检查链路是否中断，或由设备重发"),
    "length_not_digits": (_B, "数据段长度不是四位数字", "请检查设备的组包程序"),
    "length_wrong": (_B, "数据段长度与实际不符", "长度按字节计，只计数据段"),
    "oversized": (_B, "数据段长度超过接收上限", "请分包发送，或在设备方言中放宽上限"),
    "crc_not_hex": (_B, "校验码不是四位十六进制数", "请检查设备的组包程序"),
    "crc_wrong": (_B, "校验码与数据段不符", "请检查链路质量和设备的校验算法"),
    "eol": (_N, "报文结尾不是回车换行", ""),
    "crc_lowercase": (_N, "校验码用了小写字母", ""),
    "crc_variant": (_W, "校验码按设备方言核对，不是本标准的算法", "请设备厂家改正校验算法"),
    "over_1024": (_W, "数据段超过1024字节而未分包", "请设备按标准分包"),
    "over_1024_stated": (
        _B,
        "数据段超过1024字节而未分包，与所声明的标准版本不符",
        "请设备按标准分包，或在设备方言中放宽上限",
    ),
    # encryption
    "sm4_no_key": (_B, "数据区已加密，没有可用的密钥", "请登记该设备的密钥"),
    "sm4_wrong_key": (_B, "数据区已加密，登记的密钥解不开", "请核对该设备的密钥和更换时间"),
    "sm4_published_key": (_E, "数据区使用标准示例密钥加密", "固定或公开的密钥不得使用，请更换密钥"),
    "sm4_literal": (_N, "密文以文字形式书写", ""),
    "sm4": (_N, "数据区已解密", ""),
    # text
    "text_gbk": (_N, "中文使用国标编码，不是统一码", ""),
    "text_undecodable": (_E, "数据段有无法识别的字符", "请检查设备的字符编码"),
    # header
    "header_comma": (_W, "报文头用逗号分隔字段，应为分号", ""),
    "header_order": (_N, "报文头字段次序与标准不同", ""),
    "header_unknown": (_N, "报文头有标准之外的字段", ""),
    "header_case": (_N, "报文头字段名大小写与标准不同", ""),
    "header_malformed": (_W, "报文头有无法识别的内容", ""),
    "header_repeated": (_N, "报文头字段重复", ""),
    "header_conflict": (_B, "报文头同一字段有两个不同的值", "请检查设备的组包程序"),
    "qn_missing": (_N, "没有请求编号", ""),
    "qn_form": (_N, "请求编号不是17位时间", ""),
    "st_missing": (_B, "没有系统编码", "请检查设备设置"),
    "st_unknown": (_N, "系统编码不在标准表内", ""),
    "cn_missing": (_B, "没有命令编号", "请检查设备设置"),
    "cn_form": (_B, "命令编号不是四位数字", "请检查设备设置"),
    "cn_unknown": (_W, "命令编号不在标准表内", ""),
    "cn_version": (_N, "命令不属于报文所声明的标准版本", ""),
    "pw_form": (_N, "访问密码不是6位", ""),
    "mn_missing": (_B, "没有设备唯一标识", "请检查设备设置"),
    "mn_form": (_N, "设备唯一标识的形式与标准不同", ""),
    "flag_missing": (_N, "没有标志字段，按2005版理解", ""),
    "flag_form": (_W, "标志字段不是数字，按2005版理解", ""),
    "version_unknown": (_W, "标志字段声明的标准版本未知", ""),
    "parts_missing": (_N, "标志声明分包而没有总包数和包号", ""),
    "parts_unflagged": (_N, "有总包数和包号而标志未声明分包", ""),
    "parts_bad": (_B, "包号不在总包数范围内", "请检查设备的分包程序"),
    "rf_form": (_N, "补传标志的用法与标准不同", ""),
    # data area
    "cp_missing": (_E, "没有数据区", ""),
    "cp_unclosed": (_W, "数据区首尾标记不完整", ""),
    "empty_item": (_N, "数据区有空项", ""),
    "pair_malformed": (_W, "数据区有无法识别的内容", ""),
    "comma_for_semicolon": (_N, "数据区用逗号分隔了应以分号分隔的字段", ""),
    "param_unknown": (_N, "数据区有标准之外的参数", ""),
    "time_form": (_N, "时间不是14位", ""),
    "time_bad": (_E, "时间不存在", "请检查设备的时钟和组包程序"),
    "data_time_bad": (_B, "数据时间不存在", "请检查设备的时钟和组包程序"),
    "data_time_missing": (_B, "有监测数据而没有数据时间", "请检查设备的组包程序"),
    "interval_order": (_E, "开始时间晚于结束时间", ""),
    "interval_form": (_W, "上报间隔不在标准允许的范围", ""),
    "answer_unknown": (_W, "应答码不在标准表内", ""),
    "duplicate_same": (_N, "同一因子同一项目重复，数值相同", ""),
    "duplicate_conflict": (_B, "同一因子同一项目有两个不同的值", "请检查设备的组包程序"),
    "code_old": (_N, "使用2005版因子代码，已按对照表换算", ""),
    "code_unknown": (_N, "因子代码不在标准表内", ""),
    "suffix_case": (_N, "项目后缀大小写与标准不同", ""),
    "suffix_alias": (_N, "项目后缀按设备方言理解", ""),
    "suffix_unknown": (_N, "项目后缀不在标准表内", ""),
    "value_empty": (_N, "数值为空，按无数据保存", ""),
    "value_rejected": (_E, "数值不是标准规定的数字，已拒收该值", "请检查设备的输出格式"),
    "value_form": (_N, "数字写法与标准不同", ""),
    "decimals_over": (_N, "小数位数超过标准规定", ""),
    "mean_outside": (_E, "平均值不在最小值与最大值之间", "请核对设备的统计程序和原始记录"),
    "flag_unknown": (_W, "数据标记不在标准表内，该数据不作有效数据", ""),
    "flag_orphan": (_W, "有数据标记而没有数值", "报文可能在传输中被改动，请核对原始记录"),
    "flag_absent": (_N, "部分因子没有数据标记", ""),
    "unit_suspect": (_W, "数值超出合理范围，可能是单位不符", "请核对该因子的计量单位"),
    "unit_converted": (_N, "数值已按设备方言换算单位", ""),
}


def finding(name: str, got: str = "", wanted: str = "", field: str = "") -> Problem:
    """The finding of that name as a Problem with code ``hj212.<name>``."""
    severity, message, fix = CATALOGUE[name]
    return Problem(f"hj212.{name}", message, severity, Place(field=field), got, wanted, "", fix)
