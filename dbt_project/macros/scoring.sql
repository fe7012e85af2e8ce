-- noqa: disable=layout.indent
-- Loops write the SQL here; what they write is indented where it lands.

{# The scheme each run was scored by: the entry in force at its config_version. Columns of the run, and data. #}
{% macro scored_schemes(runs) -%}
    select
        runs.scheme_id,
        runs.scheme_version,
        runs.period,
        runs.starts_at,
        runs.ends_at,
        runs.as_of,
        entries.data
    from {{ runs }} as runs
    inner join {{ source('config', 'entry') }} as entries
        on
            entries.kind = 'scheme'
            and entries.key = runs.scheme_id
            and entries.data ->> 'scheme_version' = runs.scheme_version
            and entries.since_version <= runs.config_version
            and (entries.until_version is null or entries.until_version > runs.config_version)
{%- endmacro %}

{# A scheme that nobody has put into force, as its driver gives it: base64 of its entry. For a what-if alone. #}
{% macro changed_scheme(runs) -%}
    select
        scheme_id,
        scheme_version,
        period,
        starts_at,
        ends_at,
        as_of,
        convert_from(decode('{{ var("changed_scheme") }}', 'base64'), 'UTF8')::jsonb as data
    from {{ runs }}
{%- endmacro %}

{#
    The numbers of each indicator for each peer group that it scores, in force on the first day of the period, or of the
    scheme, where that begins within the period: of the entries of a parameter the latest, one that names the peer group
    before one for all.
#}
{% macro indicator_terms(schemes) -%}
    select
        declared.scheme_id,
        declared.scheme_version,
        declared.period,
        declared.peer_group,
        declared.indicator_code,
        declared.measure_code,
        declared.aggregate,
        declared.moment,
        declared.scoring ->> 'function' as scoring_function,
        coalesce(declared.scoring ->> 'better', 'higher') as better,
        declared.scoring ->> 'entry' as entry,
        declared.scoring -> 'steps' as steps,
        (declared.scoring ->> 'otherwise')::numeric as otherwise,
        declared.when_empty,
        declared.measure_code is not null
        and (declared.aggregate in ('rate', 'share') or declared.weights is not null) as is_percent,
        declared.measure_code is not null
        and declared.moment not in ('received_at', 'dispatched_at')
        and declared.aggregate not in ('share', 'per_10k') as judges,
        declared.rate_decimals,
        declared.kept_decimals,
        max(in_force.value) filter (where in_force.name = 'points') as points_max,
        max(in_force.value) filter (where in_force.name = 'target') as target,
        max(in_force.value) filter (where in_force.name = 'per_point') as per_point,
        max(in_force.value) filter (where in_force.name = 'floor') as floor_points,
        max(in_force.value) filter (where in_force.name = 'per_item') as per_item,
        max(in_force.value) filter (where in_force.name = 'cap') as cap_points,
        max(in_force.value) filter (where in_force.name = 'min_n') as min_n
    from (
        select
            schemes.scheme_id,
            schemes.scheme_version,
            schemes.period,
            peers.data ->> 'code' as peer_group,
            listed.data ->> 'code' as indicator_code,
            listed.data ->> 'measure' as measure_code,
            listed.data ->> 'aggregate' as aggregate,
            listed.data ->> 'moment' as moment,
            listed.data ->> 'when_empty' as when_empty,
            nullif(listed.data -> 'answers' -> 'weights', 'null') as weights,
            listed.data -> 'scoring' as scoring,
            listed.data -> 'parameters' as parameters,
            (schemes.data -> 'rounding' ->> 'rate_decimals')::integer as rate_decimals,
            case
                when schemes.data -> 'rounding' ->> 'order' = 'sum_first' then 12
                else (schemes.data -> 'rounding' ->> 'decimals')::integer
            end as kept_decimals,
            greatest(
                (schemes.starts_at at time zone (schemes.data ->> 'timezone'))::date,
                (schemes.data ->> 'valid_from')::date
            ) as first_day
        from {{ schemes }} as schemes
        cross join lateral jsonb_array_elements(schemes.data -> 'indicators') as listed (data)
        cross join lateral jsonb_array_elements(schemes.data -> 'peer_groups') as peers (data)
        where
            nullif(listed.data -> 'peer_groups', 'null') is null
            or listed.data -> 'peer_groups' ? (peers.data ->> 'code')
    ) as declared
    cross join lateral (
        select distinct on (given.name)
            given.name,
            (entries.data ->> 'value')::numeric as value
        from jsonb_each(declared.parameters) as given (name, list)
        cross join lateral jsonb_array_elements(given.list) as entries (data)
        where {{ entry_fits('entries.data', 'declared.peer_group', 'declared.first_day') }}
        order by given.name asc, {{ best_entry_first('entries.data') }}
    ) as in_force
    group by
        declared.scheme_id,
        declared.scheme_version,
        declared.period,
        declared.peer_group,
        declared.indicator_code,
        declared.measure_code,
        declared.aggregate,
        declared.moment,
        declared.scoring,
        declared.when_empty,
        declared.weights,
        declared.rate_decimals,
        declared.kept_decimals
{%- endmacro %}

{# Whether an entry of a parameter speaks of a peer group on a day. #}
{% macro entry_fits(entry, peer_group, day) -%}
    coalesce(({{ entry }} ->> 'since')::date <= {{ day }}, true)
    and (nullif({{ entry }} -> 'peer_groups', 'null') is null or {{ entry }} -> 'peer_groups' ? {{ peer_group }})
{%- endmacro %}

{# The order in which the first of the fitting entries is the one in force. #}
{% macro best_entry_first(entry) -%}
    nullif({{ entry }} -> 'peer_groups', 'null') is null asc, ({{ entry }} ->> 'since')::date desc nulls last
{%- endmacro %}
