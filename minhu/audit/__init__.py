"""What auditors pull: data quality of feeds, the trace of a case, samples, the monthly report, the access log.

Nothing here shows what citizens wrote or who they are: no title, text, address, number or note, and no free text of
people who decided. Case numbers, codes, times, files and lines do. What opens more lies elsewhere, and logs it first.
"""
