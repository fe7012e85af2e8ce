-- An appeal starts from what was published: a row of the list of lost points, by its number, or the case that it is on.
-- Its period is one in which that row counted; it is filed within a window that runs from the publication of the row,
-- and a grant names a revision that is still to be published, which then holds it. Whoever files, unit, evaluator or
-- portal, goes through assess.file_appeal. A number is taken by a row that stands: what is refused uses none.

-- Numbers without gaps: acts come one after the other, so that the next is the last and one.
create function assess.take_number() returns trigger language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    following bigint;
begin
    perform audit.hold('minhu:assess');
    execute format('select coalesce(max(%I), 0) + 1 from assess.%I', tg_argv[0], tg_table_name) into following;
    return jsonb_populate_record(new, jsonb_build_object(tg_argv[0], following));
end
$$;

do $$
declare
    numbered record;
begin
    for numbered in
        select
            pg_class.relname as of_table,
            pg_attribute.attname as of_column
        from pg_attribute
        inner join pg_class on pg_attribute.attrelid = pg_class.oid
        where
            pg_class.relnamespace = 'assess'::regnamespace
            and pg_attribute.attidentity = 'a'
            and pg_class.relname in (
                'appeal', 'appeal_decision', 'exclusion', 'violation', 'manual_point', 'approval', 'waiver'
            )
    loop
        execute format('alter table assess.%I alter column %I drop identity', numbered.of_table, numbered.of_column);
        execute format(
            'create trigger number before insert on assess.%I for each row execute function assess.take_number(%L)',
            numbered.of_table, numbered.of_column
        );
    end loop;
end
$$;

-- Closings and releases likewise: who closes or publishes holds the lock of both already.
do $$
declare
    act record;
    mended integer := 0;
begin
    for act in
        select pg_get_functiondef(pg_proc.oid) as told
        from pg_proc
        where
            pg_proc.pronamespace = 'publish'::regnamespace
            and pg_proc.prosrc ~ 'nextval\(pg_get_serial_sequence\(''publish\.(closing|release)'
    loop
        execute regexp_replace(
            act.told, 'nextval\(pg_get_serial_sequence\(''publish\.(closing|release)'', ''\w+''\)\)',
            '(select coalesce(max(last.\1_id), 0) + 1 from publish.\1 as last)'
        );
        mended := mended + 1;
    end loop;
    if mended <> 2 then
        raise exception '% acts, not 2: these are not the ones that this migration knows', mended;
    end if;
end
$$;

-- Every row that a release shows, by the number under which it was first told: its release, and its place there. A row
-- that stays keeps its number through later revisions, also where it is worth more or less because others moved.
create view publish.row_of_release with (security_invoker = true) as
with added as (
    select
        told.release_id,
        told.row_no,
        told.scheme_id,
        told.period,
        told.revision,
        told.unit_code,
        told.indicator_code,
        told.subject_kind,
        told.subject_id,
        not exists (
            select from publish.evidence as was
            where
                was.release_id = told.release_id
                and was.unit_code = told.unit_code
                and was.indicator_code = told.indicator_code
                and was.subject_kind = told.subject_kind
                and was.subject_id = told.subject_id
                and was.change = 'removed'
                and (
                    was.case_id, was.assignment_id, was.callback_id, was.numerator_value, was.denominator_value,
                    was.excluded_reason, was.due_at, was.occurred_at
                ) is not distinct from (
                    told.case_id, told.assignment_id, told.callback_id, told.numerator_value, told.denominator_value,
                    told.excluded_reason, told.due_at, told.occurred_at
                )
        ) as is_new
    from publish.evidence as told
    where told.change = 'added'
),

runs as (
    select
        added.*,
        count(*) filter (where added.is_new) over (
            partition by
                added.scheme_id, added.period, added.unit_code, added.indicator_code, added.subject_kind,
                added.subject_id
            order by added.revision
        ) as run
    from added
),

numbered as (
    select
        runs.*,
        first_value(runs.release_id) over of_run as told_in,
        first_value(runs.row_no) over of_run as told_as
    from runs
    window of_run as (
        partition by
            runs.scheme_id, runs.period, runs.unit_code, runs.indicator_code, runs.subject_kind, runs.subject_id,
            runs.run
        order by runs.revision
    )
),

newest as (
    select distinct on (release.release_id, told.unit_code, told.indicator_code, told.subject_kind, told.subject_id)
        release.release_id,
        told.release_id as stands_in,
        told.row_no,
        told.change,
        told.unit_code,
        told.indicator_code,
        told.subject_kind,
        told.subject_id
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
        told.change asc
)

select
    newest.release_id,
    newest.unit_code,
    newest.indicator_code,
    newest.subject_kind,
    newest.subject_id,
    'R' || numbered.told_in || '-' || numbered.told_as as published_row,
    numbered.told_in
from newest
inner join numbered
    on
        newest.stands_in = numbered.release_id
        and newest.row_no = numbered.row_no
        and newest.unit_code = numbered.unit_code
where newest.change = 'added';
comment on view publish.row_of_release is '每次发布的扣分明细的编号（明细号）';
comment on column publish.row_of_release.published_row is
'明细号, as R3-117: release and row in which it was first told. By its letter no spreadsheet takes it for a date.';
comment on column publish.row_of_release.told_in is 'The release that first told it as it is.';
grant select on publish.row_of_release to minhu_bi, minhu_unit, minhu_evaluator, minhu_auditor;

alter table assess.appeal add column published_rows text[];
comment on column assess.appeal.published_rows is
'The rows of the published result that it starts from (明细号); null: filed before the publication.';

-- Terms, by date: for filing the entry in force on the day of publication holds, for deciding that of the filing.
create function assess.term_of_appeals(what text, from_at timestamptz) returns timestamptz
language sql stable set search_path = pg_catalog, pg_temp as $$
    select (min(last_day.date_on) + 1)::timestamp at time zone mart.city_zone()
    from (
        select entry.data
        from config.entry
        where
            entry.kind = 'appeal_term'
            and entry.until_version is null
            and (entry.data ->> 'valid_from')::date <= (from_at at time zone mart.city_zone())::date
        order by (entry.data ->> 'valid_from')::date desc
        limit 1
    ) as terms
    inner join mart.dim_date as first_day
        on first_day.date_on = (from_at at time zone mart.city_zone())::date
    inner join mart.dim_date as last_day
        on last_day.workday_no = first_day.workday_no + (terms.data ->> what)::integer
$$;
comment on function assess.term_of_appeals(text, timestamptz) is
'24:00 of the last working day of appeal_file_workdays or appeal_decide_workdays; null where the city declares none.';
drop function assess.term_of_appeals();

create function assess.days_of(period text) returns daterange
language sql immutable set search_path = pg_catalog, pg_temp as $$
    select
        case
            when days_of.period ~ '^[0-9]{4}-[0-9]{2}$'
                then daterange(
                    to_date(days_of.period, 'YYYY-MM'), (to_date(days_of.period, 'YYYY-MM') + interval '1 month')::date
                )
            when days_of.period ~ '^[0-9]{4}-Q[1-4]$'
                then daterange(
                    make_date(left(days_of.period, 4)::integer, right(days_of.period, 1)::integer * 3 - 2, 1),
                    (
                        make_date(left(days_of.period, 4)::integer, right(days_of.period, 1)::integer * 3 - 2, 1)
                        + interval '3 months'
                    )::date
                )
            when days_of.period ~ '^[0-9]{4}$'
                then daterange(
                    make_date(days_of.period::integer, 1, 1), make_date(days_of.period::integer + 1, 1, 1)
                )
        end
$$;
comment on function assess.days_of is 'The days of a month, quarter or year, as minhu/schemes/period.py writes them.';

-- Whether anything that a scheme may count of a case, or of one assignment of it, lies within. Both ends belong to it:
-- a limit at 24:00 of the last day is one of that day.
create function mart.counts_within(
    of_root text, of_assignment text, starts_at timestamptz, ends_at timestamptz
) returns boolean
language sql stable set search_path = pg_catalog, pg_temp as $$
    select
        exists (
            select from mart.fct_timeliness as duty
            cross join lateral unnest(array[
                duty.dispatched_at, duty.due_at, duty.extended_due_at, duty.due_in_force_at, duty.closed_at,
                duty.ended_at
            ]) as moment
            where
                duty.case_id = of_root
                and coalesce(of_assignment, duty.assignment_id) = duty.assignment_id
                and moment between counts_within.starts_at and counts_within.ends_at
        )
        or exists (
            select from mart.fct_satisfaction as told
            where
                told.case_id = of_root
                and (of_assignment is null or coalesce(told.assignment_id, of_assignment) = of_assignment)
                and told.called_at between counts_within.starts_at and counts_within.ends_at
        )
        or exists (
            select from mart.fct_case as cases
            where
                cases.case_id = of_root
                and cases.received_at between counts_within.starts_at and counts_within.ends_at
        )
$$;
comment on function mart.counts_within is '工单或派单有无可计入所给时段的时点';

create or replace function publish.acts_in(of_closing publish.closing)
returns table (kind text, decision_id bigint, made_by text)
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
    with taken as (
        select told.kind, told.decision_id from publish.decisions_of(of_closing.build_id) as told
    )

    select 'manual_point', made.manual_point_id, made.entered_by
    from assess.manual_point as made
    inner join assess.decision_of_two as of_two
        on of_two.kind = 'manual_point' and made.manual_point_id = of_two.decision_id and of_two.state = 'confirmed'
    where made.scheme_id = of_closing.scheme_id and publish.is_within(made.period, of_closing.period)
    union all
    select taken.kind, made.decision_id, made.decided_by
    from taken
    inner join assess.appeal_decision as made on taken.decision_id = made.decision_id
    inner join assess.appeal as asked on made.appeal_id = asked.appeal_id
    where
        taken.kind = 'appeal_decision'
        and made.decision = 'granted'
        and coalesce(asked.scheme_id, of_closing.scheme_id) = of_closing.scheme_id
        and publish.is_within(asked.period, of_closing.period)
    union all
    select taken.kind, made.violation_id, made.entered_by
    from taken
    inner join assess.violation as made on taken.decision_id = made.violation_id
    where
        taken.kind = 'violation'
        and made.found_at >= of_closing.starts_at
        and made.found_at < of_closing.ends_at
    union all
    select taken.kind, made.exclusion_id, made.decided_by
    from taken
    inner join assess.exclusion as made on taken.decision_id = made.exclusion_id
    inner join mart.fct_case as cases on made.case_id = cases.case_id
    where
        taken.kind = 'exclusion'
        and mart.counts_within(cases.root_case_id, null, of_closing.starts_at, of_closing.ends_at)
$$;

-- The rows of the newest release of a period that cost a unit points, each with the end of its window.
create function assess.rows_to_appeal(of_period text, of_unit text, of_scheme text default null)
returns table (
    published_row text,
    scheme_id text,
    indicator_code text,
    case_id text,
    assignment_id text,
    dispatched_at timestamptz,
    file_by timestamptz
)
language sql stable set search_path = pg_catalog, pg_temp as $$
    with newest as (
        select distinct on (release.scheme_id)
            release.scheme_id,
            release.release_id
        from publish.release
        where release.period = of_period and (of_scheme is null or release.scheme_id = of_scheme)
        order by release.scheme_id asc, release.revision desc
    )

    select
        numbered.published_row,
        newest.scheme_id,
        told.indicator_code,
        told.case_id,
        told.assignment_id,
        duty.dispatched_at,
        assess.term_of_appeals('appeal_file_workdays', first_told.published_at)
    from newest
    inner join publish.evidence_of_release as told on newest.release_id = told.release_id
    inner join publish.row_of_release as numbered
        on
            told.release_id = numbered.release_id
            and told.unit_code = numbered.unit_code
            and told.indicator_code = numbered.indicator_code
            and told.subject_kind = numbered.subject_kind
            and told.subject_id = numbered.subject_id
    inner join publish.release as first_told on numbered.told_in = first_told.release_id
    left join mart.fct_timeliness as duty on told.assignment_id = duty.assignment_id
    where told.unit_code = of_unit and told.excluded_reason is null
$$;

drop function assess.file_appeal(
    text, text, text, text, text, text, text, boolean, text[], text, timestamptz
);
create function assess.file_appeal(
    period text default null,
    unit_code text default null,
    case_id text default null,
    grounds_code text default null,
    statement text default null,
    evidence_ref text default null,
    assignment_id text default null,
    is_whole_case boolean default false,
    indicator_codes text[] default null,
    scheme_id text default null,
    decide_by timestamptz default null,
    published_row text default null,
    dispatched_at timestamptz default null
) returns bigint
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
declare
    me text := assess.acting();
    zone text := mart.city_zone();
    root text;
    days daterange;
    started record;
    found_rows record;
    own record;
    numbers text[];
    is_open bigint;
    written bigint;
begin
    perform audit.hold('minhu:assess');
    if file_appeal.published_row is not null then
        select
            told.unit_code,
            told.period,
            told.scheme_id,
            told.indicator_code,
            told.case_id,
            told.assignment_id
        into started
        from publish.evidence as told
        where
            file_appeal.published_row ~* '^R[0-9]{1,10}-[0-9]{1,10}$'
            and told.release_id = (regexp_match(file_appeal.published_row, '^.([0-9]+)-'))[1]::bigint
            and told.row_no = (regexp_match(file_appeal.published_row, '-([0-9]+)$'))[1]::bigint
            and told.change = 'added';
        if not found then
            raise exception '没有明细 %：明细号见已发布的扣分明细，如 R3-117 / there is no published row %', file_appeal.published_row,
                file_appeal.published_row;
        end if;
        if coalesce(file_appeal.unit_code, started.unit_code) <> started.unit_code
            or coalesce(file_appeal.period, started.period) <> started.period
            or coalesce(file_appeal.scheme_id, started.scheme_id) <> started.scheme_id
            or coalesce(file_appeal.case_id, started.case_id) <> started.case_id
        then
            raise exception '明细 % 属于另一单位、周期、办法或工单 / the row % is of another unit, period, scheme or case',
                file_appeal.published_row, file_appeal.published_row;
        end if;
        published_row := upper(file_appeal.published_row);
        unit_code := started.unit_code;
        period := started.period;
        scheme_id := started.scheme_id;
        case_id := started.case_id;
        if file_appeal.is_whole_case is not true then
            assignment_id := coalesce(file_appeal.assignment_id, started.assignment_id);
            indicator_codes := coalesce(file_appeal.indicator_codes, array[started.indicator_code]);
        end if;
    end if;
    if not assess.is_assessor() then
        if not exists (select from assess.own_units() as own where own = file_appeal.unit_code) then
            raise exception '登录 % 不代表单位 % / the login % does not speak for the unit %', me,
                coalesce(file_appeal.unit_code, '（未写明）'), me, coalesce(quote_literal(file_appeal.unit_code), '(none)');
        end if;
        if file_appeal.decide_by is not null then
            raise exception '裁定期限不由申诉人确定 / the term for deciding is not set by who appeals';
        end if;
    end if;
    if file_appeal.published_row is not null and file_appeal.case_id is null then
        raise exception '明细 % 不在工单上，不能申诉：效能督查认定由撤销更正 / the row % is on no case',
            file_appeal.published_row, file_appeal.published_row;
    end if;
    perform assess.require_unit(file_appeal.unit_code);
    perform assess.require_indicators(
        file_appeal.indicator_codes, file_appeal.scheme_id, assess.stated(file_appeal.period, 'the period')
    );
    perform assess.require_subject(file_appeal.case_id, file_appeal.assignment_id, file_appeal.unit_code);
    if file_appeal.is_whole_case and (file_appeal.assignment_id is not null or file_appeal.dispatched_at is not null) then
        raise exception '只能写明一次派单，或整件，不能兼有 / name an assignment or the whole case, not both';
    end if;
    select cases.root_case_id into root from mart.fct_case as cases where cases.case_id = file_appeal.case_id;
    days := assess.days_of(file_appeal.period);
    if days is null then
        raise exception '考核周期写作 2026-10、2026-Q4 或 2026 / % is no period; write a month as 2026-10 or a year as 2026',
            quote_literal(file_appeal.period);
    end if;

    -- What the unit has on the case: rows that cost it points where the period is published, else duties of the period.
    if exists (
        select from publish.release as told
        where
            told.period = file_appeal.period
            and (file_appeal.scheme_id is null or told.scheme_id = file_appeal.scheme_id)
    ) then
        select
            array_agg(listed.published_row order by listed.published_row) as numbers,
            array_agg(distinct listed.assignment_id) as assignments,
            min(listed.file_by) as file_by,
            string_agg(
                concat_ws(' ', '明细', listed.published_row, listed.indicator_code)
                || coalesce('（' || to_char(listed.dispatched_at at time zone zone, 'YYYY-MM-DD HH24:MI') || ' 派单）', ''),
                '，' order by listed.dispatched_at, listed.published_row
            ) as told
        into found_rows
        from assess.rows_to_appeal(file_appeal.period, file_appeal.unit_code, file_appeal.scheme_id) as listed
        inner join mart.fct_case as cases on listed.case_id = cases.case_id
        where
            cases.root_case_id = root
            and (file_appeal.published_row is null or listed.published_row = file_appeal.published_row)
            and coalesce(file_appeal.assignment_id, listed.assignment_id) is not distinct from listed.assignment_id
            and (
                file_appeal.dispatched_at is null
                or date_trunc('minute', listed.dispatched_at) = date_trunc('minute', file_appeal.dispatched_at)
            )
            and (
                file_appeal.published_row is not null
                or file_appeal.indicator_codes is null
                or listed.indicator_code = any(file_appeal.indicator_codes)
            );
        numbers := found_rows.numbers;
        if numbers is null then
            raise exception '% 最近一次发布中，该件没有使单位 % 失分的明细 / no row on this case costs the unit % points in what is published of %',
                file_appeal.period, file_appeal.unit_code, file_appeal.unit_code, file_appeal.period;
        end if;
        if file_appeal.is_whole_case is not true and cardinality(found_rows.assignments) > 1 then
            raise exception '该件有单位 % 的 % 次派单，请写明明细号或派单时间：% / the unit has % assignments on this case; name the row or the dispatch',
                file_appeal.unit_code, cardinality(found_rows.assignments), found_rows.told,
                cardinality(found_rows.assignments);
        end if;
        if clock_timestamp() >= found_rows.file_by then
            raise exception '申诉期已于 % 24:00 届满：% / the time to appeal has ended',
                to_char(found_rows.file_by at time zone zone - interval '1 day', 'YYYY-MM-DD'), found_rows.told;
        end if;
        assignment_id := coalesce(
            file_appeal.assignment_id, case when not file_appeal.is_whole_case then found_rows.assignments[1] end
        );
    else
        select
            array_agg(duty.assignment_id order by duty.dispatched_at, duty.assignment_id) as assignments,
            count(*) filter (where duty.counts) as of_period,
            (array_agg(duty.assignment_id order by duty.dispatched_at) filter (where duty.counts))[1] as first_id,
            string_agg(to_char(duty.dispatched_at at time zone zone, 'YYYY-MM-DD HH24:MI'), '，' order by duty.dispatched_at)
            filter (where duty.counts) as told
        into own
        from (
            select
                known.assignment_id,
                known.dispatched_at,
                mart.counts_within(
                    root, known.assignment_id, lower(days)::timestamp at time zone zone, upper(days)::timestamp at time zone zone
                ) as counts
            from mart.fct_timeliness as known
            where
                known.case_id = root
                and known.unit_code = file_appeal.unit_code
                and coalesce(file_appeal.assignment_id, known.assignment_id) = known.assignment_id
                and (
                    file_appeal.dispatched_at is null
                    or date_trunc('minute', known.dispatched_at) = date_trunc('minute', file_appeal.dispatched_at)
                )
        ) as duty;
        if own.assignments is null then
            raise exception '该件没有单位 % 的（该次）派单 / the unit % has no assignment on this case, or none of this dispatch',
                file_appeal.unit_code, file_appeal.unit_code;
        end if;
        if own.of_period = 0 then
            raise exception '该件没有计入 % 的事项，请写明计入的周期 / nothing of this case counts in %', file_appeal.period,
                file_appeal.period;
        end if;
        if file_appeal.is_whole_case is not true and own.of_period > 1 then
            raise exception '该件有单位 % 的 % 次派单，请写明派单时间：% / the unit has % assignments on this case; name the dispatch',
                file_appeal.unit_code, own.of_period, own.told, own.of_period;
        end if;
        assignment_id := coalesce(
            file_appeal.assignment_id, case when not file_appeal.is_whole_case then own.first_id end
        );
    end if;

    select asked.appeal_id into is_open
    from assess.appeal as asked
    where
        asked.unit_code = file_appeal.unit_code
        and asked.period = file_appeal.period
        and asked.case_id = file_appeal.case_id
        and asked.assignment_id is not distinct from file_appeal.assignment_id
        and asked.indicator_codes is not distinct from file_appeal.indicator_codes
        and not exists (
            select from assess.standing_appeal_decision as decided where decided.appeal_id = asked.appeal_id
        )
    limit 1;
    if found then
        raise exception '申诉 % 已提出同样的请求，尚未裁定 / the same is asked by appeal %, which is not decided yet', is_open, is_open;
    end if;
    insert into assess.appeal (
        scheme_id, period, unit_code, feed_code, case_no, case_id, assignment_id, indicator_codes, grounds_code,
        statement, evidence_ref, decide_by, published_rows
    )
    select
        file_appeal.scheme_id,
        file_appeal.period,
        file_appeal.unit_code,
        cases.feed_code,
        cases.case_no,
        cases.case_id,
        file_appeal.assignment_id,
        file_appeal.indicator_codes,
        assess.require_code(file_appeal.grounds_code, 'grounds_code'),
        assess.stated(file_appeal.statement, 'the statement'),
        assess.stated(file_appeal.evidence_ref, 'the evidence'),
        coalesce(file_appeal.decide_by, assess.term_of_appeals('appeal_decide_workdays', clock_timestamp())),
        numbers
    from mart.fct_case as cases
    where cases.case_id = file_appeal.case_id
    returning appeal_id into written;
    return written;
end
$$;

-- Locks the appeal, so that two who decide at once come one after the other.
create or replace function assess.undecided(of_appeal bigint) returns assess.appeal
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    appeal assess.appeal;
    decided text;
begin
    perform audit.hold('minhu:assess');
    select * into appeal from assess.appeal as asked where asked.appeal_id = of_appeal;
    if not found then
        raise exception '没有申诉 % / there is no appeal %', coalesce(of_appeal::text, '（未写明）'), coalesce(of_appeal::text, '(none)');
    end if;
    select made.decision into decided from assess.standing_appeal_decision as made where made.appeal_id = of_appeal;
    if found then
        raise exception '申诉 % 已有裁定 / appeal % is decided already: %', of_appeal, of_appeal, decided;
    end if;
    return appeal;
end
$$;

create or replace function assess.withdraw_appeal(appeal_id bigint, reason text) returns bigint
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
declare
    appeal assess.appeal;
    written bigint;
begin
    appeal := assess.undecided(withdraw_appeal.appeal_id);
    if appeal.filed_by <> assess.acting()
        and not exists (select from assess.own_units() as own where own = appeal.unit_code)
    then
        raise exception '申诉 % 只能由提出人或其单位撤回 / only who filed appeal %, or its unit, withdraws it', appeal.appeal_id,
            appeal.appeal_id;
    end if;
    insert into assess.appeal_decision (appeal_id, decision, reason_code, reason)
    values (appeal.appeal_id, 'withdrawn', 'withdrawn', assess.stated(withdraw_appeal.reason, 'the reason'))
    returning decision_id into written;
    return written;
end
$$;

-- The first revision that a grant can still change.
create function assess.next_revision(of_appeal assess.appeal) returns integer
language sql stable set search_path = pg_catalog, pg_temp as $$
    select 1 + coalesce(max(release.revision), 0)
    from publish.release
    where
        release.period = of_appeal.period
        and (of_appeal.scheme_id is null or release.scheme_id = of_appeal.scheme_id)
$$;
comment on function assess.next_revision is 'The revision of an appeal''s period that is published next.';

create or replace function assess.decide_appeal(
    appeal_id bigint, decision text, reason_code text, reason text, from_revision integer default null
) returns bigint
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
declare
    appeal assess.appeal;
    following integer;
    written bigint;
begin
    appeal := assess.undecided(decide_appeal.appeal_id);
    following := assess.next_revision(appeal);
    if appeal.filed_by = assess.acting()
        or exists (select from assess.own_units() as own where own = appeal.unit_code)
    then
        raise exception '申诉 % 须由提出人及其单位以外的人裁定 / appeal % is decided by another person than who filed it',
            appeal.appeal_id, appeal.appeal_id;
    end if;
    if coalesce(decide_appeal.decision, '') not in ('granted', 'denied') then
        raise exception '裁定只有获准或驳回 / an appeal is granted or denied';
    end if;
    if decide_appeal.decision = 'denied' and decide_appeal.from_revision is not null then
        raise exception '只有获准的申诉写明自第几次发布起 / only a granted appeal names a revision';
    end if;
    if decide_appeal.from_revision < 1 then
        raise exception '发布次数从 1 起 / revisions are counted from 1';
    end if;
    if decide_appeal.from_revision < following then
        raise exception '% 第 % 次发布已经公布，获准最早自第 % 次发布起 / revision % is published already: a grant counts from revision % on',
            appeal.period, decide_appeal.from_revision, following, decide_appeal.from_revision, following;
    end if;
    insert into assess.appeal_decision (appeal_id, decision, reason_code, reason, from_revision)
    values (
        appeal.appeal_id,
        decide_appeal.decision,
        assess.require_code(decide_appeal.reason_code, 'reason_code'),
        assess.stated(decide_appeal.reason, 'the reason'),
        case when decide_appeal.decision = 'granted' then coalesce(decide_appeal.from_revision, following) end
    )
    returning decision_id into written;
    return written;
end
$$;

-- Between the decision and its confirmation a revision may have come out: it does not hold what is confirmed now.
create function assess.refuse_late_confirmation() returns trigger
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    asked assess.appeal;
    named integer;
begin
    select made.from_revision into named
    from assess.appeal_decision as made
    where made.decision_id::text = new.subject_id;
    select known.* into asked
    from assess.appeal as known
    inner join assess.appeal_decision as made on known.appeal_id = made.appeal_id
    where made.decision_id::text = new.subject_id;
    if named < assess.next_revision(asked) then
        raise exception '申诉 % 获准自第 % 次发布起，而该次发布已在裁定之后公布：请否决后重新裁定 / revision % of % was published since: reject the grant and decide anew',
            asked.appeal_id, named, named, asked.period;
    end if;
    return new;
end
$$;
create trigger names_a_revision_to_come before insert on assess.approval
for each row when (new.subject_kind = 'appeal_decision' and new.verdict = 'approved')
execute function assess.refuse_late_confirmation();

-- What a grant says holds: the revision that it names is not published without it.
create function publish.refuse_without_grants() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    missing text;
begin
    select string_agg(asked.appeal_id::text, '、' order by asked.appeal_id) into missing
    from assess.appeal_decision as made
    inner join assess.appeal as asked on made.appeal_id = asked.appeal_id
    inner join assess.decision_of_two as of_two
        on of_two.kind = 'appeal_decision' and made.decision_id = of_two.decision_id and of_two.state = 'confirmed'
    where
        asked.period = new.period
        and coalesce(asked.scheme_id, new.scheme_id) = new.scheme_id
        and made.from_revision <= new.revision
        and not exists (
            select from publish.decisions_of(new.build_id) as taken
            where taken.kind = 'appeal_decision' and taken.decision_id = made.decision_id
        );
    if missing is not null then
        raise exception '申诉 % 获准自本次发布起，关账时尚未计入：请先构建，再重新关账 / closing % lacks appeals granted from this revision on: build, and close again',
            missing, new.closing_id;
    end if;
    return new;
end
$$;
create trigger holds_what_was_granted before insert on publish.release
for each row execute function publish.refuse_without_grants();

-- What the acts check, in the words of those who are refused.
create or replace function assess.stated(given text, what text) returns text
language plpgsql immutable set search_path = pg_catalog, pg_temp as $$
begin
    if btrim(coalesce(given, '')) = '' then
        raise exception '%未填写 / % is missing: say it in a few words',
            case what
                when 'the statement' then '情况说明'
                when 'the evidence' then '佐证材料'
                when 'the reason' then '理由'
                when 'the period' then '考核周期'
                when 'the scheme' then '考核办法'
                else ''
            end, what;
    end if;
    return btrim(given);
end
$$;

create or replace function assess.require_code(given text, what text) returns text
language plpgsql immutable set search_path = pg_catalog, pg_temp as $$
begin
    if coalesce(given, '') !~ '^[a-z][a-z0-9_]*$' then
        raise exception '%不是代码，也不是已知的词，如 beyond_duty、错派 / % is no code: small letters, digits and _, as beyond_duty',
            case what when 'grounds_code' then '申诉理由' when 'reason_code' then '原因' else '' end, what;
    end if;
    return given;
end
$$;

create or replace function assess.require_unit(given text) returns text
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
begin
    if not exists (select from mart.dim_unit where unit_code = given)
        and not exists (select from config.entry where kind = 'unit' and data ->> 'unit_code' = given)
    then
        raise exception '没有代码为 % 的单位 / no unit has the code %', coalesce(given, '（未写明）'),
            coalesce(quote_literal(given), '(none)');
    end if;
    return given;
end
$$;

create or replace function assess.require_subject(of_case text, of_assignment text, of_unit text) returns void
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
    root text;
    assignment record;
begin
    select root_case_id into root from mart.fct_case where case_id = of_case;
    if root is null then
        raise exception '该热线没有这个工单编号 / no case of this hotline has this number';
    end if;
    if of_assignment is null then
        return;
    end if;
    select case_id, unit_code into assignment from mart.fct_timeliness where assignment_id = of_assignment;
    if assignment.case_id is distinct from root then
        raise exception '派单 % 不在该件上 / the assignment % does not stand on this case', of_assignment, of_assignment;
    end if;
    if of_unit is not null and assignment.unit_code is distinct from of_unit then
        raise exception '派单 % 不是单位 % 的 / the assignment % is not one of the unit %', of_assignment, of_unit,
            of_assignment, of_unit;
    end if;
end
$$;

create or replace view assess.appeal_state with (security_invoker = true) as
with decisions as (
    select
        made.*,
        assess.state_of_grant(made.decision_id) as stands
    from assess.appeal_decision as made
)

select
    appeal.appeal_id,
    case
        when decision.stands = 'awaits' then 'awaits_confirmation'
        when decision.decision is not null then decision.decision
        when appeal.decide_by < clock_timestamp() then 'overdue'
        else 'filed'
    end as state,
    appeal.scheme_id,
    appeal.period,
    appeal.unit_code,
    appeal.feed_code,
    appeal.case_no,
    appeal.case_id,
    appeal.assignment_id,
    appeal.indicator_codes,
    appeal.grounds_code,
    appeal.statement,
    appeal.evidence_ref,
    appeal.filed_by,
    appeal.filed_at,
    appeal.decide_by,
    decision.decision_id,
    decision.reason_code,
    decision.reason,
    decision.from_revision,
    decision.decided_by,
    decision.decided_at,
    appeal.published_rows
from assess.appeal
left join decisions as decision on appeal.appeal_id = decision.appeal_id and decision.stands <> 'rejected';

revoke execute on function
assess.take_number, assess.term_of_appeals, assess.days_of, assess.rows_to_appeal, assess.next_revision,
assess.refuse_late_confirmation, assess.file_appeal, mart.counts_within, publish.refuse_without_grants
from public;
grant execute on function assess.file_appeal to minhu_unit, minhu_evaluator;
