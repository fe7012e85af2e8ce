-- The run being scored, as its driver gives it: one row. `minhu score` moves it to mart.score_run with the results.
select
    '{{ var("scheme_id") }}'::text as scheme_id,
    '{{ var("scheme_version", "") }}'::text as scheme_version,
    '{{ var("period") }}'::text as period,
    '{{ var("starts_at", "-infinity") }}'::timestamptz as starts_at,
    '{{ var("ends_at", "infinity") }}'::timestamptz as ends_at,
    '{{ var("as_of", "infinity") }}'::timestamptz as as_of,
    {{ var("build_id") }}::bigint as build_id,
    {{ var("config_version") }}::bigint as config_version,
    nullif({{ var("run_no", 0) }}, 0)::bigint as run_no
