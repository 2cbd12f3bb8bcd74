//! Spellings that the borrowed parser lacks become ones that it has, token by token.
//!
//! ```text
//!   VALUES 1, 'a' || 'b' AS t(x)             VALUES (1), ('a' || 'b') AS t(x)
//!   (SELECT ..) TABLESAMPLE (5 ROWS) AS s    (SELECT ..) AS s TABLESAMPLE (5 ROWS)
//!   * EXCEPT (t.a)                           * EXCLUDE (t.a)
//! ```
//!
//! Positions in the text stay as they are; what is put in has the position of its neighbour.

use sqlparser::tokenizer::{Span, Token, TokenWithSpan};

/// Words that end a list of VALUES, unless a bracket follows and makes some of them functions.
const ENDS: &[&str] = &[
    "anti",
    "as",
    "asof",
    "cluster",
    "cross",
    "distribute",
    "except",
    "fetch",
    "full",
    "group",
    "having",
    "inner",
    "intersect",
    "join",
    "lateral",
    "left",
    "limit",
    "minus",
    "natural",
    "offset",
    "on",
    "order",
    "pivot",
    "qualify",
    "right",
    "select",
    "semi",
    "sort",
    "tablesample",
    "union",
    "unpivot",
    "using",
    "where",
    "window",
];
/// Words that go on with an expression behind a value.
const CONTINUES: &[&str] = &[
    "and", "at", "between", "collate", "day", "days", "div", "else", "end", "escape", "hour", "hours", "ilike", "in", "is",
    "like", "minute", "minutes", "month", "months", "not", "or", "regexp", "rlike", "second", "seconds", "then", "to", "week",
    "weeks", "when", "year", "years",
];
/// Words behind which VALUES begins a table, whatever follows.
const BEFORE: &[&str] = &["all", "as", "except", "from", "intersect", "join", "minus", "union"];

/// The tokens as the parser wants them.
pub(super) fn respell(mut tokens: Vec<TokenWithSpan>) -> Vec<TokenWithSpan> {
    wildcards(&mut tokens);
    let wanted = |token: &TokenWithSpan| matches!(word(token), Some("values" | "tablesample"));
    if !tokens.iter().any(wanted) {
        return tokens;
    }
    let tokens = sampled(tokens);
    let mut out: Vec<TokenWithSpan> = Vec::with_capacity(tokens.len() + 16);
    let mut at = 0;
    while at < tokens.len() {
        let is_list = word(&tokens[at]) == Some("values") && begins_rows(&out, &tokens, at);
        out.push(tokens[at].clone());
        at += 1;
        if is_list {
            at = rows(&tokens, at, &mut out);
        }
    }
    out
}

/// EXCEPT behind a wildcard, with names of several parts, becomes EXCLUDE.
fn wildcards(tokens: &mut [TokenWithSpan]) {
    let mut star = false;
    for at in 0..tokens.len() {
        if is_blank(&tokens[at]) {
            continue;
        }
        if star && word(&tokens[at]) == Some("except") && has_dotted_names(tokens, at + 1) {
            tokens[at].token = Token::make_word("exclude", None);
        }
        star = tokens[at].token == Token::Mul;
    }
}

/// Whether a list of names in brackets begins at a place, one of them with a dot.
fn has_dotted_names(tokens: &[TokenWithSpan], at: usize) -> bool {
    let mut rest = tokens[at..].iter().map(|token| &token.token).filter(|token| !matches!(token, Token::Whitespace(_)));
    if rest.next() != Some(&Token::LParen) {
        return false;
    }
    let mut dotted = false;
    for token in rest {
        match token {
            Token::Word(_) | Token::Comma => {}
            Token::Period => dotted = true,
            Token::RParen => return dotted,
            _ => return false,
        }
    }
    false
}

/// An unquoted word.
fn word(token: &TokenWithSpan) -> Option<&str> {
    match &token.token {
        Token::Word(word) if word.quote_style.is_none() => Some(&word.value),
        _ => None,
    }
}

fn is_blank(token: &TokenWithSpan) -> bool {
    matches!(token.token, Token::Whitespace(_))
}

/// The place of the next token from `at` on that is no blank.
fn next(tokens: &[TokenWithSpan], at: usize) -> Option<usize> {
    (at..tokens.len()).find(|at| !is_blank(&tokens[*at]))
}

fn token(tokens: &[TokenWithSpan], at: usize) -> Option<&Token> {
    next(tokens, at).map(|at| &tokens[at].token)
}

fn is_literal(token: &Token) -> bool {
    matches!(
        token,
        Token::Number(..)
            | Token::SingleQuotedString(_)
            | Token::DoubleQuotedString(_)
            | Token::HexStringLiteral(_)
            | Token::NationalStringLiteral(_)
    )
}

/// Whether the word at a place is the VALUES of a list, and not the name of something.
fn begins_rows(before: &[TokenWithSpan], tokens: &[TokenWithSpan], at: usize) -> bool {
    let previous = before.iter().rev().find(|token| !is_blank(token));
    let sure = match previous {
        None => true,
        Some(token) if token.token == Token::SemiColon => true,
        Some(token) => word(token).is_some_and(|word| BEFORE.contains(&word)),
    };
    if previous.is_some_and(|token| token.token == Token::Period) {
        return false;
    }
    let Some(first) = next(tokens, at + 1) else { return false };
    match &tokens[first].token {
        literal if is_literal(literal) => true,
        Token::Minus => sure && matches!(token(tokens, first + 1), Some(Token::Number(..))),
        Token::LParen => sure,
        Token::Word(word) if word.quote_style.is_none() => {
            let then = token(tokens, first + 1);
            let call = then == Some(&Token::LParen);
            match word.value.as_str() {
                "null" | "true" | "false" | "case" => true,
                "array" | "map" | "struct" | "named_struct" | "cast" => call,
                "date" | "timestamp" | "timestamp_ntz" | "timestamp_ltz" | "time" | "interval" => {
                    then.is_some_and(is_literal) || (sure && call)
                }
                word => sure && call && !ENDS.contains(&word) && !CONTINUES.contains(&word),
            }
        }
        _ => false,
    }
}

/// Puts brackets around the rows from `at` on that have none; gives the place behind the last.
fn rows(tokens: &[TokenWithSpan], mut at: usize, out: &mut Vec<TokenWithSpan>) -> usize {
    loop {
        let Some(start) = next(tokens, at) else { return at };
        let end = row_end(tokens, start);
        let Some(last) = (start..end).rev().find(|at| !is_blank(&tokens[*at])) else { return at };
        let bracket =
            |token: Token, at: usize| TokenWithSpan { token, span: Span::new(tokens[at].span.start, tokens[at].span.end) };
        let whole = tokens[start].token == Token::LParen && closing(tokens, start) == Some(last);
        out.extend_from_slice(&tokens[at..start]);
        if !whole {
            out.push(bracket(Token::LParen, start));
        }
        out.extend_from_slice(&tokens[start..=last]);
        if !whole {
            out.push(bracket(Token::RParen, last));
        }
        out.extend_from_slice(&tokens[last + 1..end]);
        if tokens.get(end).map(|token| &token.token) != Some(&Token::Comma) {
            return end;
        }
        out.push(tokens[end].clone());
        at = end + 1;
    }
}

/// The place behind the expression that begins at `start`.
fn row_end(tokens: &[TokenWithSpan], start: usize) -> usize {
    let (mut depth, mut cases) = (0_usize, 0_usize);
    let mut after_value = false;
    for (at, current) in tokens.iter().enumerate().skip(start) {
        match &current.token {
            Token::Whitespace(_) => continue,
            Token::LParen | Token::LBracket | Token::LBrace => depth += 1,
            Token::RParen | Token::RBracket | Token::RBrace if depth == 0 => return at,
            Token::RParen | Token::RBracket | Token::RBrace => depth -= 1,
            Token::SemiColon | Token::EOF => return at,
            Token::Comma if depth == 0 => return at,
            Token::Word(_) if depth == 0 => match word(current) {
                Some("case") => cases += 1,
                Some("end") if cases > 0 => cases -= 1,
                _ if cases > 0 => {}
                Some(word) if ENDS.contains(&word) && (word == "as" || token(tokens, at + 1) != Some(&Token::LParen)) => {
                    return at;
                }
                Some(word) if after_value && !CONTINUES.contains(&word) => return at,
                None if after_value => return at,
                _ => {}
            },
            _ => {}
        }
        after_value = is_literal(&current.token) || matches!(current.token, Token::RParen | Token::RBracket);
    }
    tokens.len()
}

/// The place of the bracket that closes the one at `open`.
fn closing(tokens: &[TokenWithSpan], open: usize) -> Option<usize> {
    let mut depth = 0_usize;
    for (at, token) in tokens.iter().enumerate().skip(open) {
        match token.token {
            Token::LParen => depth += 1,
            Token::RParen if depth <= 1 => return Some(at),
            Token::RParen => depth -= 1,
            _ => {}
        }
    }
    None
}

/// Moves the alias of a sampled subquery before TABLESAMPLE.
fn sampled(mut tokens: Vec<TokenWithSpan>) -> Vec<TokenWithSpan> {
    let mut from = 0;
    while let Some(at) = (from..tokens.len()).find(|at| word(&tokens[*at]) == Some("tablesample")) {
        from = at + 1;
        let behind_bracket = tokens[..at].iter().rev().find(|token| !is_blank(token)).is_some_and(|it| it.token == Token::RParen);
        let open = next(&tokens, at + 1).filter(|open| behind_bracket && tokens[*open].token == Token::LParen);
        let Some(mut end) = open.and_then(|open| closing(&tokens, open)) else { continue };
        if let Some(repeatable) = next(&tokens, end + 1).filter(|at| word(&tokens[*at]) == Some("repeatable")) {
            match next(&tokens, repeatable + 1).and_then(|open| closing(&tokens, open)) {
                Some(closed) => end = closed,
                None => continue,
            }
        }
        let Some(alias) = next(&tokens, end + 1) else { continue };
        let name = match word(&tokens[alias]) {
            Some("as") => next(&tokens, alias + 1),
            Some(word) if ENDS.contains(&word) => None,
            _ => Some(alias),
        };
        let Some(name) = name.filter(|at| matches!(tokens[*at].token, Token::Word(_))) else { continue };
        let columns = next(&tokens, name + 1).filter(|at| tokens[*at].token == Token::LParen);
        let last = columns.and_then(|open| closing(&tokens, open)).unwrap_or(name);
        // Blanks before the alias go with it. The text of a statement ends with its last token.
        let text_end = tokens[last].span.end;
        let start = if is_blank(&tokens[at - 1]) { at - 1 } else { at };
        tokens[start..=last].rotate_left(end + 1 - start);
        tokens[last].span.end = text_end;
    }
    tokens
}

#[cfg(test)]
mod tests {
    use super::super::dialect::SkepDialect;
    use super::*;
    use sqlparser::tokenizer::Tokenizer;

    fn spelled(sql: &str) -> String {
        let tokens = Tokenizer::new(&SkepDialect::default(), &sql.to_lowercase()).tokenize_with_location().unwrap();
        respell(tokens).iter().map(|token| token.token.to_string()).collect()
    }

    #[test]
    fn rows_of_values_get_brackets() {
        for (sql, expected) in [
            ("values 1, 2", "values (1), (2)"),
            ("select * from values 1, null as t(x) where x > 1", "select * from values (1), (null) as t(x) where x > 1"),
            ("from values (1 + 2) * 3, (4)", "from values ((1 + 2) * 3), (4)"),
            ("from values (1, 2), (3, 4) t", "from values (1, 2), (3, 4) t"),
            ("from values 'a' || 'b' t(x), u", "from values ('a' || 'b') t(x), u"),
            ("from values interval '1' day, date '2020-01-01' as t", "from values (interval '1' day), (date '2020-01-01') as t"),
            (
                "from (values case when 1 = 1 then 2 end, left('a', 1)) x",
                "from (values (case when 1 = 1 then 2 end), (left('a', 1))) x",
            ),
            ("from a join values 1 as b(x) on true", "from a join values (1) as b(x) on true"),
            ("insert into t values 1, 2", "insert into t values (1), (2)"),
            ("select values, t.values - 1, (values) from t", "select values, t.values - 1, (values) from t"),
            (
                "select 1 from t where values like 'x' and values in (1) limit 1",
                "select 1 from t where values like 'x' and values in (1) limit 1",
            ),
            ("from (values array(1), null) x", "from (values (array(1)), (null)) x"),
            ("select values - 1 from values -1", "select values - 1 from values (-1)"),
        ] {
            assert_eq!(spelled(sql), expected);
        }
    }

    #[test]
    fn aliases_come_before_samples() {
        for (sql, expected) in [
            ("from (select 1) tablesample (5 rows) as s where 1", "from (select 1) as s tablesample (5 rows) where 1"),
            (
                "from (q) tablesample (5 percent) repeatable (1) s(a, b)",
                "from (q) s(a, b) tablesample (5 percent) repeatable (1)",
            ),
            ("from (q) tablesample (5 rows) where x", "from (q) tablesample (5 rows) where x"),
            ("from t tablesample (5 rows) as s", "from t tablesample (5 rows) as s"),
        ] {
            assert_eq!(spelled(sql), expected);
        }
    }
}
