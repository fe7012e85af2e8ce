-- What was usual for each judged delivery and how far from it each measure may lie: the limits that rules of the asset
-- batch_threshold hold it to, kept in audit.batch_threshold. docs/quality.md says the same in words.
--
-- usual: the median over the peers. spread: 1.4826 × MAD, or what chance alone gives a batch of this size, whichever is
-- more; of a young delivery also half the widest deviation, since it still grows. A warning is given beyond
-- usual ± max(4 spreads, soft), a critical rule fails beyond usual ± max(6 spreads, hard). Of rows the limits above are
-- at least 15 and 30 more than usual, and shares are judged from twenty rows on: of a handful one row is much.
with band (metric, is_seasonal, scale, soft, hard, hard_low) as (
    values
    -- rows: shares of the usual number. Half of it is too few, of cases nearly double is too many. Events and callbacks
    -- come in waves after days of rest: three times is too many (a file told twice is found by its rows).
    ('staged_rows', true, 'rows', 0.4, 0.8, 0.45),
    -- points of a hundred more than usual
    ('rejected_pct', false, 'points', 5, 30, null),
    ('duplicate_pct', false, 'points', 5, 30, null),
    ('repeated_pct', false, 'points', 20, 50, null),
    ('same_number_pct', false, 'points', 20, 50, null),
    ('stranger_pct', false, 'points', 25, 60, null),
    ('garbled_pct', false, 'points', 5, 20, null),
    ('category_null_pct', false, 'points', 20, 60, null),
    ('request_type_null_pct', false, 'points', 20, 60, null),
    ('area_null_pct', false, 'points', 20, 60, null),
    ('text_null_pct', false, 'points', 20, 60, null),
    ('caller_null_pct', false, 'points', 25, 70, null),
    ('coordinate_null_pct', false, 'points', 25, null, null),
    ('dispatch_unit_null_pct', false, 'points', 20, 60, null),
    ('due_null_pct', false, 'points', 25, 70, null),
    ('outcome_null_pct', false, 'points', 20, 60, null),
    ('unknown_category_pct', false, 'points', 10, 50, null),
    ('unknown_area_pct', false, 'points', 10, 50, null),
    ('unresolved_unit_pct', false, 'points', 10, 50, null),
    ('old_pct', false, 'points', 10, 50, null),
    ('late_pct', false, 'points', 40, null, null),
    -- points of rows that changed their code or hour (derived.sql); nothing is usual before there is a history of it
    ('category_shift_pct', true, 'shift', 20, 50, null),
    ('request_type_shift_pct', true, 'shift', 20, 30, null),
    ('urgency_shift_pct', true, 'shift', 20, 40, null),
    ('area_shift_pct', true, 'shift', 20, 50, null),
    ('unit_shift_pct', true, 'shift', 30, 60, null),
    ('event_type_shift_pct', true, 'shift', 25, 45, null),
    ('satisfaction_shift_pct', true, 'shift', 15, 30, null),
    ('resolution_shift_pct', true, 'shift', 15, 30, null),
    ('hour_shift_pct', true, 'shift', 25, 45, null),
    -- days and hours more than usual
    ('stale_days', false, 'time', 2, 5, null),
    ('delay_hours', false, 'time', 12, null, null)
),

measured as (
    select
        profile.batch_id,
        profile.metric,
        profile.value,
        band.is_seasonal,
        band.scale,
        band.soft,
        case when band.scale = 'rows' and batch.kind <> 'case' then 2 else band.hard end as hard,
        band.hard_low,
        size.value as row_count
    from audit.batch_profile as profile
    inner join audit.batch on profile.batch_id = batch.batch_id
    inner join band on profile.metric = band.metric
    inner join audit.batch_profile as size on profile.batch_id = size.batch_id and size.metric = 'staged_rows'
    where profile.batch_id = any(%(batches)s)
),

-- the peers of a batch, and how many they are: few of them may have the measure itself
peers as (
    select
        batch_id,
        is_seasonal,
        min(compared_with) as compared_with,
        count(*) as batch_count
    from peer
    group by batch_id, is_seasonal
),

past as (
    select
        peer.batch_id,
        peer.is_seasonal,
        profile.metric,
        profile.value
    from peer
    inner join audit.batch_profile as profile on peer.past_batch_id = profile.batch_id
    inner join band on profile.metric = band.metric and peer.is_seasonal = band.is_seasonal
),

middle as (
    select
        batch_id,
        metric,
        cast(percentile_cont(0.5) within group (order by value) as numeric) as usual,
        count(*) as batch_count
    from past
    group by batch_id, metric
),

deviation as (
    select
        past.batch_id,
        past.metric,
        1.4826 * cast(percentile_cont(0.5) within group (order by abs(past.value - middle.usual)) as numeric) as robust,
        max(abs(past.value - middle.usual)) as widest
    from past
    inner join middle on past.batch_id = middle.batch_id and past.metric = middle.metric
    group by past.batch_id, past.metric
),

known as (
    select
        measured.*,
        peers.compared_with,
        coalesce(middle.batch_count, 0) as earlier_batches,
        coalesce(middle.usual, 0) as usual,
        coalesce(deviation.robust, 0) as robust,
        case when peers.compared_with = 'day_kind' and peers.batch_count < 10 then deviation.widest / 2 end as young
    from measured
    inner join peers on measured.batch_id = peers.batch_id and measured.is_seasonal = peers.is_seasonal
    left join middle on measured.batch_id = middle.batch_id and measured.metric = middle.metric
    left join deviation on measured.batch_id = deviation.batch_id and measured.metric = deviation.metric
    where
        (measured.scale = 'rows' or measured.row_count >= 20)
        and (measured.scale = 'shift' or middle.batch_count * 2 >= peers.batch_count)
),

spread as (
    select
        *,
        greatest(
            robust,
            young,
            case scale
                when 'rows' then greatest(sqrt(greatest(usual, 1)), 0.05 * usual)
                when 'points'
                    then 100 * sqrt(
                        least(greatest(usual, 2), 98) * (100 - least(greatest(usual, 2), 98)) / 10000 / row_count
                    )
                when 'shift' then 2
                when 'time' then 0.5
            end
        ) as spread,
        case when scale = 'rows' then usual else 1 end as unit,
        case when scale = 'rows' then 15 end as few
    from known
),

final as (
    select
        batch_id,
        metric,
        value,
        round(usual, 2) as usual,
        round(spread, 2) as spread,
        case when hard_low is not null then round(usual - greatest(6 * spread, hard_low * unit), 2) end as low_hard,
        case when hard_low is not null then round(usual - greatest(4 * spread, soft * unit), 2) end as low_soft,
        round(usual + greatest(4 * spread, soft * unit, few), 2) as high_soft,
        case when hard is not null then round(usual + greatest(6 * spread, hard * unit, 2 * few), 2) end as high_hard,
        compared_with,
        earlier_batches
    from spread
)

insert into audit.batch_threshold (
    batch_id, metric, value, usual, spread, low_hard, low_soft, high_soft, high_hard, compared_with, earlier_batches
)
select * from final;
