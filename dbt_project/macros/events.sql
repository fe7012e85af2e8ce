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
    Whom a row about a case speaks of: each row of `moments` (moment_id, root_case_id, unit_ref, happened_at, moment_rank)
    with the assignment it belongs to. With a unit: that unit's assignments; without: the lead's. The nearest one opened
    before it wins; if none was, the nearest opened after, since clocks of two systems differ.
#}
{% macro belongs_to_assignment(moments, assignments) -%}
    (
        select distinct on (moments.moment_id)
            moments.moment_id,
            assignments.assignment_id
        from {{ moments }} as moments
        inner join {{ assignments }} as assignments
            on moments.root_case_id = assignments.root_case_id
        where
            moments.unit_ref = assignments.unit_ref
            or (moments.unit_ref is null and assignments.unit_role = 'lead')
        order by
            moments.moment_id,
            (
                assignments.dispatched_at < moments.happened_at
                or (
                    assignments.dispatched_at = moments.happened_at
                    and assignments.opening_rank < moments.moment_rank
                )
            ) desc,
            abs(extract(epoch from moments.happened_at - assignments.dispatched_at)),
            assignments.opening_rank desc,
            assignments.assignment_id
    )
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
