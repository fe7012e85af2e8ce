-- The scheme of the run being scored.
{{ config(post_hook='analyze {{ this }}') }}

{{ scored_schemes(ref('score_run')) if not var('changed_scheme', '') else changed_scheme(ref('score_run')) }}
