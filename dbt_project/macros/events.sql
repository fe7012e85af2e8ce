{#
    The place of an event in the life-cycle. It decides between two events of the same second, which feeds with minute
    precision and bulk actions send: what opens comes before what answers, a grant before the dispatch it causes.
#}
{% macro event_rank(event_type) -%}
    array_position(
        array[
            'ACCEPT', 'DIRECT', 'REJECT_INTAKE', 'TRANSFER_EMERGENCY', 'DISPATCH', 'ADD_UNIT', 'SIGN', 'RETURN_REQUEST',
            'RETURN_DENY', 'RETURN_GRANT', 'DESIGNATE', 'REDISPATCH', 'COUNTERSIGN', 'FIRST_CONTACT', 'EXTEND_REQUEST',
            'EXTEND_DENY', 'EXTEND_GRANT', 'URGE', 'SUPERVISE', 'REPLY', 'CLOSE', 'REVIEW_PASS', 'REVIEW_BACK',
            'CALLBACK', 'RATE', 'REWORK', 'TERMINATE', 'MERGE', 'ARCHIVE', 'APPEAL', 'EXCLUDE_GRANT', 'EXCLUDE_DENY',
            'VIOLATION'
        ],
        {{ event_type }}
    )
{%- endmacro %}

{#
    Whom a row about a case speaks of: each row of `moments` (moment_id, root_case_id, unit_name, unit_ref, unit_codes,
    happened_at, moment_rank) with the dispatch it answers. With a unit, in this order: that unit's;
    those dispatched under the same name, whosever it is by now; those of units whose work it carries on, the lead's
    first. Without: the lead's. The nearest one opened before it wins; if none was, the nearest opened after, since
    clocks of two systems differ. A name that may mean several units takes no pick among the assignments of several.
#}
{% macro belongs_to_assignment(moments, assignments, unit_names) -%}
    (
        with pairs as (
            select
                moments.moment_id,
                moments.happened_at,
                moments.unit_codes,
                assignments.assignment_id,
                assignments.unit_ref,
                assignments.unit_role,
                assignments.dispatched_at,
                assignments.opening_rank,
                assignments.is_only,
                (assignments.dispatched_at, assignments.opening_rank) < (moments.happened_at, moments.moment_rank)
                    as is_opened_before,
                case
                    when moments.unit_ref is null then assignments.unit_role = 'lead'
                    when moments.unit_ref = assignments.unit_ref then true
                end as is_of_unit,
                moments.unit_name = assignments.unit_name_raw as is_of_name,
                {{ share_a_unit('moments.unit_codes', 'carried.unit_codes') }} as is_carried
            from {{ moments }} as moments
            inner join {{ assignments }} as assignments
                on moments.root_case_id = assignments.root_case_id
            left join {{ unit_names }} as carried
                on {{ means_at('carried', 'coalesce(assignments.unit_code, assignments.unit_name_raw)', 'moments.happened_at') }}
        ),

        placed as (
            select
                *,
                case when is_of_unit then 1 when is_of_name then 2 else 3 end as nearness
            from pairs
            where is_of_unit or is_of_name or is_carried
        ),

        told_apart as (
            select
                *,
                min(unit_ref) over same_nearness <> max(unit_ref) over same_nearness as is_of_several
            from placed
            where not is_only
            window same_nearness as (partition by moment_id, is_opened_before, nearness)
        ),

        nearest as (
            select distinct on (moment_id)
                moment_id,
                assignment_id
            from told_apart
            where nearness < 3 or not is_of_several or strpos(unit_codes, ';') = 0
            order by
                moment_id,
                is_opened_before desc,
                nearness,
                nearness = 3 and unit_role = 'support',
                abs(extract(epoch from happened_at - dispatched_at)),
                case when is_opened_before then -opening_rank else opening_rank end,
                assignment_id
        )

        -- Most cases have one assignment: nothing is to be put in order there, which costs more than all the rest.
        select
            moment_id,
            assignment_id
        from placed
        where is_only
        union all
        select * from nearest
    )
{%- endmacro %}

{# A moment and the rank of its event as one number: of two the lesser comes first. #}
{% macro order_key(happened_at, event_rank) -%}
    ((extract(epoch from {{ happened_at }}) * 1000000)::bigint * 64 + {{ event_rank }})
{%- endmacro %}

{#
    Whether a moment lies in the time in which a dispatch stands in a duty (int_assignment__retold). What answers a dispatch
    and seems to come before it counts at it.
#}
{% macro stands_in(happened_at, moment_rank, retold) -%}
    (
        ({{ happened_at }}, {{ moment_rank }}) > ({{ retold }}.from_at, {{ retold }}.from_rank)
        or ({{ retold }}.told_at, {{ retold }}.told_rank) >= ({{ retold }}.from_at, {{ retold }}.from_rank)
    )
    and ({{ happened_at }}, {{ moment_rank }}) <= ({{ retold }}.until_at, {{ retold }}.until_rank)
    and ({{ retold }}.told_at, {{ retold }}.told_rank) < ({{ retold }}.until_at, {{ retold }}.until_rank)
{%- endmacro %}

{#
    Whose word on an event goes first: 0 the source of record, 4 a milestone on the case's row. The hotline that owns the
    case tells best what the hotline does, the unit's own system what the unit does (`unit_tells` of the city).
#}
{% macro source_rank(events, feed_role, unit_tells) -%}
    case
        when {{ events }}.source = 'record' then 4
        when {{ unit_tells }} ? {{ events }}.event_type
            then
                case
                    when {{ feed_role }} = 'response' then 0
                    when {{ events }}.is_own then 1
                    else 2
                end
        when {{ events }}.is_own then 0
        when {{ feed_role }} = 'response' then 2
        else 1
    end
{%- endmacro %}
