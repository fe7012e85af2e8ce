"""What is attached: known by its bytes, taken by who may, logged first, gone when its time is over; nobody else's."""

import io
import zipfile
from datetime import timedelta

import pytest

from minhu import assess, database
from minhu.assess.attachments import MOST, media_type
from minhu.errors import Refused
from minhu.load.prune import prune
from minhu.privacy.access_log import entries
from tests.publish import city as world

PDF = b"%PDF-1.7\n1 0 obj<<>>endobj\n%%EOF"
PNG = b"\x89PNG\r\n\x1a\n" + bytes(20)
JPG = b"\xff\xd8\xff\xe0" + bytes(20)


def zipped(*names: str) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as inside:
        for name in names:
            inside.writestr(name, "<x/>")
    return made.getvalue()


OFD = zipped("OFD.xml", "Doc_0/Document.xml")


@pytest.mark.parametrize(
    ("content", "kind"),
    [(PDF, "application/pdf"), (PNG, "image/png"), (JPG, "image/jpeg"), (OFD, "application/ofd")],
    ids=["pdf", "png", "jpg", "ofd"],
)
def test_a_kind_is_known_by_its_bytes(content, kind):
    assert media_type(content) == kind


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"MZ\x90\x00",
        b"<html><script>",
        b"\x7fELF",
        zipped("xl/workbook.xml"),
        zipped("a/OFD.xml"),
        b"PK\x03\x04OFD.xml",
        OFD[:-30],
        b" %PDF-1.7",
    ],
)
def test_what_is_none_of_them_is_refused(content):
    with pytest.raises(Refused, match="by its bytes"):
        media_type(content)


def test_a_zip_that_lists_more_than_there_is_room_for_is_refused_unread():
    """A million names in ten megabytes: nothing lists them all."""
    claims = bytearray(OFD)
    end = claims.rfind(b"PK\x05\x06")
    claims[end + 12 : end + 16] = (9 << 20).to_bytes(4, "little")
    with pytest.raises(Refused, match="by its bytes"):
        media_type(bytes(claims))


CASES = range(1, 31)


@pytest.fixture(scope="module")
def city(scratch, tmp_path_factory):
    rows = [world.case(number, "城管局", **world.IN_TIME) for number in CASES]
    return world.make(scratch, tmp_path_factory.mktemp("attached"), rows)


@pytest.fixture(scope="module")
def people(city):
    return {
        "unit": world.login(city, "att_u1", "unit", unit="U1"),
        "other": world.login(city, "att_u2", "unit", unit="U2"),
        "evaluator": world.login(city, "att_shen", "evaluator"),
        "second": world.login(city, "att_zhou", "evaluator"),
        "third": world.login(city, "att_lu", "evaluator"),
        "auditor": world.login(city, "att_wu", "auditor"),
    }


_NEXT = iter(CASES)


@pytest.fixture
def appeal(people) -> int:
    given = {"period": "2026-10", "feed_code": "h1", "case_no": world.case(next(_NEXT), "")["工单编号"]}
    given |= {"grounds_code": "mis_dispatched", "statement": "不属本单位", "evidence_ref": "见附件", "unit_code": "U1"}
    return assess.record(people["evaluator"], "file_appeal", **given)


def attach(who, kind, number, content=PDF, name="证明.pdf"):
    return assess.attach(who, kind, number, [(name, content)])[0]


def test_who_may_reads_it_and_it_is_logged_before(people, appeal):
    number = attach(people["unit"], "appeal", appeal)
    for who in ("unit", "evaluator", "auditor"):
        before = len(entries(people["auditor"], subject="attachment"))
        name, content = assess.take(people[who], number)
        assert content == PDF and name.endswith(".pdf")
        [*_, last] = logged = entries(people["auditor"], subject="attachment")
        assert len(logged) == before + 1
        assert (last["act_id"], last["about"]) == (number, f"appeal {appeal}") and last["accessed_by"].startswith(
            "att_"
        )
    assert assess.attachments(people["other"], [("appeal", appeal)]) == []
    with pytest.raises(Refused, match="no attachment"):
        assess.take(people["other"], number)


def test_another_unit_attaches_nothing_to_it(people, appeal):
    with pytest.raises(Refused, match="that you may attach to"):
        attach(people["other"], "appeal", appeal)
    with pytest.raises(Refused):
        attach(people["auditor"], "appeal", appeal)


def test_the_same_bytes_are_one_and_ten_are_enough(people, appeal):
    first = attach(people["unit"], "appeal", appeal)
    assert attach(people["unit"], "appeal", appeal, name="again.pdf") == first
    for number in range(9):
        attach(people["unit"], "appeal", appeal, PDF + bytes([number]))
    with pytest.raises(Refused, match="ten attachments"):
        attach(people["unit"], "appeal", appeal, PDF + b"x")


def test_several_are_attached_together_or_none(people, appeal):
    with pytest.raises(Refused, match="by its bytes"):
        assess.attach(people["unit"], "appeal", appeal, [("a.pdf", PDF), ("b.pdf", b"MZ")])
    assert assess.attachments(people["unit"], [("appeal", appeal)]) == []


def test_what_is_too_large_is_refused(people, appeal):
    with pytest.raises(Refused, match="up to 10 MB"):
        attach(people["unit"], "appeal", appeal, PDF + bytes(MOST))


def test_an_act_and_what_is_attached_to_it_stand_together(people):
    given = {"feed_code": "h1", "case_no": world.case(29, "")["工单编号"], "reason_code": "statutory_channel"}
    given |= {"reason": "已进入诉讼程序"}
    before = len(assess.listing(people["evaluator"], "exclusions"))
    with pytest.raises(Refused):
        assess.record_attached(people["evaluator"], "exclude", given, [("a.exe", b"MZ")])
    assert len(assess.listing(people["evaluator"], "exclusions")) == before
    number = assess.record_attached(people["evaluator"], "exclude", given, [("a.pdf", PDF)])
    [one] = assess.attachments(people["auditor"], [("exclusion", number)])
    assert (one.bytes, one.added_by, one.unit_code) == (len(PDF), "att_shen", None)
    assess.record(
        people["second"], "approve", subject_kind="exclusion", subject_id=str(number), verdict="approved", reason="核实"
    )
    with pytest.raises(Refused, match="is decided"):
        attach(people["evaluator"], "exclusion", number, PNG, "b.png")
    with pytest.raises(Refused, match="that you may attach to"):
        attach(people["evaluator"], "exclusion", 999)


def test_what_should_not_be_there_goes_and_that_it_was_there_stays(people, appeal):
    number = attach(people["unit"], "appeal", appeal)
    with pytest.raises(Refused):
        assess.detach(people["other"], number, "误附")
    with pytest.raises(Refused, match="why it is removed"):
        assess.detach(people["unit"], number, " ")
    assess.detach(people["unit"], number, "误附，机主 13800001111")
    [one] = assess.attachments(people["auditor"], [("appeal", appeal)])
    assert one.removed_by == "att_u1" and "13800001111" not in one.removed_why
    with pytest.raises(Refused, match="gone already"):
        assess.take(people["evaluator"], number)


def test_what_a_verdict_rests_on_is_removed_by_an_auditor_alone(people, appeal):
    number = attach(people["unit"], "appeal", appeal)
    with pytest.raises(Refused, match="that you may remove"):
        assess.detach(people["evaluator"], number, "不需要")
    given = {"appeal_id": appeal, "reason_code": "mis_dispatched", "reason": "证据不足"}
    assess.record(people["second"], "decide_appeal", decision="denied", **given)
    for who in ("unit", "evaluator"):
        with pytest.raises(Refused, match="remove"):
            assess.detach(people[who], number, "误附")
    assert assess.detach(people["auditor"], number, "内有他人信息") == number


def test_an_appeal_whose_grant_was_rejected_is_open_for_more(people, appeal):
    given = {"appeal_id": appeal, "reason_code": "mis_dispatched", "reason": "属实", "decision": "granted"}
    assess.record(people["second"], "decide_appeal", **given)
    with pytest.raises(Refused, match="is decided"):
        attach(people["unit"], "appeal", appeal)
    verdict = {"subject_kind": "appeal", "subject_id": str(appeal), "verdict": "rejected", "reason": "不属实"}
    assess.record(people["third"], "approve", **verdict)
    assert attach(people["unit"], "appeal", appeal)


def test_a_name_says_nothing_of_a_citizen(people, appeal):
    number = attach(people["unit"], "appeal", appeal, name="C:\\scans\\王小明投诉 13800001111.pdf")
    [one] = assess.attachments(people["unit"], [("appeal", appeal)])
    assert one.attachment_id == number and "王小明" not in one.name and "13800001111" not in one.name


def test_a_number_of_a_reading_serves_its_reader_alone_and_not_the_same_transaction(people, appeal):
    number = attach(people["unit"], "appeal", appeal)
    with database.connect(people["evaluator"]) as connection:
        asked = database.act(connection, "assess.ask_for_attachment", {"attachment_id": number})
        with pytest.raises(Exception, match="nothing was asked for"):
            connection.execute("select * from assess.read_attachment(%s)", [asked])
        connection.rollback()
    with database.connect(people["evaluator"]) as connection:
        asked = database.act(connection, "assess.ask_for_attachment", {"attachment_id": number})
    with database.connect(people["second"]) as connection, pytest.raises(Exception, match="nothing was asked for"):
        connection.execute("select * from assess.read_attachment(%s)", [asked])


@pytest.mark.parametrize("who", ["unit", "other", "evaluator", "auditor"])
def test_nobody_reads_the_bytes_past_the_log(people, who):
    with database.connect(people[who]) as connection, pytest.raises(Exception, match="permission denied"):
        connection.execute("select * from restricted.attachment_content")


def test_retention_takes_the_content_of_what_is_decided(city, people, appeal):
    waits = attach(people["unit"], "appeal", appeal)
    given = {"feed_code": "h1", "case_no": world.case(30, "")["工单编号"], "reason_code": "statutory_channel"}
    decided = assess.record_attached(people["evaluator"], "exclude", given | {"reason": "诉讼"}, [("a.pdf", PDF)])
    assess.record(
        people["second"], "approve", subject_kind="exclusion", subject_id=str(decided), verdict="rejected", reason="无"
    )
    file = city.config / "city.yml"
    file.write_text(f"{file.read_text(encoding='utf-8')}retention: {{attachment_days: 30}}\n", encoding="utf-8")
    with database.connect(city) as owner:
        owner.execute("alter table assess.attachment disable trigger append_only")
        owner.execute("update assess.attachment set added_at = added_at - %s", [timedelta(days=31)])
        owner.execute("alter table assess.attachment enable trigger append_only")
    found = [one for one in prune(city, dry_run=True) if one.what == "attachment"]
    assert found == [one for one in prune(city) if one.what == "attachment"] and found[0].kept_days == 30
    assert not [one for one in prune(city) if one.what == "attachment"]
    [gone] = assess.attachments(people["auditor"], [("exclusion", decided)])
    assert gone.removed_why == "kept for 30 days"
    assert assess.take(people["auditor"], waits)[1] == PDF, "what waits for a verdict stays"
