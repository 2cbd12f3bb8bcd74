//! Completion of words and table names, and the end of a statement, for the line editor.

use super::input::{Completeness, completeness, word_start};
use super::repl::is_command;
use crate::Session;
use rustyline::completion::Completer;
use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::validate::{ValidationContext, ValidationResult, Validator};
use rustyline::{Context, Helper};

/// What the line editor asks while a statement is typed.
pub struct Assistant {
    /// Where tables are looked up.
    pub session: Session,
}

/// Words that statements are made of; offered in the case in which the word was begun.
const WORDS: &[&str] = &[
    "ALL",
    "AND",
    "ANTI",
    "AS",
    "ASC",
    "BETWEEN",
    "BY",
    "CASE",
    "CAST",
    "COUNT",
    "CROSS",
    "DESC",
    "DESCRIBE",
    "DISTINCT",
    "ELSE",
    "END",
    "EXCEPT",
    "EXISTS",
    "EXPLAIN",
    "FROM",
    "FULL",
    "GROUP",
    "HAVING",
    "IN",
    "INNER",
    "INTERSECT",
    "INTERVAL",
    "IS",
    "JOIN",
    "LEFT",
    "LIKE",
    "LIMIT",
    "NOT",
    "NULL",
    "NULLS",
    "OFFSET",
    "ON",
    "OR",
    "ORDER",
    "OUTER",
    "RIGHT",
    "SELECT",
    "SEMI",
    "SET",
    "SHOW",
    "SUM",
    "TABLES",
    "THEN",
    "UNION",
    "USING",
    "VALUES",
    "WHEN",
    "WHERE",
    "WITH",
];

impl Completer for Assistant {
    type Candidate = String;

    fn complete(&self, line: &str, position: usize, _context: &Context<'_>) -> rustyline::Result<(usize, Vec<String>)> {
        let before = line.get(..position).unwrap_or(line);
        let start = word_start(before);
        let word = before[start..].to_lowercase();
        if word.is_empty() {
            return Ok((start, Vec::new()));
        }
        let lower = before[start..].chars().all(|c| !c.is_uppercase());
        let words = WORDS.iter().map(|word| if lower { word.to_lowercase() } else { (*word).to_string() });
        let mut found: Vec<String> = self.session.table_names().into_iter().chain(words).collect();
        found.retain(|candidate| candidate.to_lowercase().starts_with(&word));
        found.sort();
        found.dedup();
        Ok((start, found))
    }
}

impl Validator for Assistant {
    fn validate(&self, context: &mut ValidationContext) -> rustyline::Result<ValidationResult> {
        let text = context.input();
        Ok(if is_command(text) || completeness(text) != Completeness::Incomplete {
            ValidationResult::Valid(None)
        } else {
            ValidationResult::Incomplete
        })
    }
}

impl Hinter for Assistant {
    type Hint = String;
}

impl Highlighter for Assistant {}

impl Helper for Assistant {}
