{# Joins what a unit's name means at a moment: `names` is stg_unit_name. #}
{% macro means_at(names, name, moment) -%}
    {{ name }} = {{ names }}.unit_name
    and {{ local_date(moment) }} >= {{ names }}.valid_from
    and {{ local_date(moment) }} < {{ names }}.valid_to
{%- endmacro %}

{# Joins the unit as it was at a moment: `held` is int_unit__held. #}
{% macro held_at(held, unit_code, moment) -%}
    {{ unit_code }} = {{ held }}.unit_code
    and {{ local_date(moment) }} >= {{ held }}.held_from
    and {{ local_date(moment) }} < {{ held }}.held_until
{%- endmacro %}

{# Whether two lists of unit codes have one in common. #}
{% macro share_a_unit(codes, other_codes) -%}
    string_to_array({{ codes }}, ';') && string_to_array({{ other_codes }}, ';')
{%- endmacro %}
