//! Objects that look like the one before.
//!
//! Problem: most of a line of JSON says again what the lines before it said, the names of members and
//! what stands around them. The bytes before every value of one object are remembered; where the next
//! object has the same bytes in the same places, its values are found without looking at names, and
//! which column a value is for is known already.
//!
//! ```text
//!   {"id": 1, "name": "Ann"}      before the values:  {"id":␣   ,␣"name":␣   behind them: }
//!   {"id": 2, "name": "Bob"}      compared, not parsed
//! ```
//!
//! Cost: a comparison of some bytes a member instead of finding the name's end and its column. An object
//! that looks otherwise is read member by member, and may be the next one to be remembered.

use super::scan::{Kind, MISSING, Piece, value};

/// Members of an object that is remembered, at most.
const MEMBERS_MAX: usize = 1024;

/// An object's bytes but for its values.
#[derive(Debug, Default)]
pub(super) struct Shape {
    members: Vec<Member>,
    behind: Vec<u8>,
    /// Objects that looked otherwise since the last one that did not.
    misses: u32,
    learnt: bool,
}

#[derive(Debug)]
struct Member {
    before: Vec<u8>,
    /// The place of its value among those that are wanted.
    place: Option<usize>,
}

/// What was found of an object's members: their values, and their places among those wanted.
pub(super) type Found = Vec<(Piece, Option<usize>)>;

impl Shape {
    /// Puts the values of the object that begins at `at` into their places; the place behind it. None:
    /// it looks otherwise.
    #[inline]
    pub(super) fn read(&mut self, bytes: &[u8], at: usize, row: &mut [Piece]) -> Option<usize> {
        if !self.learnt {
            return None;
        }
        let end = self.values(bytes, at, row);
        if end.is_none() {
            self.misses += 1;
            row.fill(MISSING);
        } else {
            self.misses = 0;
        }
        end
    }

    fn values(&self, bytes: &[u8], mut at: usize, row: &mut [Piece]) -> Option<usize> {
        for member in &self.members {
            if !bytes[at..].starts_with(&member.before) {
                return None;
            }
            let (piece, next) = value(bytes, at + member.before.len(), 1)?;
            if let Some(place) = member.place {
                row[place] = piece;
            }
            at = next;
        }
        bytes[at..].starts_with(&self.behind).then_some(at + self.behind.len())
    }

    /// Whether the next object that looks otherwise is to be remembered: the first, and ever fewer where
    /// no two look alike.
    pub(super) fn wants(&self) -> bool {
        !self.learnt || self.misses.is_power_of_two()
    }

    /// Remembers the object from `start` to `end` with these members.
    pub(super) fn learn(&mut self, bytes: &[u8], start: usize, end: usize, found: &Found) {
        self.learnt = false;
        if found.len() > MEMBERS_MAX {
            return;
        }
        self.members.clear();
        let mut at = start;
        for (piece, place) in found {
            let quote = usize::from(matches!(piece.kind, Kind::Plain | Kind::Escaped));
            let Some(before) = bytes.get(at..piece.start as usize - quote) else { return };
            self.members.push(Member { before: before.to_vec(), place: *place });
            at = piece.end as usize + quote;
        }
        let Some(behind) = bytes.get(at..end) else { return };
        self.behind = behind.to_vec();
        self.learnt = true;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_alike_are_read_and_others_are_told() {
        let first = br#"{"a": 1 , "b":"x", "c":[2]}"#;
        let mut shape = Shape::default();
        let mut row = [MISSING; 2];
        assert!(shape.read(first, 0, &mut row).is_none() && shape.wants());
        let piece = |start: u32, end: u32, kind: Kind| Piece { start, end, kind, aside: false };
        let found =
            vec![(piece(6, 7, Kind::Number), Some(1)), (piece(15, 16, Kind::Plain), None), (piece(23, 26, Kind::Array), Some(0))];
        shape.learn(first, 0, first.len(), &found);
        let next = br#"  {"a": -22 , "b":"yy\"", "c":[]} "#;
        assert_eq!(shape.read(next, 2, &mut row), Some(next.len() - 1));
        let text = |piece: Piece| std::str::from_utf8(&next[piece.start as usize..piece.end as usize]).unwrap();
        assert_eq!((text(row[0]), text(row[1])), ("[]", "-22"));
        for other in
            [&br#"{"a": 1 , "b":"x"}"#[..], br#"{"a":1 , "b":"x", "c":[2]}"#, br#"{"a": 1 , "b":"x", "c":[2]"#, b"{}", b""]
        {
            assert!(shape.read(other, 0, &mut row).is_none());
            assert!(row.iter().all(|piece| piece.kind == Kind::Missing));
        }
        assert!(!shape.wants(), "five misses");
        assert!(shape.read(first, 0, &mut row).is_some());
    }
}
