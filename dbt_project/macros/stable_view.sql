{#
    A view that is replaced in place and only when its text or its contract changed. dbt's own view materialization
    renames and drops, which takes the views and grants that stand on it along. Where new columns do not fit the old
    ones PostgreSQL refuses, and so do we: whoever reads the view must be told first.
#}
{% materialization stable_view, adapter='postgres' -%}
    {%- set target_relation = this.incorporate(type='view') -%}
    {%- set columns = contracted_columns() -%}
    {%- set mark = 'definition ' ~ local_md5(sql ~ columns.values() | map(attribute='data_type') | join(' ')) -%}
    {{ run_hooks(pre_hooks) }}
    {%- set known = run_query(
        "select obj_description(to_regclass('" ~ target_relation.render() | replace('"', '') ~ "'), 'pg_class')"
    ) -%}
    {% if known.columns[0].values()[0] == mark %}
        {% call statement('main') -%} select 1 {%- endcall %}
    {% else %}
        {% do assert_columns(sql, columns) %}
        {% call statement('main') -%}
            create or replace view {{ target_relation }} as {{ sql }};
            comment on view {{ target_relation }} is '{{ mark }}';
        {%- endcall %}
    {% endif %}
    {{ run_hooks(post_hooks) }}
    {{ adapter.commit() }}
    {{ return({'relations': [target_relation]}) }}
{%- endmaterialization %}

{# The columns a view is held to: those of the row that every measure gives. #}
{% macro contracted_columns() -%}
    {{ return(graph.nodes['model.minhu.measured_row'].columns) }}
{%- endmacro %}

{# What dbt's assert_columns_equivalent does, with columns that may be those of another model. #}
{% macro assert_columns(sql, columns) -%}
    {%- set given = format_columns(get_column_schema_from_query(sql)) -%}
    {%- set promised = format_columns(get_column_schema_from_query(get_empty_schema_sql(columns))) -%}
    {%- if given | map(attribute='formatted') | sort != promised | map(attribute='formatted') | sort -%}
        {%- do exceptions.raise_contract_error(promised, given) -%}
    {%- endif -%}
{%- endmacro %}
