//! Finding a piece of a LIKE pattern in many strings at once.
//!
//! The problem: strings of a column are short, and starting a substring search costs more than it
//! takes to search one of them. The strings of a decoded page lie one after the other in one
//! buffer, a few bytes apart, so one search runs over all of them; a hit is looked up in the rows,
//! and one that crosses the end of a value is no hit.
//!
//! ```text
//!   rows    0         1            2          3
//!   buffer  [..abc..] [....special ...] [..] [.sp]ecial[...]
//!                          ╰─ row 1           ╰─ crosses, go on one byte later
//! ```
//!
//! Cost: one pass at the speed of `memmem`, plus O(1) a row. Values of up to 12 bytes lie in the
//! views themselves and are searched one by one. Rows that are NULL are the caller's to mask.

use arrow::array::{ByteView, MAX_INLINE_VIEW_LEN, StringViewArray};
use arrow::buffer::{BooleanBuffer, Buffer};
use memchr::memmem::Finder;

/// Bytes between two values that are searched along rather than started anew behind. Starting a
/// search costs about as much as searching this many. Guessed; 512 is no faster over every seventh
/// row of TPC-H `l_comment` (measured: 16 ns a row both).
const GAP_BYTES_MAX: u32 = 64;

/// The rows in which `piece` occurs and `rest` accepts what stands behind its leftmost place.
pub(super) fn rows_with(texts: &StringViewArray, piece: &Finder, rest: impl Fn(&[u8]) -> bool) -> BooleanBuffer {
    let views: Vec<ByteView> = texts.views().iter().map(|view| ByteView::from(*view)).collect();
    let mut bits = vec![0u64; views.len().div_ceil(64)];
    let mut mark = |row: usize| bits[row / 64] |= 1 << (row % 64);
    let needle = piece.needle().len();
    let mut row = 0;
    while row < views.len() {
        let first = views[row];
        if is_inline(first) {
            let text = texts.value(row).as_bytes();
            if piece.find(text).is_some_and(|at| rest(&text[at + needle..])) {
                mark(row);
            }
            row += 1;
            continue;
        }
        let run = run_of(&views[row..]);
        let Some(buffer) = texts.data_buffers().get(first.buffer_index as usize) else { break };
        let (mut at, end) = (first.offset as usize, end_of(views[row + run - 1]));
        let mut in_row = row;
        while let Some(found) = piece.find(&buffer[at..end]) {
            let place = at + found;
            while end_of(views[in_row]) <= place {
                in_row += 1;
            }
            let view = views[in_row];
            if place >= view.offset as usize && place + needle <= end_of(view) {
                if rest(&buffer[place + needle..end_of(view)]) {
                    mark(in_row);
                }
                at = end_of(view);
            } else {
                // Between values, or across the end of one.
                at = (place + 1).max(view.offset as usize);
            }
        }
        row += run;
    }
    BooleanBuffer::new(Buffer::from_vec(bits), 0, views.len())
}

/// How many rows from the first on lie in one buffer, in order and close together.
fn run_of(views: &[ByteView]) -> usize {
    let together = |pair: &[ByteView]| {
        let (one, next) = (pair[0], pair[1]);
        !is_inline(next)
            && one.buffer_index == next.buffer_index
            && next.offset.checked_sub(one.offset + one.length).is_some_and(|gap| gap <= GAP_BYTES_MAX)
    };
    1 + views.windows(2).take_while(|pair| together(pair)).count()
}

fn is_inline(view: ByteView) -> bool {
    view.length <= MAX_INLINE_VIEW_LEN
}

fn end_of(view: ByteView) -> usize {
    view.offset as usize + view.length as usize
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::rngs::StdRng;
    use rand::{RngExt, SeedableRng};

    #[test]
    fn finds_what_a_search_of_each_row_finds() {
        let mut random = StdRng::seed_from_u64(7);
        for round in 0..300 {
            // Values adjacent in one buffer, so that hits cross their ends; few letters, so that they are many.
            let values: Vec<String> = (0..random.random_range(0..40))
                .map(|_| (0..random.random_range(0..30)).map(|_| ['a', 'b', 'c'][random.random_range(0..3)]).collect())
                .collect();
            let mut texts = StringViewArray::from_iter_values(&values);
            if round % 3 == 0 && values.len() > 4 {
                texts = texts.slice(2, values.len() - 3);
            }
            for needle in ["a", "aa", "abc", "abab", "cccc"] {
                let rest = |rest: &[u8]| round % 2 == 0 || rest.contains(&b'c');
                let finder = Finder::new(needle);
                let expected: Vec<bool> = texts
                    .iter()
                    .map(|text| {
                        text.is_some_and(|text| text.find(needle).is_some_and(|at| rest(&text.as_bytes()[at + needle.len()..])))
                    })
                    .collect();
                let found = rows_with(&texts, &finder, rest);
                assert_eq!(found.iter().collect::<Vec<_>>(), expected, "{needle} in {texts:?}");
            }
        }
    }
}
