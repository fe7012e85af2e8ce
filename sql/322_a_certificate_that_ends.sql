-- A certificate that ends is told weeks before: the servers that hold to it would refuse every connection at once.
alter table audit.incident drop constraint incident_kind_check;
alter table audit.incident add constraint incident_kind_check check (kind in (
    'missing', 'late', 'refused', 'held', 'arrived', 'build_failed', 'build_late', 'not_built', 'gate_failed',
    'approval_waits', 'closing_outdated', 'disk', 'clock_off', 'calendar_ends', 'airflow_silent', 'task_queued',
    'run_failed', 'backup_old', 'certificate_ends'
));
