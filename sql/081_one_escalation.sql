-- What has escalated is listed thing by thing by audit.escalated_gap; that it is counted as well says the same twice.
drop function audit.escalated_findings(date, date);
