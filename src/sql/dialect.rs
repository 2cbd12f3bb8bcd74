//! The dialect: Spark's, with Hive's statements and a switch for double quotes.

use sqlparser::ast::{BinaryOperator, Expr, Ident, ObjectName, TrimWhereField};
use sqlparser::dialect::{Dialect, HiveDialect, Precedence, SparkSqlDialect};
use sqlparser::keywords::Keyword;
use sqlparser::parser::{Parser, ParserError};
use sqlparser::tokenizer::Token;
use std::any::TypeId;

/// What the tokenizer and the parser of `sqlparser` ask us.
#[derive(Debug, Default)]
pub(super) struct SkepDialect {
    /// `"text"` is an identifier instead of a string.
    pub(super) double_quoted_identifiers: bool,
    /// The statement is a CREATE: clauses that the parser grants to Hive alone are read.
    pub(super) hive_clauses: bool,
}

impl Dialect for SkepDialect {
    fn dialect(&self) -> TypeId {
        if self.hive_clauses { TypeId::of::<HiveDialect>() } else { TypeId::of::<Self>() }
    }

    fn is_delimited_identifier_start(&self, ch: char) -> bool {
        ch == '`' || (ch == '"' && self.double_quoted_identifiers)
    }

    fn identifier_quote_style(&self, _identifier: &str) -> Option<char> {
        Some('`')
    }

    fn is_identifier_start(&self, ch: char) -> bool {
        ch.is_alphabetic() || ch == '_'
    }

    fn is_identifier_part(&self, ch: char) -> bool {
        ch.is_alphanumeric() || ch == '_'
    }

    /// The tokens are unescaped by [`super::parse`], by Spark's rules; the tokenizer only has to
    /// know that `\'` does not end a string.
    fn supports_string_literal_backslash_escape(&self) -> bool {
        true
    }

    fn supports_string_literal_concatenation(&self) -> bool {
        true
    }

    fn supports_filter_during_aggregation(&self) -> bool {
        SparkSqlDialect.supports_filter_during_aggregation()
    }

    /// `stack(2, 'a', 1, 'b', 2) AS (name, value)`.
    fn supports_select_item_multi_column_alias(&self) -> bool {
        true
    }

    fn supports_group_by_expr(&self) -> bool {
        SparkSqlDialect.supports_group_by_expr()
    }

    fn supports_order_by_all(&self) -> bool {
        true
    }

    fn supports_group_by_with_modifier(&self) -> bool {
        SparkSqlDialect.supports_group_by_with_modifier()
    }

    fn supports_select_wildcard_except(&self) -> bool {
        SparkSqlDialect.supports_select_wildcard_except()
    }

    /// `* EXCEPT (t.a)` comes as `* EXCLUDE (t.a)` from [`super::respell`]: the parser knows names of one part only
    /// behind EXCEPT.
    fn supports_select_wildcard_exclude(&self) -> bool {
        true
    }

    fn supports_nested_comments(&self) -> bool {
        SparkSqlDialect.supports_nested_comments()
    }

    /// `SELECT /*+ BROADCAST(t) */`.
    fn supports_comment_optimizer_hint(&self) -> bool {
        true
    }

    fn supports_create_table_using(&self) -> bool {
        SparkSqlDialect.supports_create_table_using()
    }

    fn supports_long_type_as_bigint(&self) -> bool {
        SparkSqlDialect.supports_long_type_as_bigint()
    }

    fn supports_values_as_table_factor(&self) -> bool {
        SparkSqlDialect.supports_values_as_table_factor()
    }

    fn supports_bang_not_operator(&self) -> bool {
        SparkSqlDialect.supports_bang_not_operator()
    }

    fn supports_cte_without_as(&self) -> bool {
        SparkSqlDialect.supports_cte_without_as()
    }

    fn supports_bitwise_shift_operators(&self) -> bool {
        true
    }

    fn supports_table_sample_before_alias(&self) -> bool {
        true
    }

    fn supports_load_data(&self) -> bool {
        true
    }

    fn supports_from_first_insert(&self) -> bool {
        true
    }

    fn supports_from_first_select(&self) -> bool {
        true
    }

    fn require_interval_qualifier(&self) -> bool {
        SparkSqlDialect.require_interval_qualifier()
    }

    /// `extract(yearofweek FROM d)`.
    fn allow_extract_custom(&self) -> bool {
        true
    }

    fn supports_lambda_functions(&self) -> bool {
        true
    }

    /// `struct(a, b AS c)`.
    fn supports_struct_literal(&self) -> bool {
        true
    }

    /// Words that are functions here and something else to the parser: `array(1, 2)` is no query,
    /// `exists(items, x -> ..)` no EXISTS, `trim(a, b)` has an argument more.
    fn parse_prefix(&self, parser: &mut Parser) -> Option<Result<Expr, ParserError>> {
        let Token::Word(word) = &parser.peek_token_ref().token else { return None };
        // The parser would begin a function of another dialect.
        if word.value == "lambda" && word.quote_style.is_none() && parser.peek_nth_token_ref(1).token != Token::Arrow {
            let value = word.value.clone();
            let span = parser.next_token().span;
            return Some(Ok(Expr::Identifier(Ident { value, quote_style: None, span })));
        }
        let is = |at: usize, wanted: &Token| parser.peek_nth_token_ref(at).token == *wanted;
        if word.quote_style.is_some() || !is(1, &Token::LParen) {
            return None;
        }
        let keyword = |at: usize, of: &[Keyword]| match &parser.peek_nth_token_ref(at).token {
            Token::Word(word) => of.contains(&word.keyword),
            _ => false,
        };
        if word.value == "trim"
            && keyword(2, &[Keyword::BOTH, Keyword::LEADING, Keyword::TRAILING])
            && keyword(3, &[Keyword::FROM])
        {
            return Some(trim_of_blanks(parser));
        }
        let is_call = match word.value.as_str() {
            "array" | "when" => true,
            "exists" => !is(2, &Token::LParen) && !keyword(2, &[Keyword::SELECT, Keyword::WITH, Keyword::VALUES, Keyword::FROM]),
            "trim" => !keyword(2, &[Keyword::BOTH, Keyword::LEADING, Keyword::TRAILING]) && !has_from(parser),
            "overlay" | "position" | "ceil" | "floor" => has_comma(parser),
            _ => false,
        };
        if !is_call {
            return None;
        }
        let value = word.value.clone();
        let span = parser.next_token().span;
        Some(parser.parse_function(ObjectName::from(vec![Ident { value, quote_style: None, span }])))
    }

    /// `||` binds like `+`, as in Spark.
    fn get_next_precedence(&self, parser: &Parser) -> Option<Result<u8, ParserError>> {
        match parser.peek_token_ref().token {
            Token::StringConcat => Some(Ok(self.prec_value(Precedence::PlusMinus))),
            _ => None,
        }
    }

    /// `a DIV b` binds like `a * b`. What `a IS DISTINCT FROM` is followed by ends before AND and OR: the parser
    /// would take them along.
    fn parse_infix(&self, parser: &mut Parser, expr: &Expr, precedence: u8) -> Option<Result<Expr, ParserError>> {
        if parser.parse_keywords(&[Keyword::IS, Keyword::DISTINCT, Keyword::FROM]) {
            let right = parser.parse_subexpr(precedence);
            return Some(right.map(|right| Expr::IsDistinctFrom(Box::new(expr.clone()), Box::new(right))));
        }
        if parser.parse_keywords(&[Keyword::IS, Keyword::NOT, Keyword::DISTINCT, Keyword::FROM]) {
            let right = parser.parse_subexpr(precedence);
            return Some(right.map(|right| Expr::IsNotDistinctFrom(Box::new(expr.clone()), Box::new(right))));
        }
        if !parser.parse_keyword(Keyword::DIV) {
            return None;
        }
        Some(parser.parse_subexpr(precedence).map(|right| Expr::BinaryOp {
            left: Box::new(expr.clone()),
            op: BinaryOperator::MyIntegerDivide,
            right: Box::new(right),
        }))
    }
}

/// `trim(BOTH FROM text)`.
fn trim_of_blanks(parser: &mut Parser) -> Result<Expr, ParserError> {
    parser.next_token();
    parser.expect_token(&Token::LParen)?;
    let trim_where = match parser.parse_one_of_keywords(&[Keyword::BOTH, Keyword::LEADING, Keyword::TRAILING]) {
        Some(Keyword::LEADING) => TrimWhereField::Leading,
        Some(Keyword::TRAILING) => TrimWhereField::Trailing,
        _ => TrimWhereField::Both,
    };
    parser.expect_keyword(Keyword::FROM)?;
    let expr = Box::new(parser.parse_expr()?);
    parser.expect_token(&Token::RParen)?;
    Ok(Expr::Trim { expr, trim_where: Some(trim_where), trim_what: None, trim_characters: None })
}

/// Tokens between the brackets that open at the second one, brackets inside left out.
fn inside<'p>(parser: &'p Parser<'_>) -> impl Iterator<Item = Token> + 'p {
    let mut depth = 0_usize;
    let mut at = 1;
    std::iter::from_fn(move || {
        loop {
            let token = parser.peek_nth_token_ref(at).token.clone();
            at += 1;
            match token {
                Token::LParen => depth += 1,
                Token::RParen if depth <= 1 => return None,
                Token::RParen => depth -= 1,
                Token::EOF => return None,
                other if depth == 1 => return Some(other),
                _ => {}
            }
        }
    })
}

fn has_comma(parser: &Parser) -> bool {
    inside(parser).any(|token| token == Token::Comma)
}

fn has_from(parser: &Parser) -> bool {
    inside(parser).any(|token| matches!(token, Token::Word(word) if word.keyword == Keyword::FROM))
}
