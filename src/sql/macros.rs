//! Functions that the user wrote in SQL. A call becomes the body with the arguments in the place of
//! the parameters, each cast to its type: nothing is left of it at run time.

use super::walk::walk_mut;
use crate::error::{Error, Result};
use sqlparser::ast::{CastKind, DataType, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArgumentList};
use sqlparser::ast::{FunctionArguments, LambdaFunction, Query, SelectItem, SetExpr, VisitorMut};
use std::collections::{BTreeMap, HashMap};
use std::ops::ControlFlow;
use std::sync::Arc;

/// A function as it was written.
#[derive(Debug, Clone)]
pub struct Macro {
    /// Names in lower case with types.
    pub parameters: Vec<(String, DataType)>,
    /// The type of the result; None: that of the body.
    pub returns: Option<DataType>,
    /// The expression that it stands for, as a query without tables.
    pub body: Box<Query>,
    /// What the user says of it.
    pub comment: Option<String>,
    /// The text of the body.
    pub text: String,
}

/// The functions of a session, by name in lower case.
pub type Macros = BTreeMap<String, Arc<Macro>>;

impl Macro {
    /// The types of parameters and result, as they were written.
    pub fn signature(&self) -> String {
        let parameters: Vec<String> = self.parameters.iter().map(|(name, data_type)| format!("{name} {data_type}")).collect();
        match &self.returns {
            Some(returns) => format!("({}) -> {returns}", parameters.join(", ")),
            None => format!("({})", parameters.join(", ")),
        }
    }

    /// The expression that a call stands for.
    pub(super) fn inlined(&self, name: &str, arguments: Vec<Expr>) -> Result<Expr> {
        if arguments.len() != self.parameters.len() {
            let (wanted, found) = (self.parameters.len(), arguments.len());
            return Err(Error::sql(format!("the function {name} takes {wanted} arguments, not {found}")));
        }
        let pairs = self.parameters.iter().zip(arguments);
        let values = pairs.map(|((name, data_type), value)| (name.clone(), cast(value, data_type.clone()))).collect();
        let mut query = self.body.clone();
        let mut place = Place { function: name, values, hidden: Vec::new() };
        if let ControlFlow::Break(error) = walk_mut(&mut query, &mut place) {
            return Err(error);
        }
        let body = expression(*query).ok_or_else(|| Error::internal("a function without its body"))?;
        Ok(match &self.returns {
            Some(returns) => cast(body, returns.clone()),
            None => Expr::Nested(Box::new(body)),
        })
    }
}

/// The expression of `SELECT expression`, if the query is no more.
pub(super) fn expression(query: Query) -> Option<Expr> {
    let plain = query.with.is_none() && query.order_by.is_none() && query.limit_clause.is_none() && query.fetch.is_none();
    match *query.body {
        SetExpr::Select(mut select) if plain && select.from.is_empty() && select.projection.len() == 1 => {
            match select.projection.remove(0) {
                SelectItem::UnnamedExpr(expr) => Some(expr),
                _ => None,
            }
        }
        _ => None,
    }
}

/// The arguments of a call, if it is one of a function of the user.
pub(super) fn call_of<'m>(function: &Function, macros: &'m Macros) -> Option<(&'m Arc<Macro>, Vec<Expr>)> {
    let name = function.name.to_string().replace('`', "").to_lowercase();
    let found = macros.get(&name)?;
    let plain = function.over.is_none() && function.filter.is_none() && function.within_group.is_empty();
    let FunctionArguments::List(FunctionArgumentList { duplicate_treatment: None, args, clauses }) = &function.args else {
        return None;
    };
    let arguments = args.iter().map(|argument| match argument {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => Some(expr.clone()),
        _ => None,
    });
    (plain && clauses.is_empty()).then(|| arguments.collect()).flatten().map(|arguments| (found, arguments))
}

/// The body of a function with the bodies of functions of the user in the place of their calls.
pub fn expand(mut body: Box<Query>, macros: &Macros) -> Result<Box<Query>> {
    struct Expand<'a>(&'a Macros);
    impl VisitorMut for Expand<'_> {
        type Break = Error;
        fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<Error> {
            if let Expr::Function(function) = expr
                && let Some((found, arguments)) = call_of(function, self.0)
            {
                let name = function.name.to_string();
                match found.inlined(&name, arguments) {
                    Ok(inlined) => *expr = inlined,
                    Err(error) => return ControlFlow::Break(error),
                }
            }
            ControlFlow::Continue(())
        }
    }
    match walk_mut(&mut body, &mut Expand(macros)) {
        ControlFlow::Continue(()) => Ok(body),
        ControlFlow::Break(error) => Err(error),
    }
}

fn cast(expr: Expr, data_type: DataType) -> Expr {
    Expr::Cast { kind: CastKind::Cast, expr: Box::new(expr), data_type, array: false, format: None }
}

/// Puts values in the place of parameters.
struct Place<'a> {
    function: &'a str,
    values: HashMap<String, Expr>,
    /// Parameters of lambdas around, which hide those of the function.
    hidden: Vec<Vec<String>>,
}

impl VisitorMut for Place<'_> {
    type Break = Error;

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<Error> {
        if let Expr::Lambda(LambdaFunction { params, .. }) = expr {
            self.hidden.push(params.iter().map(|parameter| parameter.name.value.to_lowercase()).collect());
        }
        ControlFlow::Continue(())
    }

    // Behind the children, so that arguments are not looked through.
    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<Error> {
        let name = match expr {
            Expr::Lambda(_) => {
                self.hidden.pop();
                return ControlFlow::Continue(());
            }
            Expr::Identifier(ident) => ident.value.to_lowercase(),
            Expr::CompoundIdentifier(parts) if parts.len() == 2 && parts[0].value.eq_ignore_ascii_case(self.function) => {
                parts[1].value.to_lowercase()
            }
            _ => return ControlFlow::Continue(()),
        };
        let hidden = self.hidden.iter().any(|names| names.contains(&name));
        if let Some(value) = self.values.get(&name).filter(|_| !hidden) {
            *expr = value.clone();
        }
        ControlFlow::Continue(())
    }
}
