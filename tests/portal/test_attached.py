"""Attachments on pages and by the API: attached with the act or while it waits, saved as a file, seen by who may."""

import asyncio

import pytest

from minhu.assess.attachments import MOST
from minhu.privacy.access_log import entries
from tests.assess.test_attachments import OFD, PDF, PNG
from tests.portal.conftest import MONTH, ORIGIN
from tests.portal.test_acts import done, fields, form_of
from tests.portal.test_api import Program, key
from tests.portal.test_pages import read, words

__all__ = ["key"]
OURS = {"origin": ORIGIN}


def test_an_appeal_comes_with_its_proof_and_more_is_added_until_it_is_decided(house, enter):
    unit, shen, wu = enter("unit"), enter("evaluator"), enter("auditor")
    page = read(unit.get(f"/units/U1/{MONTH}"))
    link = page.xpath("//a[starts-with(@href, '/inbox/enter/file_appeal')]/@href")[0]
    form = form_of(read(unit.get(link)), "enter/file_appeal")
    assert form.get("enctype") == "multipart/form-data"
    told = {name: value for name, value in fields(form).items() if name != "attachment"}
    told |= {"grounds_code": "mis_dispatched", "statement": "职责不属本单位", "evidence_ref": ""}
    files = [("attachment", ("工单截图.png", PNG)), ("attachment", ("证明.ofd", OFD))]
    answer = unit.send(form.action, data=told, files=files, headers=OURS)
    done(answer, "file_appeal")
    card = read(unit.get("/inbox")).get_element_by_id("appeal-1")
    assert "见附件" in words(card), "who attaches need not say where it is kept"
    first, second = card.xpath(".//a[@class='file']/@href")
    more = form_of(card, "/inbox/attach/appeal/1")
    done(unit.send(more.action, files={"attachment": ("补充.pdf", PDF)}, headers=OURS), "attach")

    taken = shen.get(first)
    assert taken.content == PNG and taken.headers["content-type"] == "application/octet-stream"
    assert taken.headers["content-disposition"].startswith("attachment;")
    assert taken.headers["x-content-type-options"] == "nosniff"
    assert wu.get(second).content == OFD
    assert [one["accessed_by"] for one in entries(house.people["auditor"], subject="attachment")] == [
        "house_shen",
        "house_wu",
    ]
    assert enter("bi").get(first).status_code == 403 and enter("engineer").get(first).status_code == 403

    form = form_of(read(shen.get("/inbox")).get_element_by_id("appeal-1"), "decide_appeal")
    done(shen.post(form.action, fields(form) | {"reason": "证据不足", "decision": "denied"}), "decide_appeal")
    answer = unit.send("/inbox/attach/appeal/1", files={"attachment": ("迟.pdf", PDF + b"1")}, headers=OURS)
    assert answer.status_code == 400 and "已有裁定" in answer.text
    page = read(unit.get("/inbox"))
    assert not page.xpath("//form[contains(@action, '/inbox/attach/')]") and page.xpath(f"//a[@href='{first}']")


def test_what_is_no_document_is_refused_and_nothing_is_entered(house, enter):
    unit = enter("unit")
    told = {
        "grounds_code": "mis_dispatched",
        "statement": "职责不属本单位",
        "evidence_ref": "x",
        "published_row": "R1-2",
    }
    before = words(read(unit.get("/inbox")).get_element_by_id("appeals"))
    files = {"attachment": ("证明.pdf", b"MZ\x90\x00 not a document")}
    answer = unit.send("/inbox/enter/file_appeal", data=told, files=files, headers=OURS)
    assert answer.status_code == 400 and "以内容为准" in answer.text and "职责不属本单位" in answer.text
    assert words(read(unit.get("/inbox")).get_element_by_id("appeals")) == before


def test_more_than_a_form_may_bring_is_refused_before_it_is_read(enter):
    unit = enter("unit")
    files = {"attachment": ("a.pdf", PDF + bytes(3 * MOST + 20_000))}
    assert unit.send("/inbox/enter/file_appeal", data={}, files=files, headers=OURS).status_code == 413
    assert unit.send("/inbox/attach/appeal/1", files=files, headers=OURS).status_code == 413


@pytest.mark.parametrize("path", ["/inbox/attach/closing/1", "/inbox/attach/appeal/999"])
def test_to_nothing_else_is_anything_attached(enter, path):
    answer = enter("unit").send(path, files={"attachment": ("a.pdf", PDF)}, headers=OURS)
    assert answer.status_code == 400


def test_nobody_without_a_key_has_a_body_read(house):
    async def endless():
        raise AssertionError("it was read")
        yield b""

    stranger = Program(house, "unit.guessed")
    answer = stranger.ask("/attachments/appeal/1?name=a", "POST", content=endless())
    assert answer.status_code == 401


def test_another_site_has_nothing_attached(enter):
    files = {"attachment": ("a.pdf", PDF)}
    answer = enter("unit").send("/inbox/attach/appeal/1", files=files, headers={"origin": "https://evil.example"})
    assert answer.status_code == 403


def test_programs_attach_list_and_take(house, key):
    program: Program = key("evaluator", may_decide=True)
    given = {"feed_code": "h1", "case_no": "330100202610100007", "reason_code": "statutory_channel", "reason": "诉讼"}
    made = program.ask("/decisions/exclude", "POST", json={"fields": given}).json()["number"]
    answer = program.ask(f"/attachments/exclusion/{made}?name=a.pdf", "POST", content=PDF)
    assert answer.status_code == 201, answer.text
    number = answer.json()["number"]
    [one] = program.ask(f"/attachments/exclusion/{made}").json()["items"]
    assert (one["attachment_id"], one["media_type"], one["bytes"]) == (number, "application/pdf", len(PDF))
    assert program.ask(f"/attachments/{number}").content == PDF
    assert key("unit").ask(f"/attachments/exclusion/{made}").json()["items"] == []
    assert key("unit", may_decide=True).ask(f"/attachments/{number}").status_code == 400
    assert key("auditor").ask(f"/attachments/{number}").status_code in (400, 403), "a key that only reads logs nothing"
    assert key("bi").ask(f"/attachments/exclusion/{made}").status_code in (400, 403)
    assert program.ask(f"/attachments/exclusion/{made}?name=a.pdf", "POST", content=b"MZ").status_code == 400

    async def endless():
        for _ in range(10_000):
            yield bytes(65536)
        raise AssertionError("all of it was read")

    answer = asyncio.run(
        program._ask("POST", f"/api/v1/attachments/exclusion/{made}?name=a", headers=program._key, content=endless())
    )
    assert answer.status_code == 413
