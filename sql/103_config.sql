-- Configuration reaches SQL as versioned rows: an entry is valid from since_version until before until_version.
-- One generic table, so that a new kind of configuration needs no migration; dbt's stg_ models give the entries types.
create table config.version (
    config_version bigint generated always as identity primary key,
    city text not null,
    sha256 text not null,
    loaded_at timestamptz not null default clock_timestamp(),
    loaded_by text not null default session_user
);
comment on column config.version.city is 'The city the warehouse belongs to; another city''s configuration is refused.';

create table config.entry (
    kind text not null,
    key text not null,
    data jsonb not null,
    since_version bigint not null references config.version,
    until_version bigint references config.version,
    primary key (kind, key, since_version),
    check (until_version > since_version)
);
create unique index entry_current on config.entry (kind, key) where until_version is null;
comment on table config.entry is
'kind: feed, delivery, unit, unit_name, calendar_day, limit_rule, category, area, scheme';

-- Who pulls scores explains and exports them too: by the scheme's text, as auditors do.
grant select on config.version, config.entry to minhu_evaluator, minhu_auditor;
