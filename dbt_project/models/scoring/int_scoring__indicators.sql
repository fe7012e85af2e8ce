-- The indicators of the run being scored.
{{ config(post_hook='analyze {{ this }}') }}

{{ scored_indicators(ref('int_scoring__schemes')) }}
