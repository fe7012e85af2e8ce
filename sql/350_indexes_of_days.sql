-- Duties by the day of dispatch, which limits are bound by, and those that are open, which boards ask for all the time.
create index fct_timeliness_dispatched on mart.fct_timeliness (dispatched_on);
create index fct_timeliness_open on mart.fct_timeliness (unit_code) where ended_at is null;
