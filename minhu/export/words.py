"""The sentences of exports, Chinese and English. Names, findings and rules are data: they stay as recorded."""

from datetime import date, datetime

from minhu.business_date import day_and_time
from minhu.export.figures import bare
from minhu.export.report import Indicator, Person, Release, Report
from minhu.glossary.cases import LEFT_OUT
from minhu.glossary.columns import COLUMN
from minhu.glossary.kind import Kind, Lang, Word
from minhu.glossary.law import FUNNEL_FLAG, NOT_RANKED, PERIOD, STANDING
from minhu.schemes.words import limit

TEXT = {
    # identity of a report
    "bulletin_of": ("{period}考评情况通报", "Assessment bulletin, {period}"),
    "of_month": ("{day.year}年{day.month}月", "{day:%B %Y}"),
    "of_year": ("{day.year}年度", "{day.year}"),
    "span": ("{first} 至 {last}", "{first} to {last}"),
    "number_blank": ("〔{year}〕　　号", "[{year}] no. ____"),
    "draft": ("未发布 · 试算", "DRAFT · NOT PUBLISHED"),
    "draft_notice": (
        "未发布·试算稿。本稿由系统按办法试算，尚未审批发布，不得作为考评依据，不得对外引用。",
        "Draft, not published. Computed by the scheme but not approved: not to be used as an assessment or quoted.",
    ),
    "published": ("已发布", "Published"),
    "public": ("公开版", "Public version"),
    "indicative_notice": (
        "本期得分为参考，不是年度考评结果。",
        "Scores of this period are indicative; they are not the result of the yearly assessment.",
    ),
    "incomplete_notice": (
        "本期数据未满：统计截止 {as_of}，期末为 {last}。",
        "The period is not complete: data as of {as_of}, while the period ends on {last}.",
    ),
    "stale_notice": (
        "评分之后事实已有更新，本稿尚未反映。",
        "Facts were updated after scoring; this draft does not show it.",
    ),
    "example_notice": (
        "办法中标为“示例”的分值、目标和分档没有公开来源，由本市自行确定后方可用于考评。",
        "Values marked as example in the scheme have no public source; a city sets its own before it uses them.",
    ),
    "replaced_notice": (
        "本件为第 {release.revision} 次发布，已由第 {release.newest_revision} 次发布取代。",
        "This is revision {release.revision}; revision {release.newest_revision} stands in its place.",
    ),
    "newer_facts_notice": (
        "发布之后事实已有更新：分值、计数、时限和发生时间为发布时的记录，工单号、派单时间和来源取自当前记录。",
        "Facts were updated after publication: points, counts, limits and moments are as published; case numbers, "
        "dispatch and sources are those of today.",
    ),
    "release_line": (
        "{number}　审批 {approver}（{approval}）　发布时间 {release.published_at:%Y-%m-%d %H:%M}",
        "{number}, approved by {approver} ({approval}), published {release.published_at:%Y-%m-%d %H:%M}",
    ),
    "release_number": ("发布编号 {release.release_id}", "Release {release.release_id}"),
    "release_revised": (
        "发布编号 {release.release_id}　修订号 {release.revision}",
        "Release {release.release_id}, revision {release.revision}",
    ),
    "nobody_named": ("姓名未登记", "name not registered"),
    "by_login": ("仅凭登录", "by login only"),
    "by_key": ("已签名，公钥 {public}", "signed, public key {public}"),
    "hash_line": ("结果哈希 {release.hash}", "Hash {release.hash}"),
    "release_foot": ("{number}　哈希 {release.hash}", "{number}, hash {release.hash}"),
    "anchor": ("核对信息", "To check it later"),
    "said_anchor": (
        "下面一行和二维码是本次发布的锚点，含结果与访问日志的哈希，不含市民或单位的数据。请随本通报保存：日后用 "
        "minhu verify {period} --anchor 可核对结果是否被改写，包括被系统的运行方改写。",
        "The line below and the code are the anchor of this release: hashes of the result and of the access log, no "
        "data of citizens or units. Keep it with this bulletin: minhu verify {period} --anchor shows later whether the "
        "result was rewritten, even by whoever runs the system.",
    ),
    "anchor_code": ("锚点二维码", "The anchor as a QR code"),
    # sheets and headings
    "cover": ("封面", "Cover"),
    "overview": ("总体情况", "Overview"),
    "group_scores": ("分组得分", "Scores by peer group"),
    "indicators": ("指标明细", "Indicators"),
    "main_indicators": ("主要指标", "Main indicators"),
    "revised": ("修订情况", "What was revised"),
    "red_and_black": ("红黑榜", "Red and black lists"),
    "most_lost": ("扣分较多的单位", "Units that lost most"),
    "notes": ("说明", "Notes"),
    "apart": ("单列单位", "Listed apart"),
    "annex": ("附件{no}　{unit}失分明细", "Annex {no}. {unit}: points lost"),
    # in cells
    "assessed_of": ("折算（{points} 分）", "Assessed (of {points})"),
    "at_received": ("受理", "received"),
    "at_dispatched": ("派单", "dispatched"),
    "at_due": ("时限", "due"),
    "at_occurred": ("发生", "happened"),
    "suppressed": ("＊", "*"),
    "not_applicable": ("不适用", "n/a"),
    "no_band": ("未分档", "no band"),
    "none": ("无", "none"),
    "not_counted": ("剔除：{reason}", "excluded: {reason}"),
    # sentences
    "said_period": (
        "本期考核周期为{first}至{last}，统计截止{as_of}，按{title}计分。",
        "The period runs from {first} to {last}, with data as of {as_of}, scored by {title}.",
    ),
    "said_units": (
        "纳入考评单位 {all} 个，其中参加分档 {listed} 个，单列 {apart} 个。",
        "{all} units are assessed: {listed} have a band, {apart} are listed apart.",
    ),
    "said_group": ("{group} {count} 个单位：{bands}。", "{group}, {count} units: {bands}."),
    "said_band": ("{band} {count} 个", "{band} {count}"),
    "said_below": (
        "各组合计未达目标的指标：{indicators}。",
        "Group totals that miss their target: {indicators}.",
    ),
    "said_miss": ("{group}{indicator} {rate}（目标 {target}）", "{group}, {indicator} {rate} (target {target})"),
    "said_none_below": ("各组合计的比率均达到目标。", "All group totals reach their targets."),
    "said_revision": (
        "本次为第 {revision} 次发布，与第 {base} 次发布相比，{units} 个单位的{what}有变化。修订原因：{why}。",
        "This is revision {revision}. Against revision {base}, the {what} of {units} units changed. Why: {why}.",
    ),
    "moved_band": ("档次", "band"),
    "moved_score": ("得分或档次", "score or band"),
    "moved_place": ("得分、名次或档次", "score, place or band"),
    "said_causes": ("输入变化：{causes}。", "What came or went: {causes}."),
    "said_more": (
        "其余 {count} 条见 Excel 版“修订情况”。",
        "{count} more are in the workbook.",
    ),
    "said_lists": (
        "以下为办法规定的榜单，同分同榜。",
        "The lists of the scheme; equal scores stand on them together.",
    ),
    "join": ("", " "),
    "in_brackets": ("（{text}）", " ({text})"),
    "comma": ("、", ", "),
    "semicolon": ("；", "; "),
    "by_band": (
        "按档次列出，同档内按单位代码排列，先后不代表名次。",
        "Listed by band, within a band by unit code: the order is no ranking.",
    ),
    "by_rank": ("按名次列出，同分同名次。", "Listed by rank; equal scores share a rank."),
    "nobody": ("本组没有参加分档的单位。", "No unit of this group has a band."),
    "nobody_assessed": ("本期没有纳入考评的单位。", "No unit is assessed in this period."),
    "nobody_apart": ("本期没有单列单位。", "No unit is listed apart."),
    "said_apart": (
        "以下单位因所列原因单列，不分档、不排名。",
        "These units are listed apart for the reason given, neither banded nor ranked.",
    ),
    "said_cells": (
        "每格依次为比率、分子/分母、95% 区间。",
        "Each cell: rate, numerator/denominator, 95% interval.",
    ),
    "said_shrunken": (
        "“收缩”为向同类组比率收缩的参考值，不参与计分。",
        "“Drawn” is the rate drawn towards that of the group, for reference: no points come from it.",
    ),
    "with_earlier": ("合并", "pooled"),
    "shrunken_of": ("收缩 {value}", "drawn {value}"),
    "said_flags": (
        "↑↓ 为漏斗图标记，双箭头为 99.8% 控制限。",
        "↑↓ are funnel flags, two of them for 99.8%.",
    ),
    "said_lost": (
        "按失分合计列出各组前 {count} 个单位；逐件依据见 Excel 版“扣分明细”。",
        "The {count} units of each group that lost most points; the rows behind them are in the workbook.",
    ),
    "lost_item": ("{indicator} −{lost}（{counts}）", "{indicator} −{lost} ({counts})"),
    "nothing_lost": ("本组没有失分的单位。", "No unit of this group lost points."),
    "no_costs": ("没有失分的事项。", "No row cost points."),
    "said_unit": (
        "{group}　{band}　得分 {score}　折算 {assessed} / {points} 分",
        "{group}; {band}; score {score}; assessed {assessed} of {points}",
    ),
    # charts
    "continued": ("{title}（续）", "{title} (continued)"),
    "figure": ("图{no}　{title}", "Figure {no}. {title}"),
    "chart_bands": ("各组分档情况（单位数）", "Units by band"),
    "chart_rates": ("各组主要指标合计及 95% 区间（短竖线为目标）", "Group rates with 95% intervals (tick: target)"),
    "chart_sheet": ("各组主要指标合计及 95% 区间", "Group rates with 95% intervals"),
    "reach": ("区间至下限、上限的距离（图用）", "From the rate to the ends of its interval (for the chart)"),
    "chart_scores": ("得分分布（单位数）", "Distribution of scores (units)"),
    "below": ("{bound} 以下", "below {bound}"),
    # notes
    "note_rate": (
        "比率＝分子÷分母。分母为本期按办法应计的件数（已作废、剔除的不计），本期无应计件数的为“不适用”，不计满分也不扣分。",
        "A rate is numerator ÷ denominator: the rows that count by the scheme (voided and excluded ones do not). With "
        "nothing to count it does not apply: no points on either side.",
    ),
    "note_interval": (
        "95% 区间为威尔逊（Wilson）区间。件数少时区间宽，比率的高低可能出于偶然；例如 6/7 的区间为 48.7%–97.4%。",
        "The 95% interval is Wilson's. With few cases it is wide, and a rate may be high or low by chance: 6/7 is "
        "48.7% to 97.4%.",
    ),
    "note_funnel": (
        "漏斗标记：单位比率超出同类组控制限（↑ 高于、↓ 低于 95% 控制限，双箭头为 99.8%），提示差异不大可能出于偶然。",
        "Funnel flags: the unit's rate lies outside its peer group's control limits (↑ above, ↓ below 95%; double: "
        "99.8%), which chance alone hardly explains.",
    ),
    "note_shrunken": (
        "同类组收缩值：件数越少，越向同类组的比率靠近（经验贝叶斯），供参考，不参与计分，不代替比率。",
        "Drawn to peers: the fewer the cases, the nearer to the rate of the group (empirical Bayes). For reference: no "
        "points come from it.",
    ),
    "note_marginal": (
        "失分按件分摊，合计等于该指标失分；“若无此件”为去掉该件后本指标得分的变化，逐件计算，不能相加。",
        "Lost points are split over the rows and add up; “without it” is the change of the indicator's points without "
        "that one row, and does not add up.",
    ),
    "note_bands": (
        "分档：{bands}。以分档为主，不以排名代替评价。",
        "Bands: {bands}. Bands, not places, are the result.",
    ),
    "band_from": ("{band} {at_least} 分及以上", "{band} from {at_least}"),
    "band_rest": ("{band} {above} 分以下", "{band} below {above}"),
    "note_apart": (
        "本期无派单或无到期事项的单位单列，不分档、不排名，不以 0 分或满分计。",
        "Units without a case or with nothing due are listed apart: neither banded nor ranked, and not scored 0.",
    ),
    "note_assessed": (
        "折算分＝同类组考评分值 × 百分制得分 ÷ 100。",
        "Assessed points are the group's points × score ÷ 100.",
    ),
    "note_public": (
        "公开版：少于 5 件的数据以＊隐去，可由其推算的比率、区间、分值一并隐去；不含工单明细。",
        "Public version: counts under 5 are withheld (*), with the rates, intervals and points that would tell them.",
    ),
    "note_privacy": (
        "本材料不含群众姓名、电话、住址和诉求内容。",
        "No name, number, address or text of a citizen is shown.",
    ),
    "note_of": ("（{note}）", " ({note})"),
    "rule_of": ("{group}，{rule}", "{group}: {rule}"),
}


class Words:
    """The words of one language. ``words("unit")`` is the head of a column; a sentence takes its values by name."""

    def __init__(self, lang: Lang = "zh"):
        self.lang = lang

    def __call__(self, key: str, **values: object) -> str:
        said = Word(*TEXT[key]) if key in TEXT else COLUMN[key]
        text = getattr(said, self.lang)
        return text.format(**values) if values else text

    def of(self, kind: Kind, code: str | None) -> str:
        """The word of a code; nothing where there is none, and one that the glossary lacks as it is."""
        return "" if code is None else kind.said(code, self.lang)

    def day(self, day: date) -> str:
        return f"{day.year}年{day.month}月{day.day}日" if self.lang == "zh" else f"{day:%Y-%m-%d}"

    def until(self, moment: datetime) -> str:
        """A moment up to which data are counted; the end of a day is 24 o'clock of that day."""
        if self.lang == "en":
            return limit(moment)
        day, time = day_and_time(moment)
        hour, _, minute = time.partition(":")
        return f"{self.day(day)}{int(hour)}时" + (f"{minute}分" if minute != "00" else "")

    def period(self, report: Report) -> str:
        """The period in words."""
        first, last = report.first, report.last
        if (first.year, first.month) == (last.year, last.month):
            return self("of_month", day=first)
        if first.year == last.year and (first.month, last.month) == (1, 12):
            return self("of_year", day=first)
        return self("span", first=self.day(first), last=self.day(last))

    def heading(self, number: int, key: str) -> str:
        return f"{'〇一二三四五六七八九'[number]}、{self(key)}" if self.lang == "zh" else f"{number}. {self(key)}"

    def number(self, report: Report) -> str:
        return report.number or self("number_blank", year=report.last.year)

    def reason(self, code: str | None) -> str:
        """Why a unit has no place."""
        return self.of(NOT_RANKED, code)

    def left_out(self, code: str | None) -> str | None:
        """Why a row does not count; None where it does."""
        return self("not_counted", reason=self.of(LEFT_OUT, code)) if code else None

    def revision(self, report: Report) -> str:
        """Against which revision this one is told, how many units moved, and why."""
        diff = report.diff
        if diff is None:
            return ""
        what = self("moved_band" if report.is_public else "moved_place" if report.is_ranked else "moved_score")
        why = (diff.why or "").rstrip("。.")
        told = {"revision": diff.revision, "base": diff.base_revision, "units": len(diff.units)}
        return self("said_revision", what=what, why=why, **told)

    def foot(self, report: Report) -> str:
        """What stands at the foot of every page of a release; nothing of a draft."""
        release = report.release
        return self("release_foot", number=self.release_number(release), release=release) if release else ""

    def release_number(self, release: Release) -> str:
        """Which release it is; of a first one there is no revision to tell."""
        return self("release_number" if release.is_first else "release_revised", release=release)

    def person(self, person: Person | None) -> str:
        """Office and name."""
        return " ".join(filter(None, (person.office, person.name))) if person else self("nobody_named")

    def release_line(self, release: Release) -> str:
        """Which release it is, who approved it and how, and when it was published."""
        number, approval = self.release_number(release), self.approval(release)
        return self(
            "release_line",
            release=release,
            number=number,
            approver=self.person(release.approved_by),
            approval=approval,
        )

    def seal(self, report: Report) -> str:
        """Who issues it, the day, and the place of the seal, a line each; nothing where nobody does."""
        if not (report.issuer and report.release):
            return ""
        day = self.day(report.release.published_at.date())
        return "\n".join(filter(None, (report.issuer.name, day, report.issuer.seal_line)))

    def flag(self, code: str | None) -> str:
        """A funnel flag in words."""
        return self.of(FUNNEL_FLAG, code)

    def approval(self, release: Release) -> str:
        """How a release was approved: by a signature, or by a login alone."""
        return self("by_key", public=release.approval_key[:12]) if release.approval_key else self("by_login")

    def standing(self, report: Report) -> str:
        """What the scores are: 月度参考, 参考, 正式."""
        standing = self.of(STANDING, report.kind)
        is_month = (report.first.year, report.first.month) == (report.last.year, report.last.month)
        if not (report.kind == "indicative" and is_month):
            return standing
        month = self.of(PERIOD, "month")
        return f"{month}{standing}" if self.lang == "zh" else f"{standing} {month}"

    def notices(self, report: Report) -> list[str]:
        """What a reader must know before any number."""
        told = {
            "draft_notice": report.is_draft,
            "indicative_notice": report.kind == "indicative",
            "incomplete_notice": not report.is_complete,
            "stale_notice": report.is_stale and report.is_draft,
            "replaced_notice": bool(report.release and report.release.is_replaced),
            "newer_facts_notice": report.is_stale and not report.is_draft and report.has_costs,
            "example_notice": report.has_examples,
        }
        values = {"as_of": limit(report.as_of), "last": self.day(report.last), "release": report.release}
        return [self(key, **values) for key, is_so in told.items() if is_so]

    def identity(self, report: Report) -> list[tuple[str, str]]:
        """What the numbers are of and where they come from, as name and value."""
        status = self("draft" if report.is_draft else "published")
        facts = [
            ("scheme_id", report.title),
            ("scheme_version", report.scheme_version),
            ("basis", self("semicolon").join(report.basis)),
            ("period", f"{self.period(report)}（{report.first} – {report.last}）"),
            ("as_of", limit(report.as_of)),
            ("status", f"{status} · {self('public')}" if report.is_public else status),
            ("kind", self.standing(report)),
            ("number", self.number(report)),
        ]
        if release := report.release:
            facts += [
                ("release_id", str(release.release_id)),
                *([] if release.is_first else [("revision", str(release.revision))]),
                ("hash", release.hash),
                ("closed_by", self.person(release.closed_by)),
                ("approved_by", f"{self.person(release.approved_by)}（{self.approval(release)}）"),
                ("published_at", f"{release.published_at:%Y-%m-%d %H:%M}"),
                *([("why", release.why)] if release.why else []),
            ]
        if report.issuer:
            facts.append(("issued_by", report.issuer.name))
        facts += [("build_id", str(report.build_id)), ("config_version", str(report.config_version))]
        return [(self(key), value) for key, value in facts]

    def rules(self, report: Report) -> list[tuple[Indicator, str]]:
        """How each indicator scores, in words; by peer group where groups differ."""
        return [(one, self._rule(report, one.code)) for one in report.indicators]

    def _rule(self, report: Report, code: str) -> str:
        by_group = {group.name: dict(group.rules).get(code) for group in report.groups}
        said = {rule for rule in by_group.values() if rule}
        if len(said) <= 1:
            return said.pop() if said else ""
        told = (self("rule_of", group=group, rule=rule) for group, rule in by_group.items() if rule)
        return self("semicolon").join(told)

    def band_bounds(self, report: Report) -> str:
        """From which score on each band is given, in one line."""
        told = []
        for at, band in enumerate(report.bands):
            if at and not band.at_least:
                told.append(self("band_rest", band=band.name, above=bare(report.bands[at - 1].at_least)))
            else:
                told.append(self("band_from", band=band.name, at_least=bare(band.at_least)))
        return self("comma").join(told)

    def notes(self, report: Report) -> list[str]:
        """The closing notes: what the numbers mean, and what is not shown."""
        told = {
            "note_rate": True,
            "note_interval": True,
            "note_funnel": report.has_flags,
            "note_shrunken": report.is_shrunken,
            "note_marginal": report.has_costs,
            "note_bands": bool(report.bands),
            "note_apart": True,
            "note_assessed": True,
            "note_public": report.is_public,
            "note_privacy": True,
        }
        return [self(key, bands=self.band_bounds(report)) for key, is_so in told.items() if is_so]
