-- noqa: disable=layout.indent
{#
    dbt creates the table of a contract first and inserts into it, and an insert is never planned in parallel. The same
    promises otherwise: the query's columns are those declared, and what is declared not null holds no null.
#}
{% macro postgres__create_table_as(temporary, relation, sql) -%}
    {%- set is_promised = config.get('contract').enforced and not temporary -%}
    {%- if is_promised -%}
        {{ get_assert_columns_equivalent(sql) }}
    {%- endif -%}
    create
    {%- if temporary %} temporary {%- elif config.get('unlogged', default=false) %} unlogged {%- endif %}
    table {{ relation }} as (
        {{ get_select_subquery(sql) if is_promised else sql }}
    );
    {%- if is_promised %}
    {%- set present = [] %}
    {%- for column in model.columns.values() if column.constraints | selectattr('type', 'equalto', 'not_null') | list %}
        {%- do present.append('alter column ' ~ column.name ~ ' set not null') %}
    {%- endfor %}
    {%- if present %}
    alter table {{ relation }} {{ present | join(', ') }};
    {%- endif %}
    {%- endif %}
{%- endmacro %}
