-- The rooms of the warehouse. dbt owns schema build (made anew by every build) and nothing else.
create schema config;      -- what the city declares: feeds, units, calendar, limits, schemes; versioned rows
create schema audit;       -- what happened: batches, verdicts, builds, quality results
create schema restricted;  -- citizens' data as sent: rejected raw rows; no login role reads it
create schema staging;     -- accepted layouts of what feeds sent, one row per source row
create schema build;       -- dbt's models for the touched cases of one build
create schema mart;        -- facts, dimensions, indicators and scores that people read
create schema assess;      -- what people decide: appeals, exclusions, manual points, violations, approvals, waivers
create schema publish;     -- what was closed, approved and published, for good

comment on schema config is '配置：热线、承办单位、日历、时限、考核办法';
comment on schema audit is '审计：批次、门禁、构建、质量结果';
comment on schema restricted is '受限：含个人信息的原始行';
comment on schema staging is '接入：各热线送达的记录';
comment on schema build is '构建：本次构建的中间表';
comment on schema mart is '主题：事实、维度、指标与得分';
comment on schema assess is '评定：申诉、剔除、人工计分、效能认定、审批，只增不改';
comment on schema publish is '发布：关账、发布的结果与证据，只增不改，逐行哈希成链';

-- Who enters. Auditors read what happened and what holds; whoever writes a row of the access log (audit.log_export)
-- needs its schema, and is granted table by table what else he may read there. Schemas restricted, staging and build
-- are open to the owner alone.
grant usage on schema mart to minhu_bi, minhu_evaluator, minhu_auditor;
grant usage on schema audit to minhu_bi, minhu_evaluator, minhu_auditor, minhu_unit;
grant usage on schema config to minhu_evaluator, minhu_auditor;
grant usage on schema assess to minhu_evaluator, minhu_auditor, minhu_unit;
grant usage on schema publish to minhu_bi, minhu_evaluator, minhu_auditor, minhu_unit;

-- What every table and view of a schema is granted when it is made, by whatever migration or build.
alter default privileges in schema mart grant select on tables to minhu_bi, minhu_evaluator, minhu_auditor;
alter default privileges in schema audit grant select on tables to minhu_auditor;
alter default privileges in schema assess grant select on tables to minhu_evaluator, minhu_auditor;
