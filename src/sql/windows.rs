//! Windows with names, and the numbers in frames.
//!
//! `WINDOW w AS (..)` is put in wherever `OVER w` or `OVER (w)` stands: the borrowed binder does so in
//! the SELECT list only. Numbers in frames become plain numbers again, since that binder looks at
//! them in the syntax tree.

use super::literal;
use super::source::At;
use crate::error::{Error, Result};
use sqlparser::ast::{
    Expr, Ident, Interval, NamedWindowDefinition, NamedWindowExpr, Select, Value, WindowFrameBound, WindowSpec, WindowType,
};

/// Windows named by windows, at most: more are a circle.
const DEPTH_MAX: usize = 32;

/// The windows of one SELECT by their names.
#[derive(Debug, Clone, Default)]
pub(super) struct Windows(Vec<NamedWindowDefinition>);

impl Windows {
    /// Those that `select` defines.
    pub(super) fn of(select: &Select) -> Self {
        Self(select.named_window.clone())
    }

    /// Puts a window's definition where its name stands.
    pub(super) fn resolve(&self, over: &mut WindowType) -> Result<()> {
        for _ in 0..DEPTH_MAX {
            let name = match over {
                WindowType::NamedWindow(name) => name.clone(),
                WindowType::WindowSpec(spec) => {
                    let WindowSpec { window_name, partition_by, order_by, window_frame } = spec;
                    let Some(name) = window_name.clone() else { return Ok(()) };
                    if !partition_by.is_empty() || !order_by.is_empty() || window_frame.is_some() {
                        return Err(Error::unsupported(format!("more behind the name of the window {name}")).at_span(name.span));
                    }
                    name
                }
            };
            *over = self.find(&name)?;
        }
        Err(Error::sql("windows are defined by one another in a circle"))
    }

    fn find(&self, name: &Ident) -> Result<WindowType> {
        let mut found = self.0.iter().filter(|definition| definition.0.value == name.value);
        let Some(NamedWindowDefinition(_, window)) = found.next() else {
            return Err(Error::sql(format!("there is no window '{}'", name.value)).at_span(name.span));
        };
        if found.next().is_some() {
            return Err(Error::sql(format!("the window '{}' is defined twice", name.value)).at_span(name.span));
        }
        Ok(match window {
            NamedWindowExpr::NamedWindow(other) => WindowType::NamedWindow(other.clone()),
            NamedWindowExpr::WindowSpec(spec) => WindowType::WindowSpec(spec.clone()),
        })
    }
}

/// Makes the numbers of a frame plain ones; `text` gives back what literal a tree stands for.
pub(super) fn plain_bounds(over: &mut WindowType, text: impl Fn(usize) -> Option<String>) -> Result<()> {
    let WindowType::WindowSpec(WindowSpec { window_frame: Some(frame), .. }) = over else { return Ok(()) };
    for bound in std::iter::once(&mut frame.start_bound).chain(&mut frame.end_bound) {
        let (WindowFrameBound::Preceding(Some(value)) | WindowFrameBound::Following(Some(value))) = bound else { continue };
        match value.as_mut() {
            Expr::Interval(Interval { value, .. }) => {
                let number = match value.as_ref() {
                    Expr::Value(value) => match &value.value {
                        Value::Number(number, _) => Some(number.clone()),
                        _ => None,
                    },
                    _ => None,
                };
                if let Some(number) = number {
                    **value = Expr::value(Value::SingleQuotedString(number));
                }
            }
            other => {
                // `1.5D` is a number as well.
                let number = literal::referenced(other).and_then(&text);
                let number = number.map(|number| number.trim_end_matches(|c: char| c.is_ascii_alphabetic()).to_owned());
                match number.filter(|number| number.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.')) {
                    Some(number) => *other = Expr::value(Value::Number(number, false)),
                    None => return Err(Error::unsupported("a frame whose length is not a number or an interval")),
                }
            }
        }
    }
    Ok(())
}
