-- What a build works on. Unlogged: a crash empties it, and the next build works it out again.
create unlogged table build.touched_case (
    case_id text primary key,
    feed_code text not null,
    case_no text not null,
    is_rebuilt boolean not null
);
comment on table build.touched_case is
'Cases whose facts are built anew, and those only read beside them (the same caller''s earlier cases).';

-- The links and neighbours by which one case touches another.
create index case_record_caller on staging.case_record (caller_token, received_at) where caller_token is not null;
create index case_event_merge on staging.case_event (case_feed_code, result_code) where event_type = 'MERGE';
create index fct_case_merged on mart.fct_case (merged_into_case_id) where merged_into_case_id is not null;
