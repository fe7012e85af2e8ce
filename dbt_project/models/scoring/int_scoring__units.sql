-- The units of the run being scored.
{{ config(post_hook='analyze {{ this }}') }}

{{ scored_units(ref('int_scoring__schemes')) }}
