//! Which rows a join puts out, once it is settled which side is built.
//!
//! Every kind is a combination of three questions, which is all that the running halves look at:
//!
//! ```text
//!   kind         pairs   left rows       right rows
//!   Inner        yes     -               -
//!   Left         yes     unmatched       -
//!   Right        yes     -               unmatched
//!   Full         yes     unmatched       unmatched
//!   LeftSemi     no      matched         -
//!   LeftAnti     no      unmatched       -
//!   LeftMark     no      all, + mark     -            (Right*: the same, mirrored)
//! ```

/// What a join puts out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JoinKind {
    /// Matching pairs.
    Inner,
    /// Matching pairs and unmatched left rows.
    Left,
    /// Matching pairs and unmatched right rows.
    Right,
    /// Matching pairs and unmatched rows of both sides.
    Full,
    /// Left rows with a match, once each.
    LeftSemi,
    /// Right rows with a match, once each.
    RightSemi,
    /// Left rows without a match.
    LeftAnti,
    /// Right rows without a match.
    RightAnti,
    /// Left rows and whether they have a match.
    LeftMark,
    /// Right rows and whether they have a match.
    RightMark,
}

/// What comes out of one side's rows by themselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Keep {
    /// Nothing.
    None,
    /// Unmatched rows, the other side's columns NULL.
    Outer,
    /// Matched rows.
    Semi,
    /// Unmatched rows.
    Anti,
    /// All rows with a mark.
    Mark,
}

impl JoinKind {
    /// All kinds.
    pub const ALL: [JoinKind; 10] = [
        Self::Inner,
        Self::Left,
        Self::Right,
        Self::Full,
        Self::LeftSemi,
        Self::RightSemi,
        Self::LeftAnti,
        Self::RightAnti,
        Self::LeftMark,
        Self::RightMark,
    ];

    /// SQL-like name for EXPLAIN.
    pub fn name(self) -> &'static str {
        match self {
            Self::Inner => "inner",
            Self::Left => "left",
            Self::Right => "right",
            Self::Full => "full",
            Self::LeftSemi => "left semi",
            Self::RightSemi => "right semi",
            Self::LeftAnti => "left anti",
            Self::RightAnti => "right anti",
            Self::LeftMark => "left mark",
            Self::RightMark => "right mark",
        }
    }

    /// Whether matching pairs come out, and what of the left and the right rows.
    pub(super) fn parts(self) -> (bool, Keep, Keep) {
        match self {
            Self::Inner => (true, Keep::None, Keep::None),
            Self::Left => (true, Keep::Outer, Keep::None),
            Self::Right => (true, Keep::None, Keep::Outer),
            Self::Full => (true, Keep::Outer, Keep::Outer),
            Self::LeftSemi => (false, Keep::Semi, Keep::None),
            Self::RightSemi => (false, Keep::None, Keep::Semi),
            Self::LeftAnti => (false, Keep::Anti, Keep::None),
            Self::RightAnti => (false, Keep::None, Keep::Anti),
            Self::LeftMark => (false, Keep::Mark, Keep::None),
            Self::RightMark => (false, Keep::None, Keep::Mark),
        }
    }
}

/// A join kind seen from the build and the probe side.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shape {
    /// Whether matching pairs come out.
    pub(super) pairs: bool,
    /// What comes out of probe rows.
    pub(super) probe: Keep,
    /// What comes out of build rows.
    pub(super) build: Keep,
    /// Whether the left side is built.
    pub(super) build_left: bool,
    /// NOT IN: NULL keys make the outcome unknown.
    pub(super) null_aware: bool,
}

impl Shape {
    /// The shape of `kind` when the left (or the right) side is built.
    pub(super) fn new(kind: JoinKind, build_left: bool, null_aware: bool) -> Self {
        let (pairs, left, right) = kind.parts();
        let (build, probe) = if build_left { (left, right) } else { (right, left) };
        Self { pairs, probe, build, build_left, null_aware }
    }

    /// Whether probe rows without a match leave no trace, so that a filter may drop them early.
    pub(super) fn drops_probe(&self) -> bool {
        matches!(self.probe, Keep::None | Keep::Semi) && !self.null_aware
    }
}
