-- The scheme of the run being scored.
{{ config(post_hook='analyze {{ this }}') }}

{{ scored_schemes(ref('score_run')) }}
