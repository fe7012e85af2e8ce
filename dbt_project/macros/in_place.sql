{#
    In the place of dbt's own tables and views. Those keep the old relation for readers until the new one stands, and
    rename twice. Nobody reads schema build while it is being built: one statement drops the old one and makes the new
    one, in one transaction, at half the work.
#}
{% materialization table, adapter='postgres' -%}
    {{ return(replaced(this.incorporate(type='table'), pre_hooks, sql, post_hooks)) }}
{%- endmaterialization %}

{% materialization view, adapter='postgres' -%}
    {{ return(replaced(this.incorporate(type='view'), pre_hooks, sql, post_hooks)) }}
{%- endmaterialization %}

{% macro replaced(target, before, sql, after) -%}
    {%- set old = load_cached_relation(target) -%}
    {{ run_hooks(before) }}
    {% call statement('main') -%}
        {% if old is not none %} drop {{ old.type }} if exists {{ old }} cascade; {% endif %}
        {% if target.is_table %} {{ get_create_table_as_sql(False, target, sql) }}
        {% else %} {{ get_create_view_as_sql(target, sql) }} {% endif %}
    {%- endcall %}
    {{ run_hooks(after) }}
    {{ adapter.commit() }}
    {{ return({'relations': [target]}) }}
{%- endmacro %}
