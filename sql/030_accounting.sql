-- What stands for a delivery's content: the bytes' sha256, or for an API pull that of its canonical rows.
alter table audit.batch add column content_sha256 text;
drop index audit.batch_identity;
create unique index batch_identity
    on audit.batch (feed_code, delivery, business_date, (coalesce(content_sha256, source_sha256)))
    where status not in ('refused', 'superseded');

-- Where an incremental source goes on: written in the transaction that commits the batch, never before.
create table audit.source_cursor (
    feed_code text not null,
    delivery text not null,
    cursor_value text not null,
    batch_id bigint not null references audit.batch,
    written_at timestamptz not null default clock_timestamp(),
    primary key (feed_code, delivery)
);

-- A sender's word that a record is gone. The tombstone is a version of the record like any other.
alter table staging.case_record add column is_deleted boolean not null default false;
alter table staging.case_event add column is_deleted boolean not null default false;
alter table staging.callback add column is_deleted boolean not null default false;

-- Who read citizens' data as it was sent: landed files and rejected rows. Written before the answer is given.
create table audit.access_log (
    access_id bigint generated always as identity primary key,
    accessed_by text not null default session_user,
    accessed_at timestamptz not null default clock_timestamp(),
    subject text not null check (subject in ('landed_file', 'rejected_rows')),
    batch_id bigint not null references audit.batch,
    why text not null check (btrim(why) <> '')
);
