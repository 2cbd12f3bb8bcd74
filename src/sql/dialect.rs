//! The dialect: Spark's, with Hive's statements and a switch for double quotes.

use sqlparser::ast::{BinaryOperator, Expr};
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

    /// `||` binds like `+`, as in Spark.
    fn get_next_precedence(&self, parser: &Parser) -> Option<Result<u8, ParserError>> {
        match parser.peek_token_ref().token {
            Token::StringConcat => Some(Ok(self.prec_value(Precedence::PlusMinus))),
            _ => None,
        }
    }

    /// `a DIV b` binds like `a * b`.
    fn parse_infix(&self, parser: &mut Parser, expr: &Expr, precedence: u8) -> Option<Result<Expr, ParserError>> {
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
