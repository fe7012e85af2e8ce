"""Where the name of a body may break: between its words, never inside one.

临安区|住房和|城乡|建设局. A list of words that names of Chinese bodies are made of is enough: what it does not know,
such as the name of a town, stays whole.
"""

from collections.abc import Iterable, Iterator
from functools import lru_cache
from itertools import pairwise

WORDS = frozenset(
    """
    中共 国家 中央 国务院 全国 人民 政府 政协 人大 常务 代表 大会 机关 委员会 工作 领导 小组 办公室 办事处 办公
    街道 社区 村民 居民 经济 技术 开发区 高新区 高新 产业 园区 示范区 保税区 度假区 风景 名胜区 新区 城区 郊区
    矿区 集聚区 自治区 自治州 自治县 住房 城乡 建设 保障 房产 公积金 人力 资源 社会 规划 自然 国土 交通 运输
    公路 铁路 港航 航运 道路 轨道 地铁 公交 公共 客运 港口 机场 水利 水电 水务 林业 园林 绿化 农业 农村 畜牧
    兽医 渔业 粮食 物资 储备 供销 合作社 联合社 乡村 振兴 生态 环境 保护 气象 地震 海洋 能源 电力 供电 供水
    排水 燃气 热力 国网 电网 石油 石化 环卫 市容 市政 城市 城管 综合 行政 执法 市场 监督 管理 质量 食品 药品
    医疗 卫生 健康 疾病 预防 控制 医院 急救 血液 医药 中医药 保险 养老 民政 慈善 残疾人 妇女 儿童 联合会 共青团
    青年 少年 总工会 工会 工商业 科协 文联 社科联 侨联 红十字会 教育 教学 学校 大学 学院 中学 小学 幼儿园 考试
    招生 科学 科技 信息化 信息 大数据 数据 通信 网络 网信 电信 移动 联通 铁塔 广播 电视 广电 文化 旅游 体育
    文物 图书馆 博物馆 档案 新闻 出版 宣传 统战 组织 政法 纪律 检查 监察 巡察 编制 机构 老干部 党校 党史 史志
    公安 交警 司法 法院 检察院 中级 仲裁 信访 国安 安全 生产 应急 消防 救援 支队 大队 中队 支行 分局 分公司
    分中心 派出所 管理所 财政 税务 审计 统计 金融 银行 证券 证监 银保监 国有 资产 商务 贸易 投资 促进 招商 口岸
    海关 外事 侨务 港澳 台湾 民族 宗教 发展 改革 工业 企业 中小 民营 退役 军人 人武部 双拥 事务 服务 中心 政务
    热线 便民 民生 平台 指挥 调度 运行 保密 机要 密码 烟草 专卖 邮政 快递 盐业 物业 集团 有限 股份 责任 公司
    总公司 协会 学会 商会 基金会 研究院 研究所 设计院 实验室 事业 单位 开放 妇幼 保健 职业病 防治 中医 中医院
    充电 设施 运营 不动产 登记 自来水 污水 处理 数字 智慧 维护 养护 征收 拆迁 安置 殡葬 福利 救助 就业 创业
    人才 培训 鉴定 检测 检验 检疫 计量 标准 知识 产权 专利 地方 铁道 邮储 储蓄 流域
    """.split()
)
LONGEST = max(map(len, WORDS))
CLOSES = frozenset("省市区县旗镇乡村局厅委会部处科室院所站队办馆校场社团组署厂和与及")
"""Ends the word that it stands behind; behind another such it begins one: 宁波市|镇海区."""


@lru_cache(maxsize=4096)
def words_of(name: str) -> tuple[str, ...]:
    """The words of a name, in order; joined they are the name. Each has two characters at least, where the name has."""
    found: list[str] = []
    unknown, at = "", 0
    while at < len(name):
        known = next((name[at : at + n] for n in range(LONGEST, 1, -1) if name[at : at + n] in WORDS), "")
        if known:
            found += [unknown, known] if unknown else [known]
            unknown = ""
        elif name[at] in CLOSES and unknown:
            found.append(unknown + name[at])
            unknown = ""
        elif name[at] in CLOSES and found and found[-1][-1] not in CLOSES:
            found[-1] += name[at]
        else:
            unknown += name[at]
        at += len(known) or 1
    return tuple(_joined([*found, unknown] if unknown else found))


def _joined(words: list[str]) -> Iterator[str]:
    """A single character goes with the word before it, the first one with the next."""
    kept = ""
    for word, following in pairwise([*words, ""]):
        kept += word
        if len(kept) > 1 and len(following) != 1:
            yield kept
            kept = ""
    if kept:
        yield kept


class Names:
    """The names that a paper keeps whole, but between their words, wherever they stand in a text."""

    def __init__(self, names: Iterable[str] = ()):
        self.names = frozenset(name for name in names if len(name) > 2)
        self.lengths = sorted({len(name) for name in self.names}, reverse=True)
        self.heads = frozenset(name[:2] for name in self.names)

    def __bool__(self) -> bool:
        return bool(self.names)

    def found(self, text: str) -> Iterator[tuple[int, str]]:
        """Each name in ``text`` with its place; of two that begin there, the longer."""
        at = 0
        while at < len(text) - 2:
            name = ""
            if text[at : at + 2] in self.heads:
                name = next((text[at : at + n] for n in self.lengths if text[at : at + n] in self.names), "")
            if name:
                yield at, name
            at += len(name) or 1

    def pieces(self, text: str) -> Iterator[tuple[str, ...]]:
        """``text`` cut into what may break as ever, of one part, and names in their words."""
        done = 0
        for at, name in self.found(text):
            if at > done:
                yield (text[done:at],)
            yield words_of(name) or (name,)
            done = at + len(name)
        if done < len(text):
            yield (text[done:],)

    def closed(self, text: str) -> frozenset[int]:
        """The places of ``text`` at which no line may begin: inside the words of names."""
        inside: set[int] = set()
        for at, name in self.found(text):
            for word in words_of(name):
                inside.update(range(at + 1, at + len(word)))
                at += len(word)
        return frozenset(inside)
