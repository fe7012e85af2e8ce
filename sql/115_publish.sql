-- What was published, for good. A period is closed (its numbers and what they rest on are frozen), approved by another
-- login, then published as a release: rows that nobody changes or deletes, chained by hashes so that a change by
-- whoever can is seen. A correction is another release of the same period, with the next revision.

-- Canonical text of a value: members sorted by name in byte order, those that are null left out (a column added later
-- changes no hash), numbers without trailing zeros, text as JSON writes it. Moments are UTC because the functions that
-- make jsonb of rows run in that time zone. `minhu/publish/` says the same in Python.
create function publish.canonical(given jsonb) returns text
language plpgsql immutable set search_path = pg_catalog, pg_temp as $$
declare
    kind text := jsonb_typeof(given);
begin
    if kind = 'object' then
        return '{' || coalesce((
            select string_agg(
                to_json(key)::text || ':' || case jsonb_typeof(value)
                    when 'object' then publish.canonical(value)
                    when 'array' then publish.canonical(value)
                    when 'number' then trim_scale(value::numeric)::text
                    else value::text
                end,
                ',' order by key collate "C"
            )
            from jsonb_each(given)
            where jsonb_typeof(value) <> 'null'
        ), '') || '}';
    elsif kind = 'array' then
        return '[' || coalesce((
            select string_agg(publish.canonical(value), ',' order by no)
            from jsonb_array_elements(given) with ordinality as listed (value, no)
        ), '') || ']';
    elsif kind = 'number' then
        return trim_scale(given::numeric)::text;
    end if;
    return given::text;
end
$$;

create function publish.digest(given text) returns text
language sql immutable set search_path = pg_catalog, pg_temp as $$
    select encode(sha256(convert_to(given, 'UTF8')), 'hex')
$$;

-- A chain of hashes: each is over the one before it, a line feed and the canonical text of its row.
create function publish.link(chain text, before_first text, canonical text) returns text
language sql immutable set search_path = pg_catalog, pg_temp as $$
    select encode(sha256(convert_to(coalesce(chain, before_first) || chr(10) || canonical, 'UTF8')), 'hex')
$$;
create aggregate publish.chain (before_first text, canonical text)(sfunc = publish.link, stype = text);

create function publish.hash_before_the_first() returns text
language sql immutable set search_path = pg_catalog, pg_temp as $$
    select repeat('0', 64)
$$;

create table publish.closing (
    closing_id bigint generated always as identity primary key,
    scheme_id text not null,
    scheme_version text not null,
    period text not null,
    revision integer not null check (revision > 0),
    base_release_id bigint,
    is_early boolean not null,
    why text,
    starts_at timestamptz not null,
    ends_at timestamptz not null,
    as_of timestamptz not null,
    build_id bigint not null references audit.build,
    config_version bigint not null references config.version,
    quality_run_id bigint not null references audit.quality_run,
    inputs jsonb not null,
    input_fingerprint text not null,
    frozen_rows bigint not null,
    content_hash text not null,
    closed_by text not null default session_user,
    closed_at timestamptz not null default clock_timestamp(),
    constraint a_revision_has_a_base_and_a_reason
    check ((revision = 1) = (base_release_id is null) and (revision = 1 or btrim(coalesce(why, '')) <> ''))
);
comment on table publish.closing is '关账：冻结的周期、结果与输入指纹，等待他人审批';
comment on column publish.closing.as_of is 'Lateness was judged as of this moment.';
comment on column publish.closing.inputs is
'What the numbers rest on: batches, decisions, points, scheme, configuration, code.';
comment on column publish.closing.input_fingerprint is 'sha256 of the canonical text of inputs.';
comment on column publish.closing.content_hash is 'Last hash of the chain over the frozen rows: what is approved.';

create table publish.frozen_row (
    closing_id bigint not null references publish.closing deferrable initially deferred,
    row_no bigint not null,
    kind text not null check (kind in ('unit_score', 'unit_indicator', 'evidence')),
    data jsonb not null,
    primary key (closing_id, row_no)
);
comment on table publish.frozen_row is '关账时冻结的行，审批通过后原样发布';

create table publish.release (
    release_id bigint generated always as identity primary key,
    closing_id bigint not null unique references publish.closing,
    scheme_id text not null,
    scheme_version text not null,
    period text not null,
    revision integer not null check (revision > 0),
    is_early boolean not null,
    why text,
    starts_at timestamptz not null,
    ends_at timestamptz not null,
    as_of timestamptz not null,
    build_id bigint not null,
    config_version bigint not null,
    inputs jsonb not null,
    input_fingerprint text not null,
    content_hash text not null,
    row_count bigint not null,
    closed_by text not null,
    closed_at timestamptz not null,
    approval_id bigint not null references assess.approval,
    approved_by text not null,
    approved_at timestamptz not null,
    published_by text not null,
    published_at timestamptz not null,
    previous_hash text not null,
    hash text not null,
    unique (scheme_id, period, revision),
    constraint approved_by_another_person check (approved_by <> closed_by)
);
comment on table publish.release is '发布：每个周期每次修订一行';
comment on column publish.release.previous_hash is
'hash of the release before this one, of whatever period; zeros for the first.';
comment on column publish.release.hash is 'Over the release and, by the last row''s hash, over all its rows.';

-- The columns of mart, whatever they are: a number that is published is the number that was scored. Rows name the
-- release they are of; the release is written after them, since its hash covers theirs.
create table publish.unit_score (
    release_id bigint not null references publish.release deferrable initially deferred,
    row_no bigint not null,
    revision integer not null,
    like mart.fct_unit_score,
    previous_hash text not null,
    hash text not null,
    primary key (release_id, row_no),
    unique (release_id, unit_code)
);
comment on table publish.unit_score is '已发布的单位得分';

create table publish.unit_indicator (
    release_id bigint not null references publish.release deferrable initially deferred,
    row_no bigint not null,
    revision integer not null,
    like mart.fct_unit_indicator,
    previous_hash text not null,
    hash text not null,
    primary key (release_id, row_no),
    unique (release_id, unit_code, indicator_code)
);
comment on table publish.unit_indicator is '已发布的单位指标';

-- Rows that cost points or count for nobody. The first revision holds all of them, a later one what came and what went.
create table publish.evidence (
    release_id bigint not null references publish.release deferrable initially deferred,
    row_no bigint not null,
    revision integer not null,
    change text not null check (change in ('added', 'removed')),
    like mart.fct_evidence,
    previous_hash text not null,
    hash text not null,
    primary key (release_id, row_no),
    unique (release_id, unit_code, indicator_code, subject_kind, subject_id, change)
);
create index evidence_subject on publish.evidence (
    scheme_id, period, unit_code, indicator_code, subject_kind, subject_id, revision
);
-- What was published about one case, whatever the period.
create index evidence_case on publish.evidence (case_id);
comment on table publish.evidence is '已发布的证据：扣分与剔除的明细；修订只存增减';

-- The evidence of every release, whole.
create view publish.evidence_of_release with (security_invoker = true) as
select
    newest.release_id,
    newest.scheme_id,
    newest.scheme_version,
    newest.period,
    newest.revision,
    newest.unit_code,
    newest.indicator_code,
    newest.subject_kind,
    newest.subject_id,
    newest.case_id,
    newest.assignment_id,
    newest.callback_id,
    newest.numerator_value,
    newest.denominator_value,
    newest.excluded_reason,
    newest.due_at,
    newest.occurred_at
from (
    select distinct on (release.release_id, told.unit_code, told.indicator_code, told.subject_kind, told.subject_id)
        release.release_id,
        release.scheme_id,
        release.scheme_version,
        release.period,
        release.revision,
        told.change,
        told.unit_code,
        told.indicator_code,
        told.subject_kind,
        told.subject_id,
        told.case_id,
        told.assignment_id,
        told.callback_id,
        told.numerator_value,
        told.denominator_value,
        told.excluded_reason,
        told.due_at,
        told.occurred_at
    from publish.release
    inner join publish.evidence as told
        on
            release.scheme_id = told.scheme_id
            and release.period = told.period
            and told.revision <= release.revision  -- noqa: ST09
    order by
        release.release_id asc,
        told.unit_code asc,
        told.indicator_code asc,
        told.subject_kind asc,
        told.subject_id asc,
        told.revision desc,
        told.change asc  -- a row that changed is removed and added by one revision
) as newest
where newest.change = 'added';
comment on view publish.evidence_of_release is '每次发布的完整证据（由各次修订的增减还原）';
grant select on publish.evidence_of_release to minhu_bi, minhu_unit, minhu_evaluator, minhu_auditor;

-- Three walls against a change: nobody has the privilege, a trigger refuses it to the owner too, and row security knows
-- no update and no delete. Whoever can take all three down is seen by `minhu verify`.
create function publish.refuse_change() returns trigger language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
    raise exception '%.% is append-only: a correction is a new revision', tg_table_schema, tg_table_name;
end
$$;

create function publish.stamp_closing() returns trigger language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
    new.closed_by := session_user;
    new.closed_at := clock_timestamp();
    return new;
end
$$;
create trigger stamp before insert on publish.closing for each row execute function publish.stamp_closing();

do $$
declare
    name text;
begin
    foreach name in array array['closing', 'frozen_row', 'release', 'unit_score', 'unit_indicator', 'evidence'] loop
        execute format(
            'create trigger append_only before update or delete or truncate on publish.%I'
            ' for each statement execute function publish.refuse_change()', name
        );
        execute format('alter table publish.%I enable row level security', name);
        execute format('alter table publish.%I force row level security', name);
        execute format('create policy written_by_the_acts on publish.%I for insert to current_user with check (true)', name);
        execute format('create policy read_by_the_acts on publish.%I for select to current_user using (true)', name);
        execute format('grant select on publish.%I to minhu_evaluator, minhu_auditor', name);
        execute format(
            'create policy read_by_assessors on publish.%I for select to minhu_evaluator, minhu_auditor using (true)', name
        );
        if name not in ('closing', 'frozen_row') then
            execute format('grant select on publish.%I to minhu_bi, minhu_unit', name);
            execute format('create policy read_by_tools on publish.%I for select to minhu_bi using (true)', name);
        end if;
    end loop;
end
$$;

create policy read_by_units on publish.release for select to minhu_unit using (true);
create policy read_by_units on publish.unit_score for select to minhu_unit using (true);
create policy read_by_units on publish.unit_indicator for select to minhu_unit using (true);
-- A unit sees the results of all, and the cases behind its own.
create policy read_by_units on publish.evidence for select to minhu_unit
using (unit_code in (select own from assess.own_units() as own));

revoke execute on all functions in schema publish from public;
