"""帮助: what each page answers, what each number means, by the law in force."""

from starlette.responses import Response

from minhu import database
from minhu.portal.asking import Ask
from minhu.portal.shown import rooms_of
from minhu.schemes.scheme import Scheme
from minhu.schemes.words import scoring_rule

QUESTIONS = {
    "/": "城市今天和本周怎样：受理、办结、满意、超期，什么最热，什么等我办理。",
    "/live": "城市此刻怎样运行：按小时受理与往常、积压的天数、各单位在办与超期、地区与类别的起落；可上大屏。",
    "/scores": "谁得了多少分，为什么：同类组、档次、每项指标的件数与区间，谁不排名及原因；所见即可导出。",
    "/cases": "一件诉求的全程：各来源的事件、三个时限、回访、影响过的得分；文本须说明为何查看。",
    "/inbox": "等我办理的事：审批、申诉、复核、放行；在此录入剔除、人工计分、效能问题与豁免。",
    "/feedback": "结果发布之前，各单位核对本单位的得分与扣分，提出意见；意见怎样答复。",
    "/jobs": "用时较长的事：关账、修订、发布、重算、整份导出、草案测算；进度与结果。",
    "/push": "本来源的交付该在何时送达、到了没有；在此送来，先可试读，每份都有回执。",
    "/feeds": "每个来源的每份交付到了没有、迟了没有、扣了没有；批次与拒收的原因。",
    "/quality": "哪些检查没有通过，谁负责，依据是什么；未了结的问题与豁免。",
    "/audit": "对账、溯源、抽样、审计月报、发布的证明、访问日志。",
    "/people": "谁能看什么、办什么：登录账号属于谁、代表哪个单位、以什么登录；各组的权限。",
    "/help": "每个数字的定义，每页回答的问题。",
}
TERMS = (
    ("诉求件", "市民一次来电或来件形成的记录，即工单；转派、并单后仍是一件事，事实记在最早的一件上。"),
    ("派单", "把一件诉求交给一个主办或协办单位办理；退回、重派、补办各自另起一轮。"),
    ("应办结", "考核周期内时限届满的派单；按时办结率以它为分母，所以尚未办结而已超期的也在其中。"),
    ("按时办结", "时限届满时已经办结，或其后被退回但届满时仍有有效办结。时限按派单时有效的规则和工作日历计算。"),
    ("95%% 区间", "威尔逊区间：件数少时区间宽，表示这个比率有多不确定。"),
    ("同类组控制限", "以全组比率为中心，按本单位件数算出的 95%% 与 99.8%% 界限；超出者以箭头标出，不单独扣分。"),
    (
        "变动的拆分",
        "上期的数按本期规则重算，先分出规则的影响；其余之中，同组平均的变动归同组，超出的归本单位。三项相加等于变动。",
    ),
    ("差别中的偶然", "即使各单位做得一样好，件数有限也会有差别；这是它占单位间差别的比重。"),
    ("信度", "单位之间真实差别占全部差别的比重，从 0 到 1；件数越多，信度越高。"),
    ("重抽", "按各单位自己的比率与件数随机再抽，看得分、档次与名次会落在哪里；种子固定，谁算都一样。"),
    ("不排名", "件数不足或不承担该事项的单位只列出，不参加排名，原因写在名称下。"),
    ("若无此件", "去掉这一行之后，本项指标得分的变动。各行分别计算，不相加。"),
    ("试算", "由系统按办法计算、尚未审批发布的得分，不得作为考评依据。"),
    ("修订", "发布之后的更正。原发布不变，修订另存一份，并逐条说明差异与原因。"),
)
"""Terms of the field as this house reads them: docs/decisions says why."""


def help(ask: Ask) -> Response:
    schemes = []
    if ask.person.group in ("evaluator", "auditor", "unit"):
        with database.connect(ask.reads) as connection:
            found = connection.execute(
                "select data from config.entry where kind = 'scheme' and until_version is null order by key"
            ).fetchall()
        schemes = [Scheme.from_entry(data) for (data,) in found]
    return ask.page(
        "help.html",
        questions=[(path, name, QUESTIONS[path]) for path, name in rooms_of(ask.person)],
        terms=TERMS,
        schemes=[(one, _rules(one)) for one in schemes],
    )


def _rules(scheme: Scheme) -> list[tuple[str, str, str | None]]:
    """Each indicator by name, how the first group that it scores is scored, and what the law notes."""
    told = []
    for one in scheme.lines:
        group = next((group for group in scheme.peer_groups if one.scores(group.code)), None)
        rule = scoring_rule(one, group.code, scheme.valid_from) if group else ""
        told.append((one.name_zh, rule, one.note))
    return told
