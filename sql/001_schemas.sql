-- The rooms of the warehouse. dbt owns schema build (made anew by every build) and nothing else.
create schema config;      -- what the city declares: feeds, units, calendar, limits, schemes; versioned rows
create schema audit;       -- what happened: batches, verdicts, builds, quality results
create schema restricted;  -- citizens' data as sent: rejected raw rows; no login role reads it
create schema staging;     -- accepted layouts of what feeds sent, one row per source row
create schema build;       -- dbt's models for the touched cases of one build
create schema mart;        -- facts, dimensions, indicators and scores that people read

comment on schema config is '配置：热线、承办单位、日历、时限、考核办法';
comment on schema audit is '审计：批次、门禁、构建、质量结果';
comment on schema restricted is '受限：含个人信息的原始行';
comment on schema staging is '接入：各热线送达的记录';
comment on schema build is '构建：本次构建的中间表';
comment on schema mart is '主题：事实、维度、指标与得分';
