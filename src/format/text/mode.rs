//! What is done with records that do not fit the schema.

use crate::error::{Error, Result};
use crate::format::options::FormatOptions;

/// The mode of a reader of text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::format) enum Mode {
    /// NULL for what does not fit; the record goes into the column for it, if there is one.
    Permissive,
    /// Such records are left out.
    DropMalformed,
    /// An error.
    FailFast,
    /// Nobody said: as [`Mode::Permissive`] where columns are declared, as [`Mode::FailFast`] where
    /// their types were guessed.
    Unsaid,
}

impl Mode {
    /// The option `mode`.
    pub(in crate::format) fn take(options: &mut FormatOptions) -> Result<Self> {
        let Some(text) = options.take(&["mode"]) else { return Ok(Self::Unsaid) };
        match text.to_uppercase().as_str() {
            "PERMISSIVE" => Ok(Self::Permissive),
            "DROPMALFORMED" => Ok(Self::DropMalformed),
            "FAILFAST" => Ok(Self::FailFast),
            _ => Err(Error::sql(format!("the mode is PERMISSIVE, DROPMALFORMED or FAILFAST, not '{text}'"))),
        }
    }

    /// The mode for columns whose types were `inferred`, or declared.
    #[must_use]
    pub(in crate::format) fn settle(self, inferred: bool) -> Self {
        match self {
            Self::Unsaid if inferred => Self::FailFast,
            Self::Unsaid => Self::Permissive,
            said => said,
        }
    }
}
