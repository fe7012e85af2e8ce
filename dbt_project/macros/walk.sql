{#
    Walks matters from their first moment to their last: opens duties, hangs on each what is done, ends them. What was
    told so far decides what comes next, so this is a loop and no query. `moments` is int_event__sequenced.

    Returned are rows of three kinds:
      dispatch  each dispatch, and of the duty that it opens when that began and what became of it
      word      from when on a dispatch stands in a duty that another opened
      event     on which duty an event of the minute of an opening hangs, or a granted return, and when it counts there

    The anchors in the comments are the readings' (docs/decisions/).
#}
{% macro walk_matters_function(schema) -%}
    create or replace function {{ schema }}.walk_matters(moments text, tolerance interval)
    returns table (
        kind text,
        told_id text,
        assignment_id text,
        duty_no integer,
        opened_at timestamptz,
        opened_rank numeric,
        dispatched_at timestamptz,
        opening_rank integer,
        edition integer,
        is_opened boolean,
        taken_over_at timestamptz,
        replaced_at timestamptz,
        replaced_rank integer,
        superseded_by text,
        returned_at timestamptz,
        is_barred boolean
    )
    language plpgsql stable as $walk$
    declare
        moment record;
        matter text;

        -- of every dispatch of the matter, by its number
        word_id text[];
        word_at timestamptz[];
        word_rank integer[];
        word_hotline text[];
        word_round integer[];
        word_edition integer[];
        word_deeds integer[];  -- how many deeds there were when it was told
        word_designated_at timestamptz[];
        word_is_taken_back boolean[];
        word_duty integer[];  -- in which it stands
        word_opened integer[];  -- which it opened
        words integer := 0;

        -- of every duty, by the number in which they were opened
        duty_word integer[];
        duty_key bigint[];
        duty_opened_at timestamptz[];
        duty_opened_rank integer[];
        duty_at timestamptz[];
        duty_rank integer[];
        duty_unit text[];
        duty_is_lead boolean[];
        duty_round integer[];
        duty_edition integer[];
        duty_is_open boolean[];
        duty_closed_key bigint[];  -- the close that stands
        duty_back_key bigint[];  -- the last review that sent it back
        duty_end_key bigint[];  -- the first end of the case
        duty_returned_at timestamptz[];
        duty_is_answered boolean[];
        duty_sealed_at timestamptz[];
        duty_sealed_rank integer[];
        duty_sealed_by integer[];
        duty_taken_over_at timestamptz[];
        duty_deeds integer[];  -- the number of its last deed
        duties integer := 0;

        deeds integer := 0;
        returned_hotline text[];  -- returns that no redispatch has answered yet
        returned_duty integer[];
        close_id text[];  -- closes of the minute of the opening that comes next
        close_word integer[];
        close_key bigint[];
        placed text[];  -- events that were counted at an opening already

        duty integer;
        one integer;
        word integer;
        spoken_of integer;
        is_better boolean;
        is_answer boolean;
        hotline text;
        ending integer[];
        fallen integer[];
        fallen_at timestamptz;
    begin
        for moment in execute format(
            'select * from (select * from %1$s union all select (null::%1$s).*) as moments'
            ' order by root_case_id, anchor_key, anchor_id, step, told_key, moment_id',
            moments
        ) loop
            if moment.root_case_id is distinct from matter then
                kind := 'dispatch';
                for word in 1..words loop
                    duty := word_opened[word];
                    told_id := word_id[word];
                    assignment_id := word_id[word];
                    is_opened := duty is not null;
                    duty_no := duty;
                    opened_at := duty_opened_at[duty];
                    opened_rank := duty_opened_rank[duty];
                    dispatched_at := duty_at[duty];
                    opening_rank := duty_rank[duty];
                    edition := duty_edition[duty];
                    taken_over_at := duty_taken_over_at[duty];
                    replaced_at := duty_sealed_at[duty];
                    replaced_rank := duty_sealed_rank[duty];
                    superseded_by := word_id[duty_word[duty_sealed_by[duty]]];
                    returned_at := duty_returned_at[duty];
                    return next;
                end loop;
                exit when moment.root_case_id is null;
                matter := moment.root_case_id;
                words := 0;
                duties := 0;
                deeds := 0;
                word_designated_at := '{}';
                word_duty := '{}';
                word_opened := '{}';
                duty_closed_key := '{}';
                duty_back_key := '{}';
                duty_end_key := '{}';
                duty_returned_at := '{}';
                duty_is_answered := '{}';
                duty_sealed_at := '{}';
                duty_sealed_rank := '{}';
                duty_sealed_by := '{}';
                duty_taken_over_at := '{}';
                duty_deeds := '{}';
                returned_hotline := '{}';
                returned_duty := '{}';
                close_id := '{}';
                placed := '{}';
            end if;
            continue when moment.is_unordered and moment.moment_id = any(placed);
            fallen := '{}';

            case
            when moment.step = 3 then
                close_id := close_id || moment.moment_id;
                close_word[cardinality(close_id)] := moment.told_no;
                close_key[cardinality(close_id)] := moment.counted_key;

            when moment.event_type in ('DISPATCH', 'REDISPATCH', 'ADD_UNIT', 'REWORK') then
                words := moment.told_no;
                word_id[words] := moment.moment_id;
                word_at[words] := moment.counted_at;
                word_rank[words] := moment.counted_rank;
                word_hotline[words] := moment.hotline;
                word_round[words] := moment.round;
                word_edition[words] := moment.edition;
                word_deeds[words] := deeds;
                word_is_taken_back[words] := false;

                -- while a unit's own lead duty is open it is only told again: told-again
                duty := null;
                if moment.is_lead and moment.event_type <> 'REWORK' and moment.edition > 1 then
                    for one in 1..duties loop
                        if duty_is_open[one] and duty_is_lead[one] and duty_unit[one] = moment.unit_ref then
                            duty := one;
                        end if;
                    end loop;
                end if;
                if duty is null then
                    duties := duties + 1;
                    duty := duties;
                    word_opened[words] := duty;
                    duty_word[duty] := words;
                    duty_key[duty] := moment.anchor_key;
                    duty_opened_at[duty] := moment.counted_at;
                    duty_opened_rank[duty] := moment.counted_rank;
                    duty_at[duty] := moment.counted_at;
                    duty_rank[duty] := moment.counted_rank;
                    duty_unit[duty] := moment.unit_ref;
                    duty_is_lead[duty] := moment.is_lead;
                    duty_round[duty] := moment.round;
                    duty_edition[duty] := moment.edition;
                    duty_is_open[duty] := true;
                else
                    kind := 'word';
                    told_id := moment.moment_id;
                    assignment_id := word_id[duty_word[duty]];
                    duty_no := duty;
                    opened_at := '-infinity';
                    opened_rank := 0;
                    return next;
                end if;
                word_duty[words] := duty;

                ending := '{}';
                if moment.event_type = 'REWORK' then
                    -- the lead of the round before it, of several the one that it goes to, else who had the case last;
                    -- not what was void, nor what another had taken the place of while it was open: rework-speaks-of
                    spoken_of := null;
                    if moment.is_lead then
                        for one in 1..duties - 1 loop
                            continue when
                                not duty_is_lead[one]
                                or duty_returned_at[one] is not null
                                or (duty_sealed_at[one] is not null and duty_closed_key[one] is null)
                                or duty_end_key[one] < coalesce(duty_closed_key[one], duty_end_key[one] + 1);
                            is_better := spoken_of is null or (
                                duty_round[one],
                                (duty_unit[one] is not distinct from moment.unit_ref)::integer,
                                duty_key[one]
                            ) > (
                                duty_round[spoken_of],
                                (duty_unit[spoken_of] is not distinct from moment.unit_ref)::integer,
                                duty_key[spoken_of]
                            );
                            if is_better then
                                spoken_of := one;
                            end if;
                        end loop;
                    end if;
                    -- that one ends, and the open one of the unit that it goes to: duty-ends
                    for one in 1..duties - 1 loop
                        if
                            duty_edition[one] > 1
                            and duty_sealed_at[one] is null
                            and (
                                one is not distinct from spoken_of
                                or (
                                    duty_is_open[one]
                                    and duty_is_lead[one] = moment.is_lead
                                    and duty_unit[one] = moment.unit_ref
                                )
                            )
                        then
                            ending := ending || one;
                        end if;
                    end loop;
                elsif moment.is_replacing then
                    -- it answers a return, or else ends what its hotline gave to others: duty-ends
                    is_answer := false;
                    for one in 1..cardinality(returned_duty) loop
                        if returned_hotline[one] = moment.hotline then
                            duty_is_answered[returned_duty[one]] := true;
                            is_answer := true;
                        end if;
                    end loop;
                    for one in 1..duties loop
                        continue when
                            is_answer
                            or one = duty
                            or not duty_is_lead[one]
                            or not duty_is_open[one]
                            or coalesce(duty_unit[one] = moment.unit_ref, false);
                        if word_hotline[duty_word[one]] <> moment.hotline then
                            for word in 1..words loop
                                if word_duty[word] = one and word_hotline[word] = moment.hotline then
                                    word_is_taken_back[word] := true;
                                end if;
                            end loop;
                        elsif duty_edition[one] > 1 then
                            ending := ending || one;
                        end if;
                    end loop;
                end if;

                foreach one in array ending loop
                    -- the close of an open duty comes before what takes its place in that minute: to-the-minute
                    for number in 1..cardinality(close_id) loop
                        if duty_is_open[one] and word_duty[close_word[number]] = one then
                            placed := placed || close_id[number];
                            deeds := deeds + 1;
                            duty_deeds[one] := deeds;
                            if duty_back_key[one] is null or duty_back_key[one] < close_key[number] then
                                duty_closed_key[one] := close_key[number];
                                duty_is_open[one] := false;
                            end if;
                            kind := 'event';
                            told_id := close_id[number];
                            assignment_id := word_id[duty_word[one]];
                            opened_at := moment.counted_at;
                            opened_rank := (close_key[number] % 64)::integer;
                            return next;
                        end if;
                    end loop;
                    -- what stood closed is left alone by a redispatch; rework takes the place of that too: duty-ends
                    continue when moment.event_type <> 'REWORK' and not duty_is_open[one];
                    duty_sealed_at[one] := moment.counted_at;
                    duty_sealed_rank[one] := moment.counted_rank;
                    duty_sealed_by[one] := duty;
                    duty_is_open[one] := false;
                    if moment.event_type <> 'REWORK' then
                        for word in 1..words loop
                            if word_duty[word] = one and word_hotline[word] = moment.hotline then
                                word_is_taken_back[word] := true;
                            end if;
                        end loop;
                        fallen := fallen || one;
                        fallen_at := moment.counted_at;
                    end if;
                end loop;

                if moment.is_lead then
                    for one in 1..cardinality(returned_duty) loop
                        if returned_hotline[one] = moment.hotline then
                            returned_hotline[one] := null;
                        end if;
                    end loop;
                end if;
                close_id := '{}';

            when moment.told_no is null then
                -- a decision about the case ends what was open, and what a review opens again: ends-void-what-was-open
                for one in 1..duties loop
                    if duty_sealed_at[one] is null and duty_end_key[one] is null then
                        duty_end_key[one] := moment.counted_key;
                        duty_is_open[one] := false;
                    end if;
                end loop;

            -- what may have come before an opening did so if the duty waited for it: to-the-minute
            when moment.step > 2 or duty_is_open[word_duty[moment.told_no]] then
                duty := word_duty[moment.told_no];
                if moment.is_unordered then
                    placed := placed || moment.moment_id;
                end if;
                if moment.is_unordered or moment.event_type = 'RETURN_GRANT' then
                    kind := 'event';
                    told_id := moment.moment_id;
                    assignment_id := word_id[duty_word[duty]];
                    opened_at := moment.counted_at;
                    opened_rank := moment.counted_rank;
                    -- a designation bars returns, also of those that only by their minute go to the next dispatch:
                    -- after-designation, to-the-minute
                    is_barred := moment.event_type = 'RETURN_GRANT' and coalesce(
                        least(word_designated_at[moment.told_no],
                            word_designated_at[moment.earlier_no]) < moment.counted_at,
                        false
                    );
                    return next;
                end if;
                -- nothing counts that a unit does once another took the place of its duty: duty-ends
                continue when
                    duty_sealed_at[duty] is not null and moment.event_type in ('SIGN', 'FIRST_CONTACT', 'CLOSE');

                if moment.event_type in ('SIGN', 'FIRST_CONTACT', 'RETURN_REQUEST', 'EXTEND_REQUEST', 'CLOSE') then
                    deeds := deeds + 1;
                    duty_deeds[duty] := deeds;
                end if;

                case moment.event_type
                when 'CLOSE' then
                    if
                        moment.counted_at >= duty_at[duty] - tolerance
                        and (duty_back_key[duty] is null or duty_back_key[duty] < moment.counted_key)
                    then
                        duty_closed_key[duty] := least(duty_closed_key[duty], moment.counted_key);
                        duty_is_open[duty] := false;
                    end if;

                when 'REVIEW_BACK' then
                    if duty_sealed_at[duty] is null then
                        duty_back_key[duty] := greatest(duty_back_key[duty], moment.counted_key);
                        if duty_closed_key[duty] < moment.counted_key then
                            duty_closed_key[duty] := null;
                            duty_is_open[duty] := duty_returned_at[duty] is null and duty_end_key[duty] is null;
                        end if;
                    end if;

                when 'DESIGNATE' then
                    -- one told long before its dispatch bars nothing: told-again
                    if
                        word_edition[moment.told_no] = 1
                        or moment.counted_at >= word_at[moment.told_no] - tolerance
                    then
                        word_designated_at[moment.told_no] := least(word_designated_at[moment.told_no],
                            moment.counted_at);
                    end if;

                when 'RETURN_GRANT' then
                    continue when is_barred or moment.counted_at < duty_at[duty] - tolerance;
                    if duty_is_lead[duty] and duty_sealed_at[duty] is null and duty_is_answered[duty] is not true then
                        returned_hotline := returned_hotline || moment.hotline::text;
                        returned_duty := returned_duty || duty;
                    end if;
                    -- told-again: it takes back what its hotline told of the duty, else what the hotline told that
                    -- opened it
                    hotline := word_hotline[duty_word[duty]];
                    for word in 1..words loop
                        if word_duty[word] = duty and word_hotline[word] = moment.hotline then
                            hotline := moment.hotline;
                        end if;
                    end loop;
                    for word in 1..words loop
                        if word_duty[word] = duty and word_hotline[word] = hotline then
                            word_is_taken_back[word] := true;
                        end if;
                    end loop;
                    if word_hotline[duty_word[duty]] = hotline then
                        fallen_at := greatest(moment.counted_at, duty_at[duty]);
                        duty_returned_at[duty] := least(duty_returned_at[duty], fallen_at);
                        if duty_is_open[duty] then
                            duty_is_open[duty] := false;
                            fallen := fallen || duty;
                        end if;
                    end if;
                else
                    null;
                end case;
            else
                null;
            end case;

            -- told-again: another hotline's word that stands opens a duty of its own, at this moment, or, where nothing
            -- was done since it was told, from then on; whatever else stood there tells that one again
            foreach one in array fallen loop
                word := null;
                for number in reverse words..1 loop
                    if
                        word_duty[number] = one
                        and not word_is_taken_back[number]
                        and word_hotline[number] <> word_hotline[duty_word[one]]
                    then
                        word := number;
                    end if;
                end loop;
                continue when word is null;
                duties := duties + 1;
                word_opened[word] := duties;
                duty_word[duties] := word;
                duty_key[duties] := moment.anchor_key;
                duty_opened_at[duties] := moment.anchor_at;
                duty_opened_rank[duties] := moment.anchor_key % 64;
                duty_unit[duties] := duty_unit[one];
                duty_is_lead[duties] := true;
                duty_round[duties] := word_round[word];
                duty_is_open[duties] := true;
                duty_taken_over_at[duties] := fallen_at;
                duty_deeds[duties] := duty_deeds[one];
                if duty_deeds[one] > word_deeds[word] then
                    duty_at[duties] := fallen_at;
                    duty_rank[duties] := duty_opened_rank[duties];
                    duty_edition[duties] := coalesce(moment.edition, 1);
                else
                    duty_at[duties] := word_at[word];
                    duty_rank[duties] := word_rank[word];
                    duty_edition[duties] := word_edition[word];
                end if;
                kind := 'word';
                assignment_id := word_id[word];
                duty_no := duties;
                opened_at := moment.anchor_at;
                opened_rank := duty_opened_rank[duties];
                for number in 1..words loop
                    if word_duty[number] = one then
                        word_duty[number] := duties;
                        told_id := word_id[number];
                        return next;
                    end if;
                end loop;
            end loop;
        end loop;
    end;
    $walk$
{%- endmacro %}
