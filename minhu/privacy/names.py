"""Names of persons in free text, best-effort: a surname and one or two characters beside a word that gives them away.

The surname stays (王**), which is how the field publishes cases. A name without such a word beside it is not found; how
many are is measured in ``docs/privacy.md``.
"""

import polars as pl

_DOUBLE = "欧阳|司马|上官|诸葛|东方|皇甫|尉迟|公孙|慕容|令狐|司徒|夏侯|端木"
_SINGLE = (
    "王李张刘陈杨黄赵吴周徐孙马朱胡郭何林高罗郑梁谢宋唐许韩冯邓曹彭曾肖田董袁潘蒋蔡余杜叶程苏魏吕丁任沈姚卢姜崔钟谭"
    "陆汪范石廖贾夏韦付方白邹孟熊秦邱江尹薛闫段雷侯龙史陶黎贺顾毛郝龚邵万钱严覃武戴莫孔向汤温康施文牛樊葛邢安齐庞颜"
    "倪庄聂章鲁岳翟殷詹申欧耿关兰焦俞左柳甘祝包宁尚符舒阮柯纪梅童凌毕单裴霍涂成苗谷曲盛冉骆蓝游辛靳管柴蒙鲍华喻祁"
    "楼郎金洪应虞来屠裘竺傅厉盛缪斯岑戚童"
)  # fmt: skip
_NEVER_GIVEN = (
    "的了是我你他她这那个等及与或被把从到对为以于在电话手机号码路街道镇乡村区县市司局委办处科站所院校园楼栋幢室层"
    "弄桥反映称说表求认投诉举报咨询请让给住就也都还不没未已将会去找问又再很每度速便价边围女先师某姓户身，"
)  # fmt: skip
_SURNAME = f"(?:{_DOUBLE}|[{_SINGLE}])"
_GIVEN = rf"[\p{{Han}}--[{_NEVER_GIVEN}某]]{{1,2}}"

_TITLES = "女士|先生|师傅|阿姨|小姐"
_BEFORE = "联系人|姓名|我叫|名叫|户名|机主|收件人|(?:来电|诉求|投诉|举报|申请|反映|当事)人[:：]|(?:户|业|车)主[:：]"
_WEAK = "本人|我是|业主|户主|房东|当事人"
_LIMITS = r"[，,。；;、：:\s(（）)\"0-9]|$|电话|手机|住在|身份证|反映|来电|表示|要求|已经"

NAME_HINTS = f"{_TITLES}|联系人|姓名|我叫|名叫|户名|机主|收件人|人：|主：|人:|主:|{_WEAK}"
_TITLED = rf"({_SURNAME}){_GIVEN}({_TITLES})"
_CUED = rf"((?:{_BEFORE})(?:姓名)?[是为叫:：\s\"（(]{{0,4}})({_SURNAME}){_GIVEN}"
_BESIDE = rf"((?:{_WEAK})[是叫为:：]?)({_SURNAME}){_GIVEN}({_LIMITS})"


def mask_names(texts: pl.Series) -> pl.Series:
    """Texts with the names that a word beside them gives away cut to the surname."""
    texts = texts.str.replace_all(_CUED, "${1}${2}**").str.replace_all(_TITLED, "${1}**${2}")
    return texts.str.replace_all(_BESIDE, "${1}${2}**${3}")
