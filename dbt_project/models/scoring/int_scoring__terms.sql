-- The numbers by which the run being scored turns counts into points, for each peer group.
{{ config(post_hook='analyze {{ this }}') }}

{{ indicator_terms(ref('int_scoring__schemes')) }}
