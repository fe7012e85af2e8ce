{#
    A view that is replaced in place and only when its text changed. dbt's own view materialization renames and drops,
    which takes the views and grants that stand on it along.
#}
{% materialization stable_view, adapter='postgres' -%}
    {%- set target_relation = this.incorporate(type='view') -%}
    {%- set mark = 'definition ' ~ local_md5(sql) -%}
    {{ run_hooks(pre_hooks) }}
    {%- set known = run_query(
        "select obj_description(to_regclass('" ~ target_relation.render() | replace('"', '') ~ "'), 'pg_class')"
    ) -%}
    {% if known.columns[0].values()[0] == mark %}
        {% call statement('main') -%} select 1 {%- endcall %}
    {% else %}
        {% call statement('main') -%}
            create or replace view {{ target_relation }} as {{ sql }};
            comment on view {{ target_relation }} is '{{ mark }}';
        {%- endcall %}
    {% endif %}
    {{ run_hooks(post_hooks) }}
    {{ adapter.commit() }}
    {{ return({'relations': [target_relation]}) }}
{%- endmaterialization %}
