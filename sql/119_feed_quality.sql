-- The monthly data-quality score of each feed: 数据完整, 内容完整, 数据及时, 接口稳定性. A build scores the months that
-- something happened in and adds a row where a score differs from the one before, so that what a release rested on can
-- be read again. Points, columns and terms are dated configuration (`feed_quality` in city.yml); those in force on the
-- first day of the month hold for it. docs/audit.md tells how each part is counted.
create table audit.feed_quality_version (
    feed_code text not null,
    month_on date not null check (extract(day from month_on) = 1),
    part text not null check (part in ('completeness', 'content', 'timeliness', 'stability')),
    build_id bigint not null references audit.build,
    through_on date not null,
    unit_code text,
    points numeric not null,
    points_max numeric not null,
    numerator numeric not null,
    denominator numeric not null,
    lost jsonb not null,
    is_withdrawn boolean not null default false,
    primary key (feed_code, month_on, part, build_id),
    check (points between 0 and points_max)
);
comment on table audit.feed_quality_version is
'Every score that was told of a feed, month and part, with the build that told it.';
comment on column audit.feed_quality_version.through_on is
'Last business date counted: the end of the month, or of the data.';
comment on column audit.feed_quality_version.unit_code is
'The unit that runs the feed; null where its declaration names none.';
comment on column audit.feed_quality_version.lost is
'What cost points: [{"cause", "delivery", "on", …, "missed", "points"}]; the points sum to points_max - points.';
comment on column audit.feed_quality_version.is_withdrawn is
'The feed was withdrawn: it has no score in this month any more.';

-- The scores as a build left them.
create function audit.feed_quality_as_of(of_build bigint)
returns table (
    feed_code text,
    month_on date,
    part text,
    through_on date,
    unit_code text,
    points numeric,
    points_max numeric,
    numerator numeric,
    denominator numeric,
    lost jsonb,
    build_id bigint
)
language sql stable as $$
    select
        newest.feed_code, newest.month_on, newest.part, newest.through_on, newest.unit_code, newest.points,
        newest.points_max, newest.numerator, newest.denominator, newest.lost, newest.build_id
    from (
        select distinct on (version.feed_code, version.month_on, version.part) version.*
        from audit.feed_quality_version as version
        where version.build_id <= of_build
        order by version.feed_code, version.month_on, version.part, version.build_id desc
    ) as newest
    where not newest.is_withdrawn
$$;

create view audit.feed_quality as
select
    newest.feed_code,
    newest.month_on,
    newest.part,
    newest.through_on,
    newest.unit_code,
    newest.points,
    newest.points_max,
    newest.numerator,
    newest.denominator,
    newest.lost,
    newest.build_id
from (
    select distinct on (version.feed_code, version.month_on, version.part) version.*
    from audit.feed_quality_version as version
    order by version.feed_code asc, version.month_on asc, version.part asc, version.build_id desc
) as newest
where not newest.is_withdrawn;
comment on view audit.feed_quality is '热线数据质量分 — The newest score of each feed, month and part, with what cost points.';

-- For BI: the same, and one row for each thing that cost points. Comments come from the dbt project.
create view mart.feed_quality as
select
    scored.feed_code,
    scored.month_on,
    scored.part,
    scored.through_on,
    scored.unit_code,
    scored.points,
    scored.points_max,
    scored.numerator,
    scored.denominator,
    scored.lost,
    scored.build_id
from audit.feed_quality as scored;

create view mart.feed_quality_loss as
select
    scored.feed_code,
    scored.month_on,
    scored.part,
    loss.cause,
    loss.delivery,
    loss."on" as business_date,
    loss.metric,
    loss.missed,
    loss.of_total,
    loss.at as happened_at,
    loss.batch_id,
    loss.reason_code,
    loss.points as lost_points
from audit.feed_quality as scored
cross join lateral jsonb_to_recordset(scored.lost) as loss (
    cause text, delivery text, "on" date, metric text, missed numeric, of_total numeric, at timestamptz,
    batch_id bigint, reason_code text, points numeric
);

-- Scores the months in which anything happened since the last build, all of them where the configuration changed or
-- there is no score yet; returns how many scores differ from those before. Counted is what was known when the build
-- began, so that the next build finds what came later.
create function audit.score_feeds(of_build bigint) returns bigint
language plpgsql as $$
declare
    this audit.build;
    before audit.build;
    scored_before boolean := exists (select from audit.feed_quality_version);
    first_day date;
    last_day date;
    from_on date;
    until_on date;
    written bigint;
begin
    select * into strict this from audit.build where build_id = of_build;
    select * into before
    from audit.build
    where status = 'succeeded' and build_id < of_build
    order by build_id desc
    limit 1;

    select min(business_date), max(business_date) into first_day, last_day
    from audit.batch
    where loaded_at <= this.started_at and status <> 'refused';
    if first_day is null then
        return 0;
    end if;
    from_on := date_trunc('month', first_day)::date;
    if
        scored_before and before.build_id is not null and not this.is_full_refresh
        and before.config_version = this.config_version
    then
        select greatest(from_on, date_trunc('month', min(changed.business_date))::date) into from_on
        from (
            select batch.business_date from audit.batch where batch.loaded_at > before.started_at
            union all
            select batch.business_date
            from audit.batch_verdict as verdict
            inner join audit.batch on verdict.batch_id = batch.batch_id
            where verdict.decided_at > before.started_at
            union all
            select attempt.business_date from audit.attempt where attempt.attempted_at > before.started_at
            union all  -- days that are over now and were not then
            (
                select batch.business_date
                from audit.batch
                where batch.loaded_at <= before.started_at and batch.status <> 'refused'
                order by batch.business_date desc
                limit 1
            )
        ) as changed;
    end if;
    until_on := (date_trunc('month', last_day) + interval '1 month - 1 day')::date;

    with terms as (
        select
            (entry.data ->> 'valid_from')::date as valid_from,
            lead((entry.data ->> 'valid_from')::date) over (order by (entry.data ->> 'valid_from')::date) as valid_to,
            entry.data
        from config.entry
        where
            entry.kind = 'feed_quality'
            and entry.since_version <= this.config_version
            and (entry.until_version is null or entry.until_version > this.config_version)
    ),

    months as (
        select
            listed.first_on::date as month_on,
            least(last_day, (listed.first_on + interval '1 month - 1 day')::date) as through_on,
            terms.data
        from generate_series(from_on::timestamp, until_on::timestamp, interval '1 month') as listed (first_on)
        inner join terms
            on
                listed.first_on::date >= terms.valid_from
                and (terms.valid_to is null or listed.first_on::date < terms.valid_to)
    ),

    declared as (
        select
            entry.data ->> 'feed_code' as feed_code,
            entry.data ->> 'delivery' as delivery,
            (
                select min(earlier.since_version)
                from config.entry as earlier
                where earlier.kind = 'delivery' and earlier.key = entry.key
            ) as since_version
        from config.entry
        where
            entry.kind = 'delivery'
            and entry.since_version <= this.config_version
            and (entry.until_version is null or entry.until_version > this.config_version)
    ),

    known_batch as (
        select batch.*
        from audit.batch
        where batch.loaded_at <= this.started_at
    ),

    came as (
        select
            feed_code,
            delivery,
            min(business_date) as first_on,
            max(business_date) as last_on
        from known_batch
        where status <> 'refused'
        group by feed_code, delivery
    ),

    -- A delivery is expected from its first batch on; one that never came, from the day on which it was declared; one
    -- that is declared no more, until its last batch.
    expected as (
        select
            coalesce(declared.feed_code, came.feed_code) as feed_code,
            coalesce(declared.delivery, came.delivery) as delivery,
            coalesce(
                came.first_on,
                case
                    when declared.since_version > (select min(config_version) from config.version)
                        then (
                            select (version.loaded_at at time zone 'Asia/Shanghai')::date
                            from config.version
                            where version.config_version = declared.since_version
                        )
                end,
                first_day
            ) as since_on,
            case when declared.feed_code is null then came.last_on else last_day end as until_on
        from declared
        full join came on declared.feed_code = came.feed_code and declared.delivery = came.delivery
    ),

    expected_day as (
        select
            expected.feed_code,
            expected.delivery,
            months.month_on,
            day.at_midnight::date as business_date
        from expected
        inner join months on expected.since_on <= months.through_on and expected.until_on >= months.month_on
        cross join lateral generate_series(
            greatest(expected.since_on, months.month_on)::timestamp,
            least(expected.until_on, months.through_on)::timestamp,
            interval '1 day'
        ) as day (at_midnight)
    ),

    arrived as (
        select
            feed_code,
            delivery,
            business_date,
            min(started_at) as arrived_at
        from known_batch
        where status <> 'refused' and business_date between from_on and until_on
        group by feed_code, delivery, business_date
    ),

    failed_call as (
        select feed_code, delivery, business_date, started_at as at, batch_id, reason_code, 'refused' as cause
        from known_batch
        where status = 'refused' and business_date between from_on and until_on
        union all
        select feed_code, delivery, business_date, attempted_at, null, null, 'unreachable'
        from audit.attempt
        where
            outcome = 'unreachable'
            and attempted_at <= this.started_at
            and business_date between from_on and until_on
    ),

    -- Looked for and not had: what arrived later may have been late, what nobody looked for was not.
    in_vain as (
        select feed_code, delivery, business_date, min(at) as looked_at
        from (
            select feed_code, delivery, business_date, at from failed_call
            union all
            select feed_code, delivery, business_date, attempted_at
            from audit.attempt
            where
                outcome = 'nothing_delivered'
                and attempted_at <= this.started_at
                and business_date between from_on and until_on
        ) as look
        group by feed_code, delivery, business_date
    ),

    timed as (
        select
            arrived.*,
            months.month_on,
            in_vain.looked_at < arrived.arrived_at
            and arrived.arrived_at > (
                arrived.business_date + (months.data ->> 'due_days')::integer + (months.data ->> 'due_time')::time
            ) at time zone 'Asia/Shanghai' as is_late
        from arrived
        inner join months on date_trunc('month', arrived.business_date)::date = months.month_on
        left join in_vain
            on
                arrived.feed_code = in_vain.feed_code
                and arrived.delivery = in_vain.delivery
                and arrived.business_date = in_vain.business_date
    ),

    good_call as (
        select feed_code, business_date, count(*) as calls
        from (
            select feed_code, business_date
            from known_batch
            where status <> 'refused' and replays_batch_id is null and business_date between from_on and until_on
            union all
            select feed_code, business_date
            from audit.attempt
            where
                outcome = 'already_loaded'
                and attempted_at <= this.started_at
                and business_date between from_on and until_on
        ) as listed
        group by feed_code, business_date
    ),

    -- What the gate measured of each batch that no replay stands in for.
    measured as (
        select
            known_batch.feed_code,
            known_batch.delivery,
            months.month_on,
            profile.metric,
            sum(sized.rows) as rows,
            sum(round(sized.rows * profile.value / 100)) as missed
        from known_batch
        inner join months on date_trunc('month', known_batch.business_date)::date = months.month_on
        inner join audit.batch_profile as profile on known_batch.batch_id = profile.batch_id
        cross join lateral (
            select
                case profile.metric when 'rejected_pct' then known_batch.received_rows else known_batch.staged_rows end
                    as rows
        ) as sized
        where
            known_batch.status <> 'refused'
            and months.data -> 'content' ? profile.metric
            and exists (
                select from audit.batch_verdict as verdict
                where verdict.batch_id = known_batch.batch_id and verdict.decided_at <= this.started_at
            )
            and not exists (
                select from audit.batch as replay
                where
                    replay.replays_batch_id = known_batch.batch_id
                    and replay.status <> 'refused'
                    and replay.loaded_at <= this.started_at
            )
        group by known_batch.feed_code, known_batch.delivery, months.month_on, profile.metric
    ),

    missed as (
        select
            expected_day.feed_code,
            expected_day.month_on,
            'completeness' as part,
            1::numeric as missed,
            jsonb_build_object(
                'cause', 'missing_day', 'delivery', expected_day.delivery, 'on', expected_day.business_date
            ) as told
        from expected_day
        left join arrived
            on
                expected_day.feed_code = arrived.feed_code
                and expected_day.delivery = arrived.delivery
                and expected_day.business_date = arrived.business_date
        where arrived.feed_code is null
        union all
        select
            feed_code,
            month_on,
            'content',
            missed,
            jsonb_build_object(
                'cause', case metric when 'rejected_pct' then 'rejected_rows' else 'empty_column' end,
                'delivery', delivery, 'metric', metric, 'of_total', rows
            )
        from measured
        where missed > 0
        union all
        select
            feed_code,
            month_on,
            'timeliness',
            1,
            jsonb_build_object('cause', 'late', 'delivery', delivery, 'on', business_date, 'at', arrived_at)
        from timed
        where is_late
        union all
        select
            feed_code,
            date_trunc('month', business_date)::date,
            'stability',
            1,
            jsonb_strip_nulls(jsonb_build_object(
                'cause', cause, 'delivery', delivery, 'on', business_date, 'at', at, 'batch_id', batch_id,
                'reason_code', reason_code
            ))
        from failed_call
    ),

    counted as (
        select feed_code, month_on, 'completeness' as part, count(*)::numeric as denominator
        from expected_day
        group by feed_code, month_on
        union all
        select feed_code, month_on, 'content', sum(rows)
        from measured
        group by feed_code, month_on
        union all
        select feed_code, month_on, 'timeliness', count(*)
        from timed
        group by feed_code, month_on
        union all
        select feed_code, date_trunc('month', business_date)::date, 'stability', sum(calls)
        from (
            select feed_code, business_date, calls from good_call
            union all
            select feed_code, business_date, 1 from failed_call
        ) as listed
        group by feed_code, date_trunc('month', business_date)::date
    ),

    -- A part of which there was nothing to judge has all its points where anything arrived, and none where nothing did.
    parts as (
        select
            feeds.feed_code,
            feeds.month_on,
            months.through_on,
            listed.part,
            (months.data ->> (listed.part || '_points'))::numeric as points_max,
            coalesce(counted.denominator, 0) as denominator,
            coalesce(counted.denominator, 0) - coalesce(sums.missed, 0) as numerator,
            feeds.has_arrived
        from (
            select
                expected_day.feed_code,
                expected_day.month_on,
                bool_or(arrived.feed_code is not null) as has_arrived
            from expected_day
            left join arrived
                on
                    expected_day.feed_code = arrived.feed_code
                    and expected_day.delivery = arrived.delivery
                    and expected_day.business_date = arrived.business_date
            group by expected_day.feed_code, expected_day.month_on
        ) as feeds
        inner join months on feeds.month_on = months.month_on
        cross join unnest(array['completeness', 'content', 'timeliness', 'stability']) as listed (part)
        left join counted
            on
                feeds.feed_code = counted.feed_code
                and feeds.month_on = counted.month_on
                and listed.part = counted.part
        left join (
            select feed_code, month_on, part, sum(missed) as missed
            from missed
            group by feed_code, month_on, part
        ) as sums
            on feeds.feed_code = sums.feed_code and feeds.month_on = sums.month_on and listed.part = sums.part
    ),

    pointed as (
        select
            parts.*,
            case
                when denominator > 0 then round(points_max * numerator / denominator, 2)
                when has_arrived then points_max
                else 0
            end as points
        from parts
    ),

    -- Lost points in cents by largest remainder: they sum to the loss.
    shared as (
        select
            told.*,
            floor(told.cents) + (
                row_number() over (
                    partition by told.feed_code, told.month_on, told.part
                    order by told.cents - floor(told.cents) desc, told.told::text collate "C"
                ) <= told.lost_cents - sum(floor(told.cents)) over (partition by told.feed_code, told.month_on, told.part)
            )::integer as own_cents
        from (
            select
                each.feed_code,
                each.month_on,
                each.part,
                each.missed,
                each.told,
                100 * (pointed.points_max - pointed.points) as lost_cents,
                100 * (pointed.points_max - pointed.points) * each.missed
                / sum(each.missed) over (partition by each.feed_code, each.month_on, each.part) as cents
            from (
                select missed.feed_code, missed.month_on, missed.part, missed.missed, missed.told
                from missed
                union all
                select pointed.feed_code, pointed.month_on, pointed.part, 1, '{"cause": "nothing_arrived"}'::jsonb
                from pointed
                where pointed.denominator = 0 and not pointed.has_arrived
            ) as each
            inner join pointed
                on
                    each.feed_code = pointed.feed_code
                    and each.month_on = pointed.month_on
                    and each.part = pointed.part
        ) as told
    ),

    fresh as (
        select
            pointed.feed_code,
            pointed.month_on,
            pointed.part,
            pointed.through_on,
            owner.data ->> 'unit_code' as unit_code,
            pointed.points,
            pointed.points_max,
            pointed.numerator,
            pointed.denominator,
            coalesce(losses.lost, '[]') as lost
        from pointed
        left join (
            select
                shared.feed_code,
                shared.month_on,
                shared.part,
                jsonb_agg(
                    shared.told || jsonb_build_object('missed', shared.missed, 'points', round(shared.own_cents / 100, 2))
                    order by shared.own_cents desc, shared.told ->> 'on', shared.told::text collate "C"
                ) as lost
            from shared
            group by shared.feed_code, shared.month_on, shared.part
        ) as losses
            on
                pointed.feed_code = losses.feed_code
                and pointed.month_on = losses.month_on
                and pointed.part = losses.part
        left join config.entry as owner
            on
                owner.kind = 'feed_unit'
                and owner.key = pointed.feed_code
                and owner.since_version <= this.config_version
                and (owner.until_version is null or owner.until_version > this.config_version)
    ),

    known as (
        select scored.* from audit.feed_quality as scored where scored.month_on between from_on and until_on
    ),

    changed as (
        insert into audit.feed_quality_version (
            feed_code, month_on, part, build_id, through_on, unit_code, points, points_max, numerator, denominator, lost,
            is_withdrawn
        )
        select
            coalesce(fresh.feed_code, known.feed_code),
            coalesce(fresh.month_on, known.month_on),
            coalesce(fresh.part, known.part),
            of_build,
            coalesce(fresh.through_on, known.through_on),
            coalesce(fresh.unit_code, case when fresh.feed_code is null then known.unit_code end),
            coalesce(fresh.points, known.points),
            coalesce(fresh.points_max, known.points_max),
            coalesce(fresh.numerator, known.numerator),
            coalesce(fresh.denominator, known.denominator),
            coalesce(fresh.lost, known.lost),
            fresh.feed_code is null
        from fresh
        full join known
            on fresh.feed_code = known.feed_code and fresh.month_on = known.month_on and fresh.part = known.part
        where
            (
                fresh.through_on, fresh.unit_code, fresh.points, fresh.points_max, fresh.numerator, fresh.denominator,
                fresh.lost
            ) is distinct from (
                known.through_on, known.unit_code, known.points, known.points_max, known.numerator, known.denominator,
                known.lost
            )
        returning 1
    )

    select count(*) into written from changed;
    return written;
end
$$;
comment on function audit.score_feeds is '热线数据质量分：构建时计算，只追加有变化的行';
