-- Which backups were taken: whoever keeps the house is told when there is none of the last day. A backup holds the rows
-- of those before it.
create table audit.backup (
    backup_id bigint generated always as identity primary key,
    kind text not null check (kind in ('base', 'dump')),
    folder text not null,
    bytes bigint not null,
    taken_at timestamptz not null,
    finished_at timestamptz not null default clock_timestamp()
);
comment on table audit.backup is '备份记录：何时、存于何处、多大';
