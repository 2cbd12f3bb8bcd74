//! Refuses, by name and position, whatever the parser reads but nobody downstream honours.
//!
//! Structures of the syntax tree are taken apart without `..`, so that a field that a new parser
//! brings is a compile error here and not a silence in an answer.

use super::desugar;
use super::dialect::SkepDialect;
use super::names;
use super::walk::walk;
use crate::error::{Error, Result};
use sqlparser::ast::*;
use sqlparser::tokenizer::{Location, Span, Token, Tokenizer};
use std::ops::ControlFlow;

/// Checks a query; `text` is the whole text its positions are relative to.
pub fn check(query: &Query, text: &str) -> Result<()> {
    match walk(query, &mut Guard { text }) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(error) => Err(error),
    }
}

struct Guard<'a> {
    text: &'a str,
}

impl Visitor for Guard<'_> {
    type Break = Error;

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<Error> {
        flow(self.query(query))
    }

    fn pre_visit_select(&mut self, select: &Select) -> ControlFlow<Error> {
        flow(self.select(select))
    }

    fn pre_visit_table_factor(&mut self, factor: &TableFactor) -> ControlFlow<Error> {
        flow(self.table_factor(factor))
    }

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<Error> {
        flow(self.expr(expr))
    }
}

fn flow(result: Result<()>) -> ControlFlow<Error> {
    match result {
        Ok(()) => ControlFlow::Continue(()),
        Err(error) => ControlFlow::Break(error),
    }
}

impl Guard<'_> {
    /// An error when `present`: `what` is not supported. Its position is where the words of
    /// `phrase` first stand behind `from`, else `from` itself.
    fn refuse(&self, present: bool, what: &str, phrase: &str, from: impl FnOnce() -> Span) -> Result<()> {
        if !present {
            return Ok(());
        }
        let from = from();
        let at = places(self.text, phrase).into_iter().find(|place| *place >= from.start).unwrap_or(from.start);
        Err(Error::unsupported(what).at(at.line, at.column))
    }

    fn query(&self, query: &Query) -> Result<()> {
        let Query { with, body, order_by, limit_clause, fetch, locks, for_clause, settings, format_clause, pipe_operators } =
            query;
        let from = || query.span();
        self.refuse(!locks.is_empty(), "FOR UPDATE or FOR SHARE", "for", from)?;
        self.refuse(for_clause.is_some(), "a FOR clause", "for", from)?;
        self.refuse(settings.is_some(), "SETTINGS", "settings", from)?;
        self.refuse(format_clause.is_some(), "FORMAT", "format", from)?;
        self.refuse(!pipe_operators.is_empty(), "the pipe operator |>", "", from)?;
        if let Some(With { with_token: _, recursive: _, cte_tables }) = with {
            for Cte { alias, query, from: cte_from, materialized, closing_paren_token: _ } in cte_tables {
                self.alias(Some(alias))?;
                self.refuse(cte_from.is_some(), "FROM in a common table expression", "from", || query.span())?;
                self.refuse(materialized.is_some(), "MATERIALIZED", "materialized", || alias.name.span)?;
            }
        }
        if let Some(OrderBy { kind, interpolate }) = order_by {
            self.refuse(interpolate.is_some(), "INTERPOLATE", "interpolate", from)?;
            match kind {
                OrderByKind::All(OrderByOptions { asc: _, nulls_first: _ }) => {
                    let wildcard = names::naming_select(query).is_none_or(|select| {
                        select.projection.iter().any(|item| matches!(item, SelectItem::QualifiedWildcard(..)))
                    });
                    self.refuse(wildcard, "ORDER BY ALL over t.*", "order by all", from)?;
                }
                OrderByKind::Expressions(exprs) => self.order_by(exprs)?,
            }
        }
        match limit_clause {
            Some(LimitClause::LimitOffset { limit: _, offset, limit_by }) => {
                self.refuse(!limit_by.is_empty(), "LIMIT BY", "by", || limit_by[0].span())?;
                if let Some(Offset { value: _, rows: OffsetRows::None | OffsetRows::Row | OffsetRows::Rows }) = offset {}
            }
            Some(LimitClause::OffsetCommaLimit { offset, limit: _ }) => {
                self.refuse(true, "LIMIT offset, count", "", || offset.span())?;
            }
            None => {}
        }
        if let Some(Fetch { with_ties, percent, quantity: _ }) = fetch {
            self.refuse(*with_ties, "FETCH ... WITH TIES", "with ties", from)?;
            self.refuse(*percent, "FETCH ... PERCENT", "percent", from)?;
            self.refuse(limit_clause.as_ref().is_some_and(|limit| !is_offset_only(limit)), "LIMIT with FETCH", "fetch", from)?;
        }
        self.body(body)
    }

    fn body(&self, body: &SetExpr) -> Result<()> {
        let from = || body.span();
        match body {
            // Visited on their own.
            SetExpr::Select(_) | SetExpr::Query(_) => Ok(()),
            SetExpr::SetOperation { left, op, set_quantifier, right } => {
                let by_name =
                    matches!(set_quantifier, SetQuantifier::ByName | SetQuantifier::AllByName | SetQuantifier::DistinctByName);
                self.refuse(by_name, &format!("{op} BY NAME"), "by name", from)?;
                self.body(left)?;
                self.body(right)
            }
            SetExpr::Values(Values { explicit_row, value_keyword, rows: _ }) => {
                self.refuse(*explicit_row, "ROW in VALUES", "row", from)?;
                self.refuse(*value_keyword, "VALUE for VALUES", "value", from)
            }
            SetExpr::Insert(_) => self.refuse(true, "INSERT", "insert", from),
            SetExpr::Update(_) => self.refuse(true, "UPDATE", "update", from),
            SetExpr::Delete(_) => self.refuse(true, "DELETE", "delete", from),
            SetExpr::Merge(_) => self.refuse(true, "MERGE", "merge", from),
            SetExpr::Table(_) => self.refuse(true, "TABLE as a query", "table", from),
        }
    }

    fn order_by(&self, exprs: &[OrderByExpr]) -> Result<()> {
        for OrderByExpr { expr, options: OrderByOptions { asc: _, nulls_first: _ }, with_fill } in exprs {
            self.refuse(with_fill.is_some(), "WITH FILL", "with fill", || expr.span())?;
        }
        Ok(())
    }

    fn select(&self, select: &Select) -> Result<()> {
        let Select {
            select_token,
            optimizer_hints: _, // read by `hints`, with warnings
            distinct,
            select_modifiers,
            top,
            top_before_distinct: _,
            projection,
            exclude,
            into,
            from: tables,
            lateral_views: _, // made tables of by `desugar`, with all below
            prewhere,
            selection: _,
            connect_by,
            group_by,
            cluster_by: _,
            distribute_by: _,
            sort_by: _,
            having: _,
            named_window,
            qualify: _,
            window_before_qualify: _,
            value_table_mode,
            flavor,
        } = select;
        let from = || if select_token.0.span.start.line > 0 { select_token.0.span } else { select.span() };
        if let Some(Distinct::On(_)) = distinct {
            self.refuse(true, "DISTINCT ON", "distinct on", from)?;
        }
        self.refuse(select_modifiers.is_some(), "a modifier of SELECT", "", from)?;
        self.refuse(top.is_some(), "TOP", "top", from)?;
        self.refuse(exclude.is_some(), "EXCLUDE", "exclude", from)?;
        self.refuse(into.is_some(), "SELECT INTO", "into", from)?;
        self.refuse(prewhere.is_some(), "PREWHERE", "prewhere", from)?;
        self.refuse(!connect_by.is_empty(), "CONNECT BY", "connect by", from)?;
        self.refuse(value_table_mode.is_some(), "SELECT AS STRUCT or AS VALUE", "as", from)?;
        self.refuse(matches!(flavor, SelectFlavor::FromFirstNoSelect), "FROM without SELECT", "from", from)?;
        for NamedWindowDefinition(_, window) in named_window {
            if let NamedWindowExpr::WindowSpec(window) = window {
                self.window(window)?;
            }
        }
        self.group_by(group_by, from)?;
        for item in projection {
            self.select_item(item)?;
        }
        tables.iter().try_for_each(|table| self.table_with_joins(table))
    }

    fn group_by(&self, group_by: &GroupByExpr, from: impl Fn() -> Span + Copy) -> Result<()> {
        let (modifiers, all) = match group_by {
            GroupByExpr::All(modifiers) => (modifiers, true),
            GroupByExpr::Expressions(_, modifiers) => (modifiers, false),
        };
        for (index, modifier) in modifiers.iter().enumerate() {
            let (what, known) = match modifier {
                GroupByWithModifier::Rollup => ("WITH ROLLUP", true),
                GroupByWithModifier::Cube => ("WITH CUBE", true),
                GroupByWithModifier::Totals => ("WITH TOTALS", false),
                GroupByWithModifier::GroupingSets(_) => ("GROUPING SETS", true),
            };
            let phrase = if all { "GROUP BY ALL ..." } else { "GROUP BY ..." };
            self.refuse(all || !known || index > 0, &format!("{phrase} {what}"), what, from)?;
        }
        Ok(())
    }

    fn select_item(&self, item: &SelectItem) -> Result<()> {
        match item {
            SelectItem::UnnamedExpr(_) | SelectItem::ExprWithAlias { expr: _, alias: _ } => Ok(()),
            SelectItem::ExprWithAliases { expr: Expr::Function(function), aliases: _ } if desugar::is_generator(function) => {
                Ok(())
            }
            SelectItem::ExprWithAliases { expr: _, aliases } => {
                let from = || aliases.first().map_or_else(Span::empty, |alias| alias.span);
                self.refuse(true, "an alias of several columns", "", from)
            }
            SelectItem::QualifiedWildcard(kind, options) => {
                if let SelectItemQualifiedWildcardKind::Expr(expr) = kind {
                    self.refuse(true, "* of an expression", "", || expr.span())?;
                }
                self.wildcard(options)
            }
            SelectItem::Wildcard(options) => self.wildcard(options),
        }
    }

    fn wildcard(&self, options: &WildcardAdditionalOptions) -> Result<()> {
        let WildcardAdditionalOptions {
            wildcard_token,
            opt_ilike,
            opt_exclude: _,
            opt_except: _,
            opt_replace,
            opt_rename,
            opt_alias,
        } = options;
        let from = || wildcard_token.0.span;
        self.refuse(opt_ilike.is_some(), "* ILIKE", "ilike", from)?;
        self.refuse(opt_replace.is_some(), "* REPLACE", "replace", from)?;
        self.refuse(opt_rename.is_some(), "* RENAME", "rename", from)?;
        self.refuse(opt_alias.is_some(), "an alias of *", "as", from)
    }

    fn table_with_joins(&self, table: &TableWithJoins) -> Result<()> {
        let TableWithJoins { relation: _, joins } = table; // relations are visited on their own
        for Join { relation, global, join_operator } in joins {
            let from = || relation.span();
            self.refuse(*global, "GLOBAL JOIN", "", from)?;
            match join_operator {
                JoinOperator::Join(_)
                | JoinOperator::Inner(_)
                | JoinOperator::Left(_)
                | JoinOperator::LeftOuter(_)
                | JoinOperator::Right(_)
                | JoinOperator::RightOuter(_)
                | JoinOperator::FullOuter(_)
                | JoinOperator::CrossJoin(JoinConstraint::None)
                | JoinOperator::Semi(_)
                | JoinOperator::LeftSemi(_)
                | JoinOperator::RightSemi(_)
                | JoinOperator::Anti(_)
                | JoinOperator::LeftAnti(_)
                | JoinOperator::RightAnti(_) => {}
                JoinOperator::CrossJoin(_) => self.refuse(true, "CROSS JOIN with a condition", "", from)?,
                JoinOperator::CrossApply => self.refuse(true, "CROSS APPLY", "", from)?,
                JoinOperator::OuterApply => self.refuse(true, "OUTER APPLY", "", from)?,
                JoinOperator::AsOf { match_condition: _, constraint: _ } => {} // resolved by `asof`
                JoinOperator::StraightJoin(_) => self.refuse(true, "STRAIGHT_JOIN", "", from)?,
                JoinOperator::ArrayJoin | JoinOperator::LeftArrayJoin | JoinOperator::InnerArrayJoin => {
                    self.refuse(true, "ARRAY JOIN", "", from)?;
                }
            }
        }
        Ok(())
    }

    fn table_factor(&self, factor: &TableFactor) -> Result<()> {
        let from = || factor.span();
        match factor {
            TableFactor::Table {
                name: _,
                alias,
                args,
                with_hints,
                version,
                with_ordinality,
                partitions,
                json_path,
                sample,
                index_hints,
            } => {
                self.table_function(args.as_ref(), *with_ordinality, from)?;
                self.refuse(!with_hints.is_empty(), "a table hint", "with", from)?;
                self.refuse(version.is_some(), "a version of a table", "", from)?;
                self.refuse(!partitions.is_empty(), "PARTITION of a table", "partition", from)?;
                self.refuse(json_path.is_some(), "a path into a table", "", from)?;
                self.sample(sample.as_ref());
                self.refuse(!index_hints.is_empty(), "an index hint", "", from)?;
                self.alias(alias.as_ref())
            }
            TableFactor::Derived { lateral: _, subquery: _, alias, sample } => {
                self.sample(sample.as_ref());
                self.alias(alias.as_ref())
            }
            TableFactor::NestedJoin { table_with_joins, alias } => {
                self.alias(alias.as_ref())?;
                self.table_with_joins(table_with_joins)
            }
            TableFactor::Function { lateral: _, name: _, args: _, with_ordinality: _, alias } => self.alias(alias.as_ref()),
            TableFactor::TableFunction { .. } => self.refuse(true, "TABLE(...)", "table", from),
            TableFactor::UNNEST { .. } => self.refuse(true, "UNNEST", "unnest", from),
            TableFactor::JsonTable { .. } => self.refuse(true, "JSON_TABLE", "json_table", from),
            TableFactor::OpenJsonTable { .. } => self.refuse(true, "OPENJSON", "openjson", from),
            TableFactor::Pivot { table, aggregate_functions: _, value_column: _, value_source: _, default_on_null: _, alias } => {
                self.table_factor(table)?;
                self.alias(alias.as_ref())
            }
            TableFactor::Unpivot { table, value: _, name: _, columns: _, null_inclusion: _, alias } => {
                self.table_factor(table)?;
                self.alias(alias.as_ref())
            }
            TableFactor::MatchRecognize { .. } => self.refuse(true, "MATCH_RECOGNIZE", "match_recognize", from),
            TableFactor::XmlTable { .. } => self.refuse(true, "XMLTABLE", "xmltable", from),
            TableFactor::SemanticView { .. } => self.refuse(true, "SEMANTIC_VIEW", "semantic_view", from),
        }
    }

    /// Samples are taken apart, or refused, by `desugar`.
    fn sample(&self, sample: Option<&TableSampleKind>) {
        if let Some(TableSampleKind::BeforeTableAlias(sample) | TableSampleKind::AfterTableAlias(sample)) = sample {
            let TableSample { modifier: _, name: _, quantity: _, seed: _, bucket: _, offset: _ } = sample.as_ref();
        }
    }

    fn table_function(&self, args: Option<&TableFunctionArgs>, ordinality: bool, from: impl Fn() -> Span) -> Result<()> {
        match args {
            Some(TableFunctionArgs { args: _, settings }) => self.refuse(settings.is_some(), "SETTINGS", "settings", from),
            None => self.refuse(ordinality, "WITH ORDINALITY of a table", "with ordinality", from),
        }
    }

    fn alias(&self, alias: Option<&TableAlias>) -> Result<()> {
        let Some(TableAlias { explicit: _, name, columns, at }) = alias else { return Ok(()) };
        self.refuse(at.is_some(), "AT behind a table", "at", || name.span)?;
        for TableAliasColumnDef { name, data_type } in columns {
            self.refuse(data_type.is_some(), "a type in a list of column names", "", || name.span)?;
        }
        Ok(())
    }

    fn expr(&self, expr: &Expr) -> Result<()> {
        let what = match expr {
            Expr::Function(function) => return self.function(function),
            Expr::Cast { kind: _, expr: _, data_type: _, array, format } => {
                self.refuse(*array, "CAST AS ... ARRAY", "array", || expr.span())?;
                return self.refuse(format.is_some(), "CAST ... FORMAT", "format", || expr.span());
            }
            Expr::Like { any, pattern, .. } | Expr::ILike { any, pattern, .. } if *any && !desugar::is_list(pattern) => {
                "LIKE ANY of anything but a list"
            }
            Expr::Ceil { expr: _, field } | Expr::Floor { expr: _, field } => match field {
                CeilFloorKind::DateTimeField(DateTimeField::NoDateTime) => return Ok(()),
                CeilFloorKind::DateTimeField(_) => "CEIL or FLOOR to a unit of time",
                CeilFloorKind::Scale(_) => return Ok(()),
            },
            Expr::Interval(Interval {
                value: _,
                leading_field: _,
                leading_precision,
                last_field,
                fractional_seconds_precision,
            }) => {
                let precise = leading_precision.is_some() || fractional_seconds_precision.is_some();
                self.refuse(precise, "an interval with a precision", "interval", || expr.span())?;
                return self.refuse(last_field.is_some(), "INTERVAL ... TO", "to", || expr.span());
            }
            Expr::UnaryOp { op, expr: operand } => match op {
                UnaryOperator::Not
                | UnaryOperator::BangNot
                | UnaryOperator::Minus
                | UnaryOperator::Plus
                | UnaryOperator::BitwiseNot => return Ok(()),
                op => return self.refuse(true, &format!("the operator {op}"), "", || operand.span()),
            },
            Expr::IsNormalized { .. } => "IS NORMALIZED",
            Expr::InUnnest { .. } => "IN UNNEST",
            Expr::Convert { .. } => "CONVERT",
            Expr::AtTimeZone { .. } => "AT TIME ZONE",
            Expr::Collate { .. } => "COLLATE",
            Expr::SimilarTo { .. } => "SIMILAR TO",
            Expr::Prefixed { .. } => "a literal with a prefix",
            Expr::Dictionary(_) => "a dictionary in braces",
            Expr::JsonAccess { .. } => "a path into JSON",
            Expr::MatchAgainst { .. } => "MATCH AGAINST",
            Expr::OuterJoin(_) => "the outer join operator (+)",
            Expr::Prior(_) => "PRIOR",
            Expr::MemberOf(_) => "MEMBER OF",
            Expr::Trim { trim_characters: Some(_), .. } => "TRIM with a list of characters",
            _ => return Ok(()),
        };
        let phrase = if what.starts_with(char::is_uppercase) { what } else { "" };
        self.refuse(true, what, phrase, || expr.span())
    }

    fn window(&self, window: &WindowSpec) -> Result<()> {
        let WindowSpec { window_name: _, partition_by: _, order_by, window_frame } = window;
        if let Some(WindowFrame { units: _, start_bound: _, end_bound: _ }) = window_frame {}
        self.order_by(order_by)
    }

    fn function(&self, function: &Function) -> Result<()> {
        let Function { name, uses_odbc_syntax, parameters, args, filter: _, null_treatment: _, over, within_group } = function;
        let from = || name.span();
        if let Some(WindowType::WindowSpec(window)) = over {
            self.window(window)?;
        }
        self.refuse(*uses_odbc_syntax, "the {fn ...} syntax", "", from)?;
        self.refuse(!matches!(parameters, FunctionArguments::None), "a function with two lists of arguments", "", from)?;
        self.order_by(within_group)?;
        match args {
            FunctionArguments::None => Ok(()),
            FunctionArguments::Subquery(_) => self.refuse(true, "a subquery as list of arguments", "", from),
            FunctionArguments::List(FunctionArgumentList { duplicate_treatment: _, args, clauses }) => {
                for argument in args {
                    match argument {
                        FunctionArg::Unnamed(FunctionArgExpr::Expr(_) | FunctionArgExpr::Wildcard) => {}
                        FunctionArg::Unnamed(_) => self.refuse(true, "t.* as an argument", "", from)?,
                        FunctionArg::Named { .. } | FunctionArg::ExprNamed { .. } => {
                            self.refuse(true, "a named argument", "", from)?;
                        }
                    }
                }
                for clause in clauses {
                    if let FunctionArgumentClause::OrderBy(keys) = clause {
                        self.order_by(keys)?;
                    }
                }
                let refused = clauses.iter().find(|clause| !matches!(clause, FunctionArgumentClause::OrderBy(_)));
                let clause = refused.map(|clause| match clause {
                    FunctionArgumentClause::IgnoreOrRespectNulls(_) => "IGNORE NULLS or RESPECT NULLS",
                    FunctionArgumentClause::OrderBy(_) => "ORDER BY in a function",
                    FunctionArgumentClause::Limit(_) => "LIMIT in a function",
                    FunctionArgumentClause::OnOverflow(_) => "ON OVERFLOW",
                    FunctionArgumentClause::Having(_) => "HAVING in a function",
                    FunctionArgumentClause::Separator(_) => "SEPARATOR",
                    FunctionArgumentClause::JsonNullClause(_) | FunctionArgumentClause::JsonReturningClause(_) => {
                        "a JSON clause in a function"
                    }
                });
                self.refuse(clause.is_some(), clause.unwrap_or_default(), "", from)
            }
        }
    }
}

fn is_offset_only(limit: &LimitClause) -> bool {
    matches!(limit, LimitClause::LimitOffset { limit: None, offset: Some(_), .. })
}

/// Where the words of `phrase` follow one another.
fn places(text: &str, phrase: &str) -> Vec<Location> {
    let wanted: Vec<&str> = phrase.split_whitespace().collect();
    let dialect = SkepDialect::default();
    let tokens = match Tokenizer::new(&dialect, text).with_unescape(false).tokenize_with_location() {
        Ok(tokens) if !wanted.is_empty() => tokens,
        _ => return Vec::new(),
    };
    let words: Vec<_> = tokens.iter().filter(|token| !matches!(token.token, Token::Whitespace(_))).collect();
    let matches = |token: &Token, word: &str| matches!(token, Token::Word(w) if w.value.eq_ignore_ascii_case(word));
    let found =
        words.windows(wanted.len()).filter(|window| window.iter().zip(&wanted).all(|(token, word)| matches(&token.token, word)));
    found.filter_map(|window| window.first()).map(|token| token.span.start).collect()
}
