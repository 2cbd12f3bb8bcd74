//! Pieces of syntax trees.

use sqlparser::ast::*;

/// A name in lower case.
pub(super) fn ident(name: &str) -> Ident {
    Ident::new(name)
}

/// A column by its name.
pub(super) fn name(name: &str) -> Expr {
    Expr::Identifier(ident(name))
}

/// A column of a table.
pub(super) fn column(table: Option<&str>, column: &str) -> Expr {
    match table {
        Some(table) => Expr::CompoundIdentifier(vec![ident(table), ident(column)]),
        None => name(column),
    }
}

/// A whole number.
pub(super) fn number(value: impl ToString) -> Expr {
    Expr::value(Value::Number(value.to_string(), false))
}

/// A text.
pub(super) fn text(value: impl Into<String>) -> Expr {
    Expr::value(Value::SingleQuotedString(value.into()))
}

/// `left op right`.
pub(super) fn binary(left: Expr, op: BinaryOperator, right: Expr) -> Expr {
    Expr::BinaryOp { left: Box::new(left), op, right: Box::new(right) }
}

/// All of the conditions.
pub(super) fn all(conditions: impl IntoIterator<Item = Expr>) -> Option<Expr> {
    conditions.into_iter().reduce(|left, right| binary(left, BinaryOperator::And, right))
}

/// The conditions one beside another, as a tree that is not deep.
pub(super) fn balanced(mut conditions: Vec<Expr>, op: &BinaryOperator) -> Option<Expr> {
    while conditions.len() > 1 {
        let mut halved = Vec::with_capacity(conditions.len().div_ceil(2));
        let mut pending = conditions.into_iter();
        while let Some(left) = pending.next() {
            halved.push(match pending.next() {
                Some(right) => binary(left, op.clone(), right),
                None => left,
            });
        }
        conditions = halved;
    }
    conditions.pop()
}

/// `expr` in parentheses.
pub(super) fn nested(expr: Expr) -> Expr {
    Expr::Nested(Box::new(expr))
}

/// `name(arguments)`.
pub(in crate::sql) fn call(name: &str, arguments: Vec<Expr>) -> Function {
    let args = arguments.into_iter().map(|argument| FunctionArg::Unnamed(FunctionArgExpr::Expr(argument))).collect();
    Function {
        name: ObjectName::from(vec![ident(name)]),
        uses_odbc_syntax: false,
        parameters: FunctionArguments::None,
        args: FunctionArguments::List(FunctionArgumentList { duplicate_treatment: None, args, clauses: vec![] }),
        filter: None,
        null_treatment: None,
        over: None,
        within_group: vec![],
    }
}

/// `expr AS alias`.
pub(super) fn item(expr: Expr, alias: &str) -> SelectItem {
    SelectItem::ExprWithAlias { expr, alias: ident(alias) }
}

/// `*`.
pub(super) fn wildcard() -> SelectItem {
    SelectItem::Wildcard(WildcardAdditionalOptions::default())
}

/// An alias of a table, with names for its columns unless there are none.
pub(super) fn alias(name: &str, columns: &[String]) -> TableAlias {
    let columns = columns.iter().map(|column| TableAliasColumnDef { name: ident(column), data_type: None }).collect();
    TableAlias { explicit: true, name: ident(name), columns, at: None }
}

/// A subquery in FROM.
pub(super) fn derived(subquery: Query, alias: Option<TableAlias>) -> TableFactor {
    TableFactor::Derived { lateral: false, subquery: Box::new(subquery), alias, sample: None }
}

/// Tables side by side.
pub(super) fn from(relation: TableFactor) -> TableWithJoins {
    TableWithJoins { relation, joins: vec![] }
}

/// A query of nothing but its body.
pub(super) fn query(body: SetExpr) -> Query {
    Query {
        with: None,
        body: Box::new(body),
        order_by: None,
        limit_clause: None,
        fetch: None,
        locks: vec![],
        for_clause: None,
        settings: None,
        format_clause: None,
        pipe_operators: vec![],
    }
}

/// `SELECT items FROM tables`.
pub(super) fn select(projection: Vec<SelectItem>, tables: Vec<TableFactor>) -> Select {
    Select {
        select_token: helpers::attached_token::AttachedToken::empty(),
        optimizer_hints: vec![],
        distinct: None,
        select_modifiers: None,
        top: None,
        top_before_distinct: false,
        projection,
        exclude: None,
        into: None,
        from: tables.into_iter().map(from).collect(),
        lateral_views: vec![],
        prewhere: None,
        selection: None,
        connect_by: vec![],
        group_by: GroupByExpr::Expressions(vec![], vec![]),
        cluster_by: vec![],
        distribute_by: vec![],
        sort_by: vec![],
        having: None,
        named_window: vec![],
        qualify: None,
        window_before_qualify: false,
        value_table_mode: None,
        flavor: SelectFlavor::Standard,
    }
}

/// The same as a query.
pub(super) fn subquery(select: Select) -> Query {
    query(SetExpr::Select(Box::new(select)))
}
