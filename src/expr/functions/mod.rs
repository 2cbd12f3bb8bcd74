//! Functions that SQL may call: an allow-list, with Spark's names, types and results.
//!
//! Where the borrowed library's function does what Spark's does it is taken from there; the others
//! are [`Builtin`]s of ours, in [`arithmetic`], [`math`], [`strings`] and [`dates`].

mod arithmetic;
mod attempt;
mod builtin;
mod closure;
mod dates;
mod math;
mod strings;
mod type_name;
mod weights;

pub use arithmetic::{decimal_literal, divide, int_divide, minus, multiply, negate, plus, remainder};
pub(super) use builtin::Builtin;
pub use closure::from_closure;
pub use weights::{mean_of, times_count};

use datafusion_expr::ScalarUDF;
use std::sync::Arc;

/// All scalar functions, arithmetic included.
pub fn scalar() -> Vec<Arc<ScalarUDF>> {
    let mut functions = vec![plus(), minus(), multiply(), divide(), remainder(), int_divide(), negate()];
    functions.extend(arithmetic::functions());
    functions.push(type_name::type_of());
    functions.extend(math::functions());
    functions.extend(strings::functions());
    functions.extend(dates::functions());
    functions.extend(borrowed());
    functions
}

/// Functions of the borrowed library that do what Spark's do.
fn borrowed() -> Vec<Arc<ScalarUDF>> {
    use datafusion_functions::{core, crypto, datetime, string, unicode};
    let renamed = |function: Arc<ScalarUDF>, aliases: &[&'static str]| {
        Arc::new(function.as_ref().clone().with_aliases(aliases.iter().copied()))
    };
    vec![
        core::coalesce(),
        core::nullif(),
        core::nvl(),
        core::nvl2(),
        core::greatest(),
        core::least(),
        crypto::md5(),
        datetime::current_date(),
        datetime::now(&Default::default()),
        string::ascii(),
        string::btrim(),
        string::ltrim(),
        string::rtrim(),
        string::concat_ws(),
        string::contains(),
        renamed(string::starts_with(), &["startswith"]),
        renamed(string::ends_with(), &["endswith"]),
        string::levenshtein(),
        renamed(string::lower(), &["lcase"]),
        renamed(string::upper(), &["ucase"]),
        string::octet_length(),
        string::bit_length(),
        string::repeat(),
        string::split_part(),
        renamed(unicode::character_length(), &["len"]),
        unicode::lpad(),
        unicode::rpad(),
        unicode::reverse(),
        unicode::translate(),
    ]
}

#[cfg(test)]
mod tests;
