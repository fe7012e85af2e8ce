"""What people do on pages: each act in place, as himself, with the next person's word where two are needed."""

import base64

import pytest

from minhu.assess.blank_sheet import blank_sheet
from minhu.portal.pages.units import case_path
from minhu.publish import publish, revise
from minhu.publish.life import find_cases
from minhu.publish.stored_release import explain_release
from minhu.warehouse.build import build
from tests.assess.test_files import corners, workbook
from tests.portal.conftest import MONTH, ORIGIN, Browser, House
from tests.portal.test_pages import read, words
from tests.publish import city as world
from tests.publish.city import UNWITNESSED, login

NEXT = "house_zhou"
"""Another evaluator."""


@pytest.fixture
def enter(house: House):
    """A browser in which somebody of a group, or of that name, has signed in."""
    second = login(house.city, NEXT, "evaluator")

    def enter(group: str, *, other: bool = False) -> Browser:
        browser = Browser(house.desk)
        name, password = (
            House(house.city, {"x": second}, house.desk).credentials("x") if other else (house.credentials(group))
        )
        assert browser.sign_in(name, password).status_code == 303
        return browser

    return enter


def fields(form) -> dict[str, str]:
    """What a browser would send of a form as it stands."""
    return {name: value or "" for name, value in form.fields.items()}


def form_of(page, act: str, anchor: str | None = None):
    """The form of an act; that in the card of this name."""
    within = f"//*[@id='{anchor}']" if anchor else ""
    return page.xpath(f"{within}//form[contains(@action, '{act}')]")[0]


def done(answer, act: str) -> None:
    assert answer.status_code == 303, answer.text
    assert answer.headers["location"].startswith(f"/inbox?done={act}")


def test_an_appeal_goes_from_a_row_of_the_page_to_a_revision(house, enter):
    """The unit appeals from its page, one grants, another confirms; the revision is approved and leaves the row out."""
    unit = enter("unit")
    page = read(unit.get(f"/units/U1/{MONTH}"))
    link = page.xpath("//a[starts-with(@href, '/inbox/enter/file_appeal')]/@href")[0]
    form = form_of(read(unit.get(link)), "enter/file_appeal")
    row = fields(form)["published_row"]
    assert row.startswith("R1-")
    told = fields(form) | {"grounds_code": "mis_dispatched", "statement": "职责不属本单位", "evidence_ref": "2026-17"}
    done(unit.post(form.action, told), "file_appeal")
    assert row in words(read(unit.get("/inbox")).get_element_by_id("appeals"))

    shen, zhou = enter("evaluator"), enter("evaluator", other=True)
    form = form_of(read(shen.get("/inbox")), "decide_appeal", "appeal-1")
    assert form.fields["reason_code"] == "mis_dispatched", "what the unit said is chosen already"
    done(shen.post(form.action, fields(form) | {"reason": "核实为错派", "decision": "granted"}), "decide_appeal")
    own = read(shen.get("/inbox")).get_element_by_id("unconfirmed")
    assert "须由他人复核" in words(own) and not own.xpath(".//form")
    form = form_of(read(zhou.get("/inbox")), "approve", "appeal-1")
    done(zhou.post(form.action, fields(form) | {"reason": "已复核", "verdict": "approved"}), "approve")

    build(house.city)
    revise(house.city, MONTH, why="申诉获准")
    page = read(shen.get("/inbox"))
    assert "须由他人审批" in words(page.get_element_by_id("closings")), "who decided what it holds approves nothing"
    li = login(house.city, "house_li", "evaluator")
    browser = Browser(house.desk)
    browser.sign_in(*House(house.city, {"x": li}, house.desk).credentials("x"))
    page = read(browser.get("/inbox"))
    assert "与上次相比" in words(page.get_element_by_id("closings"))
    form = form_of(page, "approve", "closing-2")
    done(browser.post(form.action, fields(form) | {"reason": "已核对", "verdict": "approved"}), "approve")
    publish(house.city, MONTH, why=UNWITNESSED)

    assert row not in words(read(unit.get(f"/units/U1/{MONTH}")))
    assert row in words(read(unit.get(f"/units/U1/{MONTH}?revision=1")))
    assert "申诉获准" in words(read(unit.get(f"/scores/linan/{MONTH}")))
    by = world.rows(
        house.city,
        "select filed_by, decided_by, (select max(approved_by) from assess.approval where subject_kind like 'appeal%%')"
        " from assess.appeal_state",
    )
    assert by == [("house_u1", "house_shen", NEXT)]


def test_what_is_refused_is_said_beside_the_form_and_what_was_typed_stays(house, enter):
    unit = enter("unit")
    answer = unit.post("/inbox/enter/file_appeal", {"published_row": "R9-9", "grounds_code": "mis_dispatched",
                       "statement": "职责不属本单位", "evidence_ref": "x"})  # fmt: skip
    assert answer.status_code == 400
    page = read(answer)
    assert page.xpath("//*[@role='alert']")[0].text.strip()
    assert fields(form_of(page, "enter/file_appeal"))["statement"] == "职责不属本单位"
    answer = unit.post("/inbox/enter/file_appeal", {"published_row": "R1-1"})
    assert answer.status_code == 400 and "情况说明" in words(read(answer).xpath("//*[@role='alert']")[0])


def test_numbers_that_a_clerk_types_are_masked(house, enter):
    shen = enter("evaluator")
    told = {"feed_code": "h1", "case_no": world.case(4, "")["工单编号"], "reason_code": "statutory_channel"}
    done(shen.post("/inbox/enter/exclude", told | {"reason": "市民13912345678已起诉"}), "exclude")
    [(reason,)] = world.rows(house.city, "select reason from assess.exclusion order by exclusion_id desc limit 1")
    assert "13912345678" not in reason and "已起诉" in reason


def test_a_violation_is_entered_in_the_citys_time(house, enter):
    told = {"unit_code": "U2", "violation_code": "late_handling", "found_at": "2026-10-20T09:30", "reason": "督查通报"}
    done(enter("evaluator").post("/inbox/enter/enter_violation", told), "enter_violation")
    found = world.rows(house.city, "select found_at::text, entered_by from assess.violation")
    assert found == [("2026-10-20 09:30:00+08", "house_shen")]


def test_a_held_batch_is_released_in_place(house, enter):
    batch = world.deliver(house.city, [world.case(40, "城管局")])
    held = "status = 'held', reason_code = 'QUALITY', reason = '行数异常'"
    world.rows(house.city, f"update audit.batch set {held} where batch_id = %s returning 1", batch)
    shen = enter("evaluator")
    form = form_of(read(shen.get("/inbox")), "release_batch", f"batch-{batch}")
    done(shen.post(form.action, fields(form) | {"reason": "已电话核实"}), "release_batch")
    told = world.rows(house.city, "select status from audit.batch where batch_id = %s", batch)
    logged = world.rows(house.city, "select accessed_by, why from audit.access_log where batch_id = %s", batch)
    assert (told, logged) == ([("accepted",)], [("house_shen", "已电话核实")])


def test_a_unit_withdraws_its_appeal(house, enter):
    unit = enter("unit")
    found = explain_release(house.people["unit"], "U1", MONTH)
    row = next(cost.published_row for part in found.indicators for cost in part.costs)
    told = {"published_row": row, "grounds_code": "mis_dispatched", "statement": "错派", "evidence_ref": "x"}
    done(unit.post("/inbox/enter/file_appeal", told), "file_appeal")
    card = read(unit.get("/inbox")).xpath("//section[@id='appeals']/article/@id")[0]
    form = form_of(read(unit.get("/inbox")), "withdraw_appeal", card)
    done(unit.post(form.action, fields(form) | {"reason": "已协商"}), "withdraw_appeal")
    assert not read(unit.get("/inbox")).xpath("//section[@id='appeals']/article")


@pytest.mark.parametrize("group", ["auditor", "bi", "engineer"])
@pytest.mark.parametrize("path", ["/inbox/do/approve", "/inbox/enter/exclude", "/inbox/do/release_batch"])
def test_who_decides_nothing_is_told_so(enter, group, path):
    assert enter(group).post(path, {"batch_id": "1", "reason": "x"}).status_code == 403


@pytest.mark.parametrize(
    "act", ["exclude", "waive", "approve", "decide_appeal", "release_batch", "drop_login", "_call"]
)
def test_a_unit_does_by_hand_nothing_that_it_may_not(house, enter, act):
    """Forms are a help; whoever writes his own request is refused by the database, or there is no such act."""
    unit = enter("unit")
    told = {"batch_id": "1", "reason": "x", "appeal_id": "1", "decision": "granted", "reason_code": "x"}
    told |= {"subject_kind": "appeal", "subject_id": "1", "verdict": "approved"}
    for path in (f"/inbox/do/{act}", f"/inbox/enter/{act}"):
        assert unit.post(path, told).status_code in (400, 403, 404, 405)
    assert not world.rows(house.city, "select from assess.approval where approved_by = 'house_u1'")


def test_a_case_is_reached_by_any_number(house):
    [found] = find_cases(house.people["auditor"], world.case(7, "")["工单编号"])
    assert case_path(found) == f"/cases/h1/{found.case_no}"


HEAD = ["热线代码", "工单编号", "理由类别", "理由"]


def test_several_are_tried_first_and_entered_whole(house, enter):
    """A wrong row is told with its line, and nothing is entered; the page of the trial carries the file on."""
    evaluator = enter("evaluator")
    page = read(evaluator.get("/inbox/enter/exclude"))
    blank = evaluator.get(page.xpath("//a[contains(@href, '/inbox/sheet/')]/@href")[0])
    assert blank.content == blank_sheet("exclude") or len(blank.content) == len(blank_sheet("exclude"))
    good = [["h1", world.case(no, "")["工单编号"], "法定渠道办理", f"另循法定渠道 {no}"] for no in (6, 7)]
    before = world.rows(house.people["auditor"], "select count(*) from assess.exclusion")

    def sent(*rows: list) -> object:
        file = {"file": ("剔除.xlsx", workbook(HEAD, *rows))}
        return evaluator.send("/inbox/several/exclude", files=file, headers={"origin": ORIGIN})

    tried = sent(*good, ["h1", "nobody-told-of-it", "法定渠道办理", "x"], ["h1", good[0][1], "", "x"])
    assert tried.status_code == 400
    told = [[words(cell) for cell in row] for row in read(tried).xpath("//section[1]//tbody/tr")]
    assert told == [["4", "—", "该热线没有这个工单编号"], ["5", "理由类别", "“理由类别”须填写"]]
    assert read(tried).xpath("//form[contains(@action, 'several')]") == []
    tried = sent(*good)
    assert tried.status_code == 200
    assert [words(row[0]) for row in read(tried).xpath("//section//tbody/tr")] == ["2", "3"]
    assert world.rows(house.people["auditor"], "select count(*) from assess.exclusion") == before, (
        "a trial enters nothing"
    )
    form = form_of(read(tried), "several")
    done(evaluator.post(form.action, fields(form)), "exclude")
    entered = world.rows(
        house.people["auditor"], "select reason from assess.exclusion order by exclusion_id desc limit 2"
    )
    assert [reason for (reason,) in entered] == ["另循法定渠道 7", "另循法定渠道 6"]
    again = evaluator.post(form.action, fields(form))
    assert again.status_code == 400 and "同样的内容已剔除" in again.text


def test_what_is_sent_instead_of_a_file_is_told(house, enter):
    evaluator = enter("evaluator")
    for form, told in (
        ({}, "请选择文件"),
        ({"content": "no base64"}, "请选择文件"),
        ({"name": "x.csv", "content": "eA=="}, "第 1 行表头"),
        ({"name": "x.xlsx", "content": "UEsDBA=="}, "不是可读的工作簿"),
        ({"name": "x.xlsx", "content": base64.b64encode(corners()).decode()}, "不是可读的工作簿"),
    ):
        answer = evaluator.post("/inbox/several/exclude", form)
        assert answer.status_code == 400 and told in words(read(answer)), form
    file = {"file": ("big.csv", b"x" * 600_000)}
    answer = evaluator.send("/inbox/several/exclude", files=file, headers={"origin": ORIGIN})
    assert answer.status_code == 400 and "文件至多 500 kB" in answer.text
    assert enter("unit").post("/inbox/several/exclude", {}).status_code == 400
    assert enter("auditor").get("/inbox/sheet/exclude").status_code == 403


def test_who_presses_twice_enters_a_violation_once(house, enter):
    evaluator = enter("evaluator")
    head, row = ["单位代码", "问题类型", "认定时间", "理由"], ["U1", "逾期处置", "2026-10-13 09:00", "督查通报第 9 期"]
    tried = evaluator.send(
        "/inbox/several/enter_violation", files={"file": ("督查.xlsx", workbook(head, row))}, headers={"origin": ORIGIN}
    )
    form = form_of(read(tried), "several")
    done(evaluator.post(form.action, fields(form)), "enter_violation")
    again = evaluator.post(form.action, fields(form))
    assert again.status_code == 400 and "同样的内容已录入，即效能督查认定" in again.text
    standing = "select count(*) from assess.violation where reason = '督查通报第 9 期'"
    assert world.rows(house.people["auditor"], standing) == [(1,)]
