-- A build asks of every touched case whom it was transferred from and what it was merged into. Few cases say either: an
-- index of those alone answers without reading all their rows.
create index case_record_transfer on staging.case_record (feed_code, case_no)
include (upstream_feed_code, upstream_case_no) where upstream_case_no is not null;
create index case_event_merged on staging.case_event (case_feed_code, case_no)
include (result_code) where event_type = 'MERGE';
