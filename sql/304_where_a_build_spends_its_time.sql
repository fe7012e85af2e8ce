-- The steps of a build, in their order, and how long each took; models and tests by themselves stand in build_node.
create table audit.build_step (
    build_id bigint not null references audit.build,
    step_no integer not null,
    step text not null check (step in (
        'configuration', 'statistics', 'choose', 'models', 'apply', 'counts', 'feed_scores', 'comments'
    )),
    seconds numeric not null,
    primary key (build_id, step_no)
);
comment on table audit.build_step is '构建各步用时（秒）';
