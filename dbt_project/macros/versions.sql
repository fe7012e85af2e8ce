{#
    The newest version of each thing that `key` names, by `version_order` (oldest first). A version sent again unchanged
    is told by the row that sent it first: columns told_by_batch_id and told_by_row_number, so that an identical re-send
    changes nothing, not even where a fact says it comes from.
#}
{% macro newest_version(versions, key, version_order=['order_key', 'row_number']) -%}
    (
        select distinct on ({{ key | join(', ') }}) *
        from (
            select
                *,
                first_value(batch_id) over same_content as told_by_batch_id,
                first_value(row_number) over same_content as told_by_row_number
            from {{ versions }}
            window same_content as (
                partition by {{ key | join(', ') }}, row_hash
                order by {{ version_order | join(', ') }}
            )
        ) as told
        order by {{ key | join(', ') }}, {{ version_order | join(' desc, ') }} desc
    )
{%- endmacro %}
