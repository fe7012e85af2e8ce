"""What auditors pull: data quality of feeds, the trace of a case, samples, the monthly report, the access log.

Nothing here shows what citizens wrote or who they are: no title, text, address, number or note, and no free text of
people who decided. Case numbers, codes, times, files and lines do. What opens more lies in other rooms and logs it
first.
"""

SUBJECTS = {
    "landed_file": "读取落地文件",
    "rejected_rows": "读取拒收行",
    "frequent_callers": "查询高频来电人",
    "export": "导出",
    "batch_release": "放行批次",
    "waiver": "豁免",
    "waiver_revocation": "撤销豁免",
    "closing": "关账",
    "revision": "修订关账",
    "approval": "审批",
    "publication": "发布",
}
"""What the access log tells of."""
