-- What the scheme made of the measure rows of the run being scored: as mart.fct_indicator_case will show it.
-- Ephemeral: a view on two tables that two threads replace at once makes them wait for each other for ever.
{{ config(materialized='ephemeral') }}

with counted as (
    {{ counted_rows(ref('int_scoring__indicators'), var('moments', {})) }}
)

-- One run, so the unit says it all; more keys would make the planner expect a single row.
{{ rows_of_scored_units('counted', ref('int_scoring__units'), ['unit_code']) }}
