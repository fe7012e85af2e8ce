-- Who pulls scores explains and exports them too: by the scheme's text, the builds, and the files that rows came from.
grant usage on schema config to minhu_evaluator;
grant select on all tables in schema config to minhu_evaluator;
grant select on audit.batch, audit.build, audit.event_version, audit.lifecycle_anomaly to minhu_evaluator;
