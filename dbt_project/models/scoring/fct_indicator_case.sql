-- What each scheme made of the measure rows in every period it scored: the rows behind each number.
{{ config(materialized='stable_view', schema='mart') }}

with schemes as (
    {{ scored_schemes(source('mart', 'score_run')) }}
),

indicators as (
    {{ scored_indicators('schemes') }}
),

units as (
    {{ scored_units('schemes') }}
),

counted as (
    {{ counted_rows('indicators') }}
)

{{ rows_of_scored_units('counted', 'units', ['scheme_id', 'scheme_version', 'period', 'unit_code']) }}
