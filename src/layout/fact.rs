//! One thing known of a table's layout, as `SHOW LAYOUT` prints it.

use std::fmt;

/// How far a fact is relied on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trust {
    /// Relied on as it is: bounds, partition directories, counts.
    Trusted,
    /// Said by a file or its name; checked before or while it is relied on.
    Claimed,
    /// Said by CREATE TABLE; checked likewise.
    Declared,
    /// Concluded from a sample; checked likewise.
    Inferred,
    /// Every row was checked, of the files as they are now.
    Verified,
    /// A claim that the files contradict: not used.
    Refuted,
    /// The writer did not record it.
    Missing,
}

impl fmt::Display for Trust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Trusted => "trusted",
            Self::Claimed => "claimed",
            Self::Declared => "declared",
            Self::Inferred => "inferred",
            Self::Verified => "verified",
            Self::Refuted => "refuted",
            Self::Missing => "not recorded",
        })
    }
}

/// See the module.
#[derive(Debug, Clone)]
pub struct LayoutFact {
    /// What it is, e.g. `rows` or `zones`, and its value.
    pub fact: String,
    /// The columns it is about.
    pub columns: String,
    /// How far it is relied on.
    pub evidence: Trust,
    /// Where it comes from.
    pub source: String,
}

impl LayoutFact {
    /// A fact; `columns` are joined with commas.
    pub fn new<'a>(
        fact: impl Into<String>,
        columns: impl IntoIterator<Item = &'a str>,
        evidence: Trust,
        source: impl Into<String>,
    ) -> Self {
        let columns = columns.into_iter().collect::<Vec<_>>().join(", ");
        Self { fact: fact.into(), columns, evidence, source: source.into() }
    }
}
