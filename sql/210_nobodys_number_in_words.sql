-- A mobile or an ID number in words, looked for with other rules than the loader's: the loader counts how digits are
-- divided and knows the signs between them; this asks for a whole number, for the same sign, whichever, in the usual
-- two places, or for a word before it. So it sees what the loader may have missed. Decimals are no phones, and a number
-- of eighteen digits behind a word for a thing is no ID, as there.
create function audit.has_number(given text) returns boolean
language sql immutable parallel safe set search_path = pg_catalog, pg_temp as $$
    select coalesce((select
        plain ~ (
            '(?<![0-9])(?<![0-9][0-9]\.)((\+?|00)86|0)?1[3-9][0-9]{9}(?![0-9]|\.[0-9]{1,2} ?[元万亿块])'
            '|(?<![0-9][,，、;；/ ._|-]{1,2})(?<![0-9])1[3-9][0-9]([^0-9A-Za-z]{1,8})[0-9]{4}\3[0-9]{4}(?![0-9]'
            '|[,，、;；/ ._|-]{1,2}[0-9])'
        )
        or plain ~ (
            '(?<![0-9][,，、;；/ ._|-]{1,2})(?<![0-9])(1[3-9][0-9][ -]{1,3}[0-9]{8}|1[3-9][0-9]{5}[ -]{1,3}[0-9]{4}'
            '|1[3-9][0-9]{3}[ -]{1,3}[0-9]{6}'
            '|1[3-9][0-9]{2}[ -]{1,3}([0-9]{4}[ -]{1,3}[0-9]{3}|[0-9]{3}[ -]{1,3}[0-9]{4})'
            '|1[3-9][0-9][ -]{1,3}[0-9]{3}[ -]{1,3}[0-9]{5}|1[3-9][0-9]{4}[ -]{1,3}[0-9]{5}'
            '|1[ -]{1,3}[3-9]([ -]{1,3}[0-9]){9})(?![0-9]|[,，、;；/ ._|-]{1,2}[0-9])'
        )
        -- a time or a day stands beside it at once
        or plain ~ (
            '(?<![0-9])1[3-9][0-9]{9}(?=[0-2]?[0-9]:[0-5][0-9]|20[0-4][0-9]([-/.年]|[01][0-9][0-3][0-9](?![0-9])))'
            '|([0-9]:[0-5][0-9]|20[0-4][0-9][-/.][01][0-9][-/.][0-3][0-9])1[3-9][0-9]{9}(?![0-9])'
        )
        -- an ID number in any groups, with blanks or dashes
        or regexp_replace(plain, '([0-9])[ -]{1,3}(?=[0-9Xx])', '\1', 'g') ~ (
            '(?<![0-9.:：号单])[1-6][1-7][0-9]{4}(19[2-9][0-9]|200[0-9])(0[1-9]|1[0-2])(0[1-9]|[12][0-9]|3[01])[0-9]{3}'
            '[0-9Xx](?![0-9])'
        )
        or plain ~ (
            '(电话|座机|手机|联系方式|致电|回电)[^0-9A-Za-z，。；]{0,8}1[^0-9A-Za-z]{0,3}[3-9]([^0-9A-Za-z一-龥]{0,3}[0-9]){9}(?![0-9])'
        )
        or plain ~ (
            '(?<!(单号|工单|编号|户号|表号|流水号|运单|快递|合同|案号|执照|许可证|信用代码|税号|发票|注册号|序列号|批次|条码|型号)[号码是为:："'' ]{0,8})'
            '(?<![0-9])(?<![0-9][0-9]\.)[1-9][0-9]{5}(19[0-9]{2}|20[01][0-9])(0[1-9]|1[0-2])(0[1-9]|[12][0-9]'
            '|3[01])[0-9]{3}'
            '([0-9](?![0-9])|[Xx×])'
        )
        or plain ~ (
            '(?<![0-9])[1-6][0-9]{5}([^0-9A-Za-z]{1,8})(19[0-9]{2}|20[01][0-9])(0[1-9]|1[0-2])(0[1-9]|[12][0-9]'
            '|3[01])'
            '\1[0-9]{3}[0-9Xx](?![0-9])'
        )
        or (
            plain ~ (
                '[0-9〇零○一二三四五六七八九幺壹贰叁肆伍陆柒捌玖貳參陸][、，-]?[〇零○一二三四五六七八九幺壹贰叁肆伍陆柒捌玖貳參陸]'
                '|[〇零○一二三四五六七八九幺壹贰叁肆伍陆柒捌玖貳參陸][、，-]?[0-9]'
            )
            and translate(
                plain,
                '〇零○一二三四五六七八九幺壹贰叁肆伍陆柒捌玖贰貳參陸、，-',
                '00012345678911234567892236'
            ) ~ '(?<![0-9])(1[3-9][0-9]{9}|[1-9][0-9]{5}(19|20)[0-9]{9}[0-9Xx])(?![0-9])'
        )
    from (
        select
            regexp_replace(
                translate(
                    given,
                    '０１２３４５６７８９－–—−（）．／Ｘｘ' || U&'\00A0\2002\2003\2009\200A\202F\3000\2011'
                    || U&'\200B\200C\200D\200E\200F\2060\FEFF\00AD\FE0F\20E3',
                    '0123456789----()./Xx       -'
                ),
                '<[/A-Za-z][^<>]{0,80}>|&[a-z]{2,6};', '', 'g'
            ) as plain
    ) as read
    where
        case  -- counted first: nearly all words have fewer digits than a number
            when length(given) - length(translate(given, '0123456789', '')) > 9
                or given ~ '[０-９〇零○一二三四五六七八九幺壹贰叁肆伍陆柒捌玖貳參陸][、，-]?[０-９〇零○一二三四五六七八九幺壹贰叁肆伍陆柒捌玖貳參陸]'
                then given ~ '([0-9０-９〇零○一二三四五六七八九幺壹贰叁肆伍陆柒捌玖貳參陸][^0-9０-９〇零○一二三四五六七八九幺壹贰叁肆伍陆柒捌玖貳參陸]{0,16}){11}'
        end
    ), false)
$$;
comment on function audit.has_number(text) is
'Whether words hold a mobile or an ID number: a second way beside the loader, with rules of its own.';
grant execute on function audit.has_number(text) to public;

-- What people write in their own words stays for ever: an entry with a number is refused before it stands, whatever
-- program writes it. The message does not say the number again.
create function audit.refuse_number() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    told text;
begin
    foreach told in array tg_argv loop
        if audit.has_number(to_jsonb(new) ->> told) then
            raise exception
                '% 里有手机号或身份证号，请删去后再提交 / % holds a phone or ID number: take it out, what is recorded stays',
                told, told;
        end if;
    end loop;
    return new;
end
$$;
revoke execute on function audit.refuse_number from public;

do $$
declare
    item record;
begin
    for item in
        select *
        from (
            values
            ('assess.appeal', 'statement'), ('assess.appeal_decision', 'reason'), ('assess.exclusion', 'reason'),
            ('assess.manual_point', 'reason'), ('assess.violation', 'reason'), ('assess.approval', 'reason'),
            ('assess.waiver', 'reason'), ('audit.batch_verdict', 'why'), ('audit.access_log', 'why'),
            ('publish.closing', 'why'), ('publish.release', 'why')
        ) as told (table_name, column_name)
    loop
        execute format(
            'create trigger no_number before insert on %s for each row execute function audit.refuse_number(%L)',
            item.table_name, item.column_name
        );
    end loop;
end $$;
