//! Statements that run other statements.

use super::{OutcomeKind, Session};
use crate::config::Config;
use crate::error::{Error, Result};
use crate::sql::{self, Command, Parameters, Prepared, ast};
use datafusion_common::ScalarValue;

/// EXECUTE in EXECUTE. Guessed: more is a cycle.
const DEPTH: usize = 16;

impl Session {
    pub(super) fn prepared(&self, prepared: Prepared, config: &Config, depth: usize) -> Result<OutcomeKind> {
        match prepared {
            Prepared::Prepare { name, text } => {
                let parsed = sql::parse(&text, config)?;
                if parsed.len() != 1 {
                    return Err(Error::sql("PREPARE takes one statement"));
                }
                self.statements.lock().insert(name.clone(), text);
                Ok(OutcomeKind::Done(format!("statement {name} prepared")))
            }
            Prepared::Deallocate { name: None } => {
                self.statements.lock().clear();
                Ok(OutcomeKind::Done(String::new()))
            }
            Prepared::Deallocate { name: Some(name) } => match self.statements.lock().remove(&name) {
                Some(_) => Ok(OutcomeKind::Done(String::new())),
                None => Err(unknown(&name)),
            },
            Prepared::Execute { name, arguments } => {
                let text = self.statements.lock().get(&name).cloned().ok_or_else(|| unknown(&name))?;
                self.run_text(&text, arguments.as_deref(), config, depth)
            }
            Prepared::Immediate { text, arguments } => self.run_text(&text, arguments.as_deref(), config, depth),
        }
    }

    fn run_text(&self, text: &str, arguments: Option<&str>, config: &Config, depth: usize) -> Result<OutcomeKind> {
        if depth >= DEPTH {
            return Err(Error::sql(format!("statements execute one another more than {DEPTH} deep")));
        }
        let parameters = match arguments {
            Some(arguments) => self.arguments(arguments, config)?,
            None => Parameters::default(),
        };
        let mut parsed = sql::parse(text, config)?;
        if parsed.len() != 1 {
            return Err(Error::sql(format!("EXECUTE takes one statement, found {}", parsed.len())));
        }
        self.statement_at(parsed.remove(0), &parameters, text, depth + 1)
    }

    /// The values of a list of arguments: all of them have names, or none has.
    fn arguments(&self, list: &str, config: &Config) -> Result<Parameters> {
        let text = format!("SELECT {list}");
        let mut parsed = sql::parse(&text, config)?;
        let items = match parsed.pop().map(|parsed| parsed.command) {
            Some(Command::Statement(statement)) if parsed.is_empty() => match *statement {
                ast::Statement::Query(query) => match *query.body {
                    ast::SetExpr::Select(select) if select.from.is_empty() => select.projection,
                    _ => return Err(Error::sql("the arguments are values without a table")),
                },
                _ => return Err(Error::sql("the arguments are a list of values")),
            },
            _ => return Err(Error::sql("the arguments are a list of values")),
        };
        let mut names = Vec::with_capacity(items.len());
        for item in &items {
            match item {
                ast::SelectItem::UnnamedExpr(_) => names.push(None),
                ast::SelectItem::ExprWithAlias { alias, .. } => names.push(Some(alias.value.clone())),
                _ => return Err(Error::sql("the arguments are a list of values")),
            }
        }
        let mut values: Vec<ScalarValue> = Vec::with_capacity(items.len());
        for batch in self.query(&text, &Parameters::default())? {
            let batch = batch?;
            if batch.num_rows() > 0 {
                let value = |column: &arrow::array::ArrayRef| ScalarValue::try_from_array(column, 0);
                values = batch.columns().iter().map(value).collect::<std::result::Result<_, _>>()?;
            }
        }
        let mut parameters = Parameters::default();
        match names.iter().flatten().count() {
            0 => parameters.positional = values,
            named if named == names.len() => parameters.named = names.into_iter().flatten().zip(values).collect(),
            _ => return Err(Error::sql("either all arguments have names or none has")),
        }
        Ok(parameters)
    }
}

fn unknown(name: &str) -> Error {
    Error::sql(format!("no statement '{name}' was prepared"))
}
