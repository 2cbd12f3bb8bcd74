//! The one error type of the engine.
//!
//! An error says what its reader can do about it: fix the SQL ([`ErrorKind::Sql`], with a
//! position), the data ([`ErrorKind::Data`], with file, row group and column), the machine
//! ([`ErrorKind::Io`], [`ErrorKind::Memory`]), or report a bug ([`ErrorKind::Internal`]).

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What fallible functions of this crate return.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What the reader of an error can do about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// The SQL text is wrong: syntax, unknown names, types that do not fit.
    Sql,
    /// The SQL is understood but not supported; refused by name.
    Unsupported,
    /// A value made an expression fail while running: overflow, division by zero, a bad cast.
    Value,
    /// A file is damaged or is not what it was taken for.
    Data,
    /// The operating system refused: missing file, permission, full disk.
    Io,
    /// The memory limit is too small for what the query needs at least.
    Memory,
    /// The query was cancelled or ran into its time limit.
    Cancelled,
    /// A setting or an argument of the library or command is wrong.
    Config,
    /// A defect of the engine.
    Internal,
}

/// A position in SQL text: line and column count from 1, in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// Line, from 1.
    pub line: u64,
    /// Column in characters, from 1.
    pub column: u64,
}

/// Where in a file something is wrong.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DataPlace {
    /// The file.
    pub file: Option<PathBuf>,
    /// Row group, from 0.
    pub row_group: Option<usize>,
    /// Column name, dotted when nested.
    pub column: Option<String>,
    /// Data page of the column chunk, from 0.
    pub page: Option<usize>,
}

/// An error of the engine. Cheap to move and to clone.
#[derive(Clone)]
pub struct Error(Box<Inner>);

#[derive(Clone)]
struct Inner {
    kind: ErrorKind,
    message: String,
    position: Option<Position>,
    place: DataPlace,
    hint: Option<String>,
    source: Option<Arc<dyn std::error::Error + Send + Sync>>,
}

impl Error {
    /// An error of `kind` with its message: a sentence without a final full stop.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self(Box::new(Inner {
            kind,
            message: message.into(),
            position: None,
            place: DataPlace::default(),
            hint: None,
            source: None,
        }))
    }

    /// The SQL is wrong.
    pub fn sql(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Sql, message)
    }

    /// `what` is understood but not supported.
    pub fn unsupported(what: impl fmt::Display) -> Self {
        Self::new(ErrorKind::Unsupported, format!("{what} is not supported"))
    }

    /// A value made an expression fail.
    pub fn value(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Value, message)
    }

    /// A file is damaged or of the wrong kind. Say which by [`Error::in_file`].
    pub fn data(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Data, message)
    }

    /// The operating system refused `doing` something with `path`.
    pub fn io(doing: &str, path: &Path, source: std::io::Error) -> Self {
        let message = format!("cannot {doing} {}: {source}", path.display());
        Self::new(ErrorKind::Io, message).with_source(source)
    }

    /// The memory limit does not suffice.
    pub fn memory(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Memory, message)
    }

    /// The query was cancelled.
    pub fn cancelled() -> Self {
        Self::new(ErrorKind::Cancelled, "the query was cancelled")
    }

    /// A setting or argument is wrong.
    pub fn config(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Config, message)
    }

    /// A defect of the engine.
    pub fn internal(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Internal, message)
    }

    /// Adds a SQL position, unless one is known already (the innermost is the exact one).
    #[must_use]
    pub fn at(mut self, line: u64, column: u64) -> Self {
        if self.0.position.is_none() && line > 0 {
            self.0.position = Some(Position { line, column });
        }
        self
    }

    /// Adds the file, unless one is known already.
    #[must_use]
    pub fn in_file(mut self, file: impl Into<PathBuf>) -> Self {
        self.0.place.file.get_or_insert_with(|| file.into());
        self
    }

    /// Adds the row group (from 0), unless one is known already.
    #[must_use]
    pub fn in_row_group(mut self, row_group: usize) -> Self {
        self.0.place.row_group.get_or_insert(row_group);
        self
    }

    /// Adds the column, unless one is known already.
    #[must_use]
    pub fn in_column(mut self, column: impl Into<String>) -> Self {
        self.0.place.column.get_or_insert_with(|| column.into());
        self
    }

    /// Adds the data page (from 0), unless one is known already.
    #[must_use]
    pub fn in_page(mut self, page: usize) -> Self {
        self.0.place.page.get_or_insert(page);
        self
    }

    /// Adds what the reader could try.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.0.hint.get_or_insert_with(|| hint.into());
        self
    }

    /// Keeps the error that caused this one.
    #[must_use]
    pub fn with_source(mut self, source: impl std::error::Error + Send + Sync + 'static) -> Self {
        self.0.source = Some(Arc::new(source));
        self
    }

    /// What the reader can do about it.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// The message alone, without place and hint.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// Where in the SQL text.
    pub fn position(&self) -> Option<Position> {
        self.0.position
    }

    /// Where in the data.
    pub fn place(&self) -> &DataPlace {
        &self.0.place
    }

    /// What the reader could try.
    pub fn hint(&self) -> Option<&str> {
        self.0.hint.as_deref()
    }

    /// The whole error for a person: message, place, the line of `sql` with a caret, hint.
    ///
    /// ```
    /// let error = skep::Error::sql("unknown column 'nme'").at(1, 8).with_hint("did you mean 'name'?");
    /// assert_eq!(
    ///     error.render(Some("SELECT nme FROM t")),
    ///     "error: unknown column 'nme'\n  --> line 1, column 8\n   |\n 1 | SELECT nme FROM t\n   |        ^\nhint: did you mean 'name'?"
    /// );
    /// ```
    pub fn render(&self, sql: Option<&str>) -> String {
        let mut text = format!("error: {self}");
        if let Some(Position { line, column }) = self.0.position {
            text += &format!("\n  --> line {line}, column {column}");
            let at = usize::try_from(line).unwrap_or(usize::MAX).saturating_sub(1);
            if let Some(source) = sql.and_then(|sql| sql.lines().nth(at)) {
                // Long lines are cut to a window around the caret.
                let caret = usize::try_from(column).unwrap_or(1).saturating_sub(1);
                let skipped = if caret > 100 { caret - 60 } else { 0 };
                let window: String = source.chars().skip(skipped).take(160).collect();
                let window = window.replace('\t', " ");
                let margin = " ".repeat(line.to_string().len());
                text += &format!("\n {margin} |\n {line} | {window}\n {margin} | {}^", " ".repeat(caret - skipped));
            }
        }
        if let Some(hint) = &self.0.hint {
            text += &format!("\nhint: {hint}");
        }
        text
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)?;
        let DataPlace { file, row_group, column, page } = &self.0.place;
        let places = [
            file.as_ref().map(|file| format!("file {}", file.display())),
            row_group.map(|row_group| format!("row group {row_group}")),
            column.as_ref().map(|column| format!("column {column}")),
            page.map(|page| format!("page {page}")),
        ];
        let places: Vec<String> = places.into_iter().flatten().collect();
        if !places.is_empty() {
            write!(f, " ({})", places.join(", "))?;
        }
        Ok(())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} error: {self}", self.0.kind)?;
        if let Some(Position { line, column }) = self.0.position {
            write!(f, " at {line}:{column}")?;
        }
        if let Some(hint) = &self.0.hint {
            write!(f, " (hint: {hint})")?;
        }
        Ok(())
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source.as_deref().map(|source| source as _)
    }
}

/// Arrow's compute kernels fail on values (overflow, casts) or on memory, never on SQL text.
impl From<arrow::error::ArrowError> for Error {
    fn from(error: arrow::error::ArrowError) -> Self {
        use arrow::error::ArrowError as A;
        match error {
            A::ExternalError(inner) => match inner.downcast::<Error>() {
                Ok(own) => *own,
                Err(other) => Self::internal(other.to_string()),
            },
            A::DivideByZero => Self::value("division by zero"),
            A::ArithmeticOverflow(m) | A::CastError(m) | A::ComputeError(m) | A::ParseError(m) | A::InvalidArgumentError(m) => {
                Self::value(m)
            }
            A::MemoryError(m) => Self::memory(m),
            other => Self::internal(other.to_string()),
        }
    }
}

/// DataFusion's errors: plan errors are the SQL's fault and carry a position where one is known.
impl From<datafusion_common::DataFusionError> for Error {
    fn from(error: datafusion_common::DataFusionError) -> Self {
        use datafusion_common::{DataFusionError as D, SchemaError};
        match error {
            D::ArrowError(inner, _) => (*inner).into(),
            D::External(inner) => match inner.downcast::<Error>() {
                Ok(own) => *own,
                Err(other) => Self::internal(other.to_string()),
            },
            D::Context(_, inner) => (*inner).into(),
            D::Diagnostic(diagnostic, inner) => {
                let mut own = Self::from(*inner);
                if let Some(span) = diagnostic.span {
                    own = own.at(span.start.line, span.start.column);
                }
                own
            }
            D::Collection(mut errors) if !errors.is_empty() => errors.swap_remove(0).into(),
            D::Shared(inner) => match Arc::try_unwrap(inner) {
                Ok(inner) => inner.into(),
                Err(shared) => Self::sql(shared.strip_backtrace()),
            },
            D::SchemaError(inner, _) => match *inner {
                SchemaError::FieldNotFound { field, .. } => Self::sql(format!("unknown column '{}'", field.flat_name())),
                other => Self::sql(other.to_string()),
            },
            D::NotImplemented(message) => Self::new(ErrorKind::Unsupported, message),
            D::Plan(message) | D::Configuration(message) => Self::sql(message),
            D::Execution(message) => Self::value(message),
            D::ResourcesExhausted(message) => Self::memory(message),
            D::SQL(error, _) => Self::sql(error.to_string()),
            other => Self::internal(other.strip_backtrace()),
        }
    }
}
