//! The numbers of the rows that a mask keeps.
//!
//! Problem: a bit a row becomes a 32-bit number a kept row. Taking bits off a word one by one waits for
//! a guessed branch a word. With AVX-512 the numbers of 16 rows lie in a register, those that are kept
//! are moved together by one instruction, and all 16 lanes are stored: the next ones overwrite what is
//! too much. Words with few bits are taken bit by bit in any case.
//!
//! ```text
//!   mask      0 1 1 0 0 1           rows  0 1 2 3 4 5
//!   together  1 2 5 . . .                 stored whole, three of them count
//! ```
//!
//! Cost: four instructions for 16 rows, or three a kept row where few are.

use arrow::buffer::BooleanBuffer;

/// Words with at most so many bits are taken bit by bit. Measured: at four both ways are as fast.
const FEW_BITS: u32 = 4;

/// Numbers of the rows whose bit is set, ascending.
pub(super) fn set_bits(mask: &BooleanBuffer) -> Vec<u32> {
    let words = mask.bit_chunks().iter_padded();
    let count = mask.count_set_bits();
    #[cfg(target_arch = "x86_64")]
    if is_x86_feature_detected!("avx512f") {
        // SAFETY: the processor has AVX-512.
        return unsafe { avx512::numbers(words, count) };
    }
    numbers(words, count)
}

fn numbers(words: impl Iterator<Item = u64>, count: usize) -> Vec<u32> {
    let mut out = Vec::with_capacity(count);
    for (at, mut word) in words.enumerate() {
        while word != 0 {
            out.push(at as u32 * 64 + word.trailing_zeros());
            word &= word - 1;
        }
    }
    out
}

#[cfg(target_arch = "x86_64")]
mod avx512 {
    use super::FEW_BITS;
    use std::arch::x86_64::*;

    /// Lanes of a register.
    const LANES: usize = 16;

    /// The words have at most `count` bits; more are left out.
    #[target_feature(enable = "avx512f")]
    pub(super) fn numbers(words: impl Iterator<Item = u64>, count: usize) -> Vec<u32> {
        let mut out: Vec<u32> = Vec::with_capacity(count + LANES);
        let start = out.as_mut_ptr();
        let mut filled = 0;
        let lanes = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
        for (at, mut word) in words.enumerate() {
            let bits = word.count_ones();
            if bits as usize > count - filled {
                break;
            }
            let first = at as u32 * 64;
            if bits <= FEW_BITS {
                while word != 0 {
                    // SAFETY: at most `count` numbers are written.
                    unsafe { start.add(filled).write(first + word.trailing_zeros()) };
                    filled += 1;
                    word &= word - 1;
                }
                continue;
            }
            for part in 0..64 / LANES as u32 {
                let kept = (word >> (part * LANES as u32)) as u16;
                let rows = _mm512_add_epi32(lanes, _mm512_set1_epi32((first + part * LANES as u32) as i32));
                // SAFETY: at most `count` numbers are before this place, and there is room for 16 more.
                unsafe { _mm512_storeu_si512(start.add(filled).cast(), _mm512_maskz_compress_epi32(kept, rows)) };
                filled += kept.count_ones() as usize;
            }
        }
        // SAFETY: so many numbers were written, and the capacity is larger.
        unsafe { out.set_len(filled) };
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::rngs::StdRng;
    use rand::{RngExt, SeedableRng};

    #[test]
    fn all_rows_that_are_kept_are_numbered() {
        for seed in 0..200 {
            let mut random = StdRng::seed_from_u64(seed);
            let rows = random.random_range(0..1000);
            let share = [0.0, 0.01, 0.06, 0.1, 0.5, 0.98, 1.0][seed as usize % 7];
            let offset = random.random_range(0..70);
            let mask = BooleanBuffer::collect_bool(rows + offset, |_| random.random_bool(share)).slice(offset, rows);
            let expected: Vec<u32> = mask.set_indices_u32().collect();
            assert_eq!(set_bits(&mask), expected, "seed {seed}");
            assert_eq!(numbers(mask.bit_chunks().iter_padded(), expected.len()), expected, "seed {seed}");
        }
    }
}
