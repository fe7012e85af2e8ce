-- What retention deleted. A batch's account stays whole: its staged rows are those in staging and the identical rows
-- here, its rejected rows those in restricted and the rejected rows here.
create table audit.pruned (
    pruned_id bigint generated always as identity primary key,
    batch_id bigint references audit.batch,
    what text not null check (what in ('landed_file', 'rejected_rows', 'identical_rows')),
    rows bigint check (rows > 0),
    source_sha256 text,
    kept_days integer not null,
    pruned_by text not null default session_user,
    pruned_at timestamptz not null default clock_timestamp(),
    constraint a_file_has_a_hash_and_rows_a_number
        check (case when what = 'landed_file' then source_sha256 is not null else batch_id is not null and rows > 0 end)
);
create index pruned_batch on audit.pruned (batch_id);
comment on column audit.pruned.batch_id is 'Null for a landed file that no batch refers to: its load was killed and never run again.';
comment on column audit.pruned.kept_days is 'The retention in force when it was deleted.';
