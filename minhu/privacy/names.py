"""Names of persons in free text, best-effort: a surname and one or two characters beside a word that gives them away.

The surname stays (王**), which is how the field publishes cases. A name without such a word beside it is not found; how
many are is measured in ``docs/privacy.md``.
"""

import re

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
_SIGN = r"(?:姓名)?[是为叫:：\s\"（(]"
_BEFORE = (
    rf"(?:联系人|姓名|户名|机主|收件人){_SIGN}{{1,4}}|我叫|名叫"
    rf"|(?:来电|诉求|投诉|举报|申请|反映|当事|经办|负责)人[:：]|(?:户|业|车)主[:：]|法(?:人|定)代表人?[:：]"
)
_KIN = "丈夫|妻子|老公|老婆|父亲|母亲|爸爸|妈妈|儿子|女儿|哥哥|弟弟|姐姐|妹妹"
_WEAK = (
    "联系人|本人|我是|业主|户主|房东|当事人|市民|村民|居民|司机|驾驶员|患者|租客|租户|车主|家属|经办人|负责人|来电人"
    f"|被?投诉人|被?举报人|法人代表|法定代表人|我(?:{_KIN})"
)
_LIMITS = r"[，,。；;、：:\s(（）)\"0-9]|$|电话|手机|住在|身份证|反映|来电|表示|要求|已经|打来|名下|家中"
_WORDS = (
    "何时 何地 何人 应该 应当 应急 金额 金融 成立 成为 成功 严重 严格 马上 马路 任意 任何 常年 常常 "
    "安全 安排 安装 时常 时间 方便 方面 高度 高空 高层 高温 周边 周围 路边 路口 连续 连夜 温和 温馨 "
    "白天 白色 关门 关于 关注 明确 明知 平时 平台 单独 单位 钱款 万分 万一 谢绝 谢谢 黄牌 黄色 车辆 "
    "代表 全部 全体 强行 信息 和邻 于昨 于今 安心 江边 江南 水电 水管 田地 石头 高中 古树 文明 文件 "
    "华润 施工 康复 包括 包裹 管理 管道 童车 祝福 习惯 房屋 房租 毛坯 毛病 牛奶 游客 温度 滑倒 左右 "
    "左侧 符合 解决 解释 党员 冷水 常住 花钱 花园 梅雨 龙头 雷电 熊孩 胡乱 宁愿 贺电 武力 孔洞 莫名 "
    "武装 柳树 苗木 谷物 季度 乐意 喻为 纪念"
).split()
"""Words that begin as a surname does: behind a word for a person they say what he does, not who he is."""

_TITLED = rf"({_SURNAME}){_GIVEN}({_TITLES})"
_CUED = rf"((?:{_BEFORE}){_SIGN}{{0,4}})({_SURNAME}){_GIVEN}"
_BESIDE = rf"(?:{_WEAK})[是叫为:：]?{_SURNAME}{_GIVEN}(?:{_LIMITS})"
TITLE_HINTS = f"{_TITLES}|联系人|姓名|户名|机主|收件人|我叫|名叫|人：|主：|人:|主:|代表：|代表:"
NAME_HINTS = _BESIDE
_PARTS = re.compile(rf"((?:{_WEAK})[是叫为:：]?)({_SURNAME})(\w{{1,2}}?)((?:{_LIMITS}))", re.DOTALL)


def mask_names(texts: pl.Series) -> pl.Series:
    """Texts with the names that a word beside them gives away cut to the surname."""
    texts = texts.str.replace_all(_CUED, "${1}${2}**").str.replace_all(_TITLED, "${1}**${2}")
    found = texts.str.extract_all(_BESIDE).explode(empty_as_null=False).drop_nulls().unique()
    masks = {told: mask for told in found if (mask := _beside(told)) != told}
    return texts.str.replace_many(list(masks), list(masks.values()), leftmost=True) if masks else texts


def _beside(told: str) -> str:
    parts = _PARTS.fullmatch(told)
    if not parts or parts[2] == "向" or (parts[2] + parts[3])[:2] in _WORDS:
        return told
    return f"{parts[1]}{parts[2]}**{parts[4]}"
