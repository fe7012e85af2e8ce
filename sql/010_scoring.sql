-- What explaining one unit's score reads of the facts: its own callbacks and violations (assignments have theirs).
create index fct_satisfaction_unit on mart.fct_satisfaction (unit_code, called_at);
create index fct_violation_unit on mart.fct_violation (unit_code, found_at);

-- Cases that count for nobody: few, and asked for by every measure.
create index fct_case_excluded on mart.fct_case (case_id) include (exclusion_reason) where is_excluded;
