-- A build that failed is continued by the next one while nothing that it rests on has changed.
alter table audit.build
    add column fingerprint text,
    add column continues_build_id bigint references audit.build;
comment on column audit.build.fingerprint is
'Hash of all that the build rests on: code, configuration, batches, touched cases, links of callers.';
comment on column audit.build.continues_build_id is
'The failed build whose models and tests that had passed were taken over.';
alter table audit.build_node add column ran_in_build_id bigint references audit.build;
comment on column audit.build_node.ran_in_build_id is 'The earlier build that ran it; null where this one did.';
