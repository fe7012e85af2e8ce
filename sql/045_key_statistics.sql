-- A case's two columns are one key. Without this the planner takes nine lookups in ten of a join by both for repeated
-- ones, and fetches a month of staging row by row through the index instead of reading it once.
create statistics build.touched_case_key (ndistinct) on feed_code, case_no from build.touched_case;
