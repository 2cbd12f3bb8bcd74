//! What SHOW FUNCTIONS and DESCRIBE FUNCTION tell.

use super::provider::FunctionRegistry;
use super::relation::GENERATORS;
use crate::expr::functions::usage;

/// Operators and forms of the grammar that Spark lists among its functions.
const FORMS: &[&str] = &[
    "!", "!=", "%", "&", "*", "+", "-", "/", "<", "<<", "<=", "<=>", "<>", "=", "==", ">", ">=", ">>", "^", "|", "||", "~",
    "and", "between", "case", "cast", "extract", "ilike", "in", "like", "not", "or", "when", "try_cast",
];

/// Functions that stand for forms of the grammar and are not to be called.
const HIDDEN: &[&str] = &["time_of", "item_at", "bit_not", "ceil_to", "floor_to", "get_field", "div"];

/// What is known of a function.
#[derive(Debug, Clone)]
pub struct Known {
    /// SCALAR, AGGREGATE, WINDOW, HIGHER ORDER or OPERATOR.
    pub kind: &'static str,
    /// How it is called.
    pub usage: String,
    /// Its other names.
    pub others: Vec<String>,
}

impl FunctionRegistry {
    /// Every name that SHOW FUNCTIONS lists, those of the user left out.
    pub fn system_names(&self) -> impl Iterator<Item = String> + '_ {
        let callable = |name: &&str| name.starts_with(|c: char| c.is_ascii_alphabetic()) && !HIDDEN.contains(name);
        self.names()
            .filter(callable)
            .chain(FORMS.iter().copied())
            .chain(GENERATORS.iter().copied())
            .chain(["div", "range"])
            .map(str::to_owned)
    }

    /// What is known of the function of a name.
    pub fn describe(&self, name: &str) -> Option<Known> {
        let others = |main: &str, aliases: &[String]| -> Vec<String> {
            std::iter::once(main)
                .chain(aliases.iter().map(String::as_str))
                .filter(|other| *other != name)
                .map(str::to_owned)
                .collect()
        };
        let is = |main: &str, aliases: &[String]| main == name || aliases.iter().any(|alias| alias == name);
        if HIDDEN.contains(&name) && name != "div" {
            return None;
        }
        let plain = |kind, others| Known { kind, usage: format!("{name}(..)"), others };
        if let Some(f) = self.scalar.iter().find(|f| is(f.name(), f.aliases())) {
            return Some(Known { kind: "SCALAR", usage: usage(f, name), others: others(f.name(), f.aliases()) });
        }
        if let Some(f) = self.aggregate.iter().find(|f| is(f.name(), f.aliases())) {
            return Some(plain("AGGREGATE", others(f.name(), f.aliases())));
        }
        if let Some(f) = self.window.iter().find(|f| is(f.name(), f.aliases())) {
            return Some(plain("WINDOW", others(f.name(), f.aliases())));
        }
        if let Some(f) = self.higher_order.iter().find(|f| is(f.name(), f.aliases())) {
            return Some(plain("HIGHER ORDER", others(f.name(), f.aliases())));
        }
        if FORMS.contains(&name) {
            return Some(Known {
                kind: "OPERATOR",
                usage: format!("an expression with {}", name.to_uppercase()),
                others: Vec::new(),
            });
        }
        if GENERATORS.contains(&name) || name == "range" {
            return Some(plain("GENERATOR", Vec::new()));
        }
        self.names().any(|known| known == name).then(|| plain("SCALAR", Vec::new()))
    }
}
