//! Functions of the user in SQL, and what is known of all functions.

use super::ddl::done;
use super::{OutcomeKind, Session, matches_pattern};
use crate::config::Config;
use crate::error::{Error, Result};
use crate::sql::{self, CreateFunction, FunctionRegistry, Parameters, Request};
use std::sync::Arc;

impl Session {
    /// The functions that this session may call.
    pub(super) fn functions(&self) -> Arc<FunctionRegistry> {
        let all = self.engine.functions();
        let macros = self.macros.lock();
        if macros.is_empty() {
            return all;
        }
        let mut registry = FunctionRegistry::clone(&all);
        registry.macros = macros.clone();
        Arc::new(registry)
    }

    pub(super) fn create_function(&self, create: CreateFunction, config: &Config) -> Result<OutcomeKind> {
        let CreateFunction { name, mut function, if_not_exists, or_replace } = create;
        let functions = self.functions();
        if functions.macros.contains_key(&name) && !or_replace {
            if if_not_exists {
                return done();
            }
            return Err(Error::sql(format!("there is a function '{name}' already"))
                .with_hint("use CREATE OR REPLACE TEMPORARY FUNCTION or IF NOT EXISTS"));
        }
        if functions.system_names().any(|known| known == name) {
            return Err(Error::sql(format!("'{name}' is a built-in function")));
        }
        // Functions that the body calls are taken as they are now, so that none can come to call itself.
        function.body = sql::expand(function.body, &functions.macros)?;
        // Whatever is wrong with the body is said now: it is tried on NULLs.
        let nulls: Vec<String> = function.parameters.iter().map(|(_, data_type)| format!("CAST(NULL AS {data_type})")).collect();
        let text = format!("SELECT {name}({})", nulls.join(", "));
        let mut tried = FunctionRegistry::clone(&functions);
        let function = Arc::new(function);
        tried.macros.insert(name.clone(), function.clone());
        let parsed = sql::parse(&text, config)?.pop().ok_or_else(|| Error::internal("no statement to try a function with"))?;
        if let Request::Query(query) = sql::route(parsed, &text)? {
            let bound = sql::bind(&query, self.engine.catalog(), config, &tried, &Parameters::default(), &text);
            bound.map_err(|error| Error::sql(format!("the body of {name}: {}", error.message())))?;
        }
        self.macros.lock().insert(name, function);
        done()
    }

    pub(super) fn drop_function(&self, name: &str, if_exists: bool) -> Result<OutcomeKind> {
        if self.macros.lock().remove(name).is_some() || if_exists {
            return done();
        }
        Err(Error::sql(match self.functions().system_names().any(|known| known == name) {
            true => format!("'{name}' is a built-in function and stays"),
            false => format!("there is no function '{name}'"),
        }))
    }

    pub(super) fn show_functions(&self, user: bool, system: bool, pattern: Option<&str>) -> Result<OutcomeKind> {
        let functions = self.functions();
        let own = functions.macros.keys().filter(|_| user).cloned();
        let mut names: Vec<String> = own.chain(functions.system_names().filter(|_| system)).collect();
        // Several patterns stand beside one another with | between.
        let fits = |name: &str| {
            let patterns = pattern.unwrap_or("*").to_lowercase();
            patterns.split('|').any(|pattern| matches_pattern(pattern.trim(), name))
        };
        names.retain(|name| fits(name));
        names.sort_unstable();
        names.dedup();
        self.rows(&["function"], names.into_iter().map(|name| vec![Some(name)]).collect())
    }

    pub(super) fn describe_function(&self, name: &str, extended: bool) -> Result<OutcomeKind> {
        let functions = self.functions();
        let lines = match functions.macros.get(name) {
            Some(function) => {
                let mut lines = vec![format!("Function: {name}"), "Type: SCALAR, written in SQL".to_owned()];
                lines.push(format!("Usage: {name}{}", function.signature()));
                lines.extend(function.comment.iter().map(|comment| format!("Comment: {comment}")));
                if extended {
                    lines.push(format!("Body: {}", function.text));
                }
                lines
            }
            None => match functions.describe(name) {
                Some(known) => {
                    let mut lines = vec![format!("Function: {name}"), format!("Type: {}", known.kind)];
                    lines.push(format!("Usage: {}", known.usage));
                    if extended && !known.others.is_empty() {
                        lines.push(format!("Other names: {}", known.others.join(", ")));
                    }
                    lines
                }
                None => return Err(Error::sql(format!("unknown function '{name}'"))),
            },
        };
        self.rows(&["function_desc"], lines.into_iter().map(|line| vec![Some(line)]).collect())
    }
}
