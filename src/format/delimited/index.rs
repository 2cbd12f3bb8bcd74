//! Finds delimiters and ends of lines, 64 bytes at a time.
//!
//! Problem: in `1,Ann\n2,Bob\n` every value lies between two bytes out of two kinds. Comparing a
//! register of bytes with both gives a mask with a bit for each of them, and the bits' numbers are
//! the values' ends. The places of ends of lines among them say where records begin.
//!
//! ```text
//!   bytes   1 , A n n \n 2 , B o b \n        ends   1 5 7 11
//!   mask    0 1 0 0 0 1  0 1 0 0 0 1         lines    1   3      (places in ends)
//! ```
//!
//! Cost: about a byte a half cycle to find them, and a few cycles for each. The idea is that of
//! Langdale and Lemire, "Parsing Gigabytes of JSON per Second", VLDB Journal 2019.

/// Where values and lines end in a block.
#[derive(Debug, Default)]
pub(super) struct Ends {
    /// Every delimiter and terminator, in order, behind one entry that stands for the byte before
    /// the block: value `i` lies between entries `i` and `i + 1`.
    pub(super) ends: Vec<u32>,
    /// For every terminator its place in `ends`.
    pub(super) lines: Vec<u32>,
}

impl Ends {
    /// Looks for both in a block of less than 4 GiB, forgetting what was found before.
    pub(super) fn find(&mut self, block: &[u8], delimiter: u8, terminator: u8) {
        self.ends.clear();
        self.lines.clear();
        // One more than this wraps to 0, the first value's start.
        self.ends.push(u32::MAX);
        let mut at = 0;
        #[cfg(target_arch = "x86_64")]
        if std::arch::is_x86_feature_detected!("avx2")
            && std::arch::is_x86_feature_detected!("bmi1")
            && std::arch::is_x86_feature_detected!("popcnt")
        {
            // SAFETY: the processor has what the function wants.
            at = unsafe { x86::find(self, block, delimiter, terminator) };
        }
        self.find_bytewise(block, at, delimiter, terminator);
    }

    /// The same for the bytes from `from` on, one by one.
    fn find_bytewise(&mut self, block: &[u8], from: usize, delimiter: u8, terminator: u8) {
        for (at, &byte) in block.iter().enumerate().skip(from) {
            if byte == terminator {
                self.lines.push(self.ends.len() as u32);
                self.ends.push(at as u32);
            } else if byte == delimiter {
                self.ends.push(at as u32);
            }
        }
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::Ends;
    use std::arch::x86_64::*;

    /// Looks at whole pieces of 64 bytes; returns where they end.
    ///
    /// # Safety
    /// The processor must have AVX2, BMI1 and POPCNT.
    #[target_feature(enable = "avx2,bmi1,popcnt")]
    pub(super) unsafe fn find(found: &mut Ends, block: &[u8], delimiter: u8, terminator: u8) -> usize {
        let delimiters = _mm256_set1_epi8(delimiter as i8);
        let terminators = _mm256_set1_epi8(terminator as i8);
        let mask = |low: __m256i, high: __m256i, wanted: __m256i| {
            let low = _mm256_movemask_epi8(_mm256_cmpeq_epi8(low, wanted)) as u32;
            let high = _mm256_movemask_epi8(_mm256_cmpeq_epi8(high, wanted)) as u32;
            u64::from(high) << 32 | u64::from(low)
        };
        let (pieces, _) = block.as_chunks::<64>();
        for (number, piece) in pieces.iter().enumerate() {
            // SAFETY: both loads lie within the 64 bytes of the piece, and need no alignment.
            let (low, high) =
                unsafe { (_mm256_loadu_si256(piece.as_ptr().cast()), _mm256_loadu_si256(piece.as_ptr().add(32).cast())) };
            let lines = mask(low, high, terminators);
            let mut both = mask(low, high, delimiters) | lines;
            let known = found.ends.len();
            let mut left = lines;
            while left != 0 {
                let before = both & (left & left.wrapping_neg()).wrapping_sub(1);
                found.lines.push(known as u32 + before.count_ones());
                left &= left - 1;
            }
            found.ends.reserve(64);
            let base = number as u32 * 64;
            let mut next = known;
            while both != 0 {
                // SAFETY: there is room for 64 more entries, and a mask has at most that many bits.
                unsafe { *found.ends.as_mut_ptr().add(next) = base + both.trailing_zeros() };
                next += 1;
                both &= both - 1;
            }
            // SAFETY: the entries up to `next` are written.
            unsafe { found.ends.set_len(next) };
        }
        pieces.len() * 64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ways_find_the_same() {
        let mut state = 7u64;
        for length in [0, 1, 63, 64, 65, 127, 128, 1000, 5000] {
            for rare in [2u64, 5, 40] {
                let block: Vec<u8> = (0..length)
                    .map(|_| {
                        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
                        match (state >> 33) % rare {
                            0 => b',',
                            1 => b'\n',
                            other => b'a' + other as u8 % 20,
                        }
                    })
                    .collect();
                let (mut fast, mut slow) = (Ends::default(), Ends::default());
                fast.find(&block, b',', b'\n');
                slow.ends.push(u32::MAX);
                slow.find_bytewise(&block, 0, b',', b'\n');
                assert_eq!(fast.ends, slow.ends);
                assert_eq!(fast.lines, slow.lines);
                assert!(fast.lines.iter().all(|line| block[fast.ends[*line as usize] as usize] == b'\n'));
            }
        }
    }
}
