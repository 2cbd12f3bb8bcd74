//! Masks of masks: which rows two filters leave when the second saw only what the first left.
//!
//! Problem: a second mask has a bit for each row that the first one keeps. [`expand`] brings these
//! bits to their rows; [`compress`] does the opposite. Both go over 64 rows at a time and have one
//! instruction for it (BMI2's `pdep` and `pext`), or a step a kept row without it.
//!
//! ```text
//!   mask      1 0 1 1 0 1           mask      1 0 1 1 0 1
//!   kept      0   1 1   0           bits      1 1 0 1 1 0
//!   expanded  0 0 1 1 0 0           packed    1   0 1   0
//! ```
//!
//! Cost: some instructions for 64 rows.

use arrow::buffer::{BooleanBuffer, Buffer};

/// The rows of `mask` whose bit in `kept`, which has one for each set bit of `mask`, is set.
pub fn expand(mask: &BooleanBuffer, kept: &BooleanBuffer) -> BooleanBuffer {
    let (words, kept) = (words(mask), words(kept));
    #[cfg(target_arch = "x86_64")]
    if is_x86_feature_detected!("bmi2") {
        // SAFETY: the processor has BMI2.
        return unsafe { bmi2::expand(&words, &kept, mask.len()) };
    }
    expand_words(&words, &kept, mask.len(), deposit)
}

/// For each set bit of `mask`, the bit of `bits`, which is as long, in that place.
pub fn compress(bits: &BooleanBuffer, mask: &BooleanBuffer) -> BooleanBuffer {
    let (bits, mask) = (words(bits), words(mask));
    #[cfg(target_arch = "x86_64")]
    if is_x86_feature_detected!("bmi2") {
        // SAFETY: the processor has BMI2.
        return unsafe { bmi2::compress(&bits, &mask) };
    }
    compress_words(&bits, &mask, extract)
}

/// The bits from the lowest of the first word on; those behind the end are zero.
fn words(bits: &BooleanBuffer) -> Vec<u64> {
    bits.bit_chunks().iter_padded().take(bits.len().div_ceil(64)).collect()
}

#[inline(always)]
fn expand_words(mask: &[u64], kept: &[u64], rows: usize, deposit: impl Fn(u64, u64) -> u64) -> BooleanBuffer {
    let mut at = 0;
    let next = |at: usize| {
        let (word, shift) = (at / 64, at % 64);
        let low = kept.get(word).copied().unwrap_or(0) >> shift;
        let high = kept.get(word + 1).copied().unwrap_or(0);
        if shift == 0 { low } else { low | high << (64 - shift) }
    };
    let out: Vec<u64> = mask
        .iter()
        .map(|word| {
            let bits = next(at);
            at += word.count_ones() as usize;
            deposit(bits, *word)
        })
        .collect();
    BooleanBuffer::new(Buffer::from_vec(out), 0, rows)
}

#[inline(always)]
fn compress_words(bits: &[u64], mask: &[u64], extract: impl Fn(u64, u64) -> u64) -> BooleanBuffer {
    let mut out = Vec::with_capacity(mask.len());
    let (mut word, mut filled, mut rows) = (0u64, 0u32, 0);
    for (bits, mask) in bits.iter().zip(mask) {
        let (packed, count) = (extract(*bits, *mask), mask.count_ones());
        word |= packed << filled;
        rows += count as usize;
        if filled + count >= 64 {
            out.push(word);
            word = if filled == 0 { 0 } else { packed >> (64 - filled) };
            filled = filled + count - 64;
        } else {
            filled += count;
        }
    }
    out.push(word);
    BooleanBuffer::new(Buffer::from_vec(out), 0, rows)
}

/// What `pdep` does: the lowest bits of `bits`, in order, to the places of `mask`.
fn deposit(bits: u64, mut mask: u64) -> u64 {
    let (mut out, mut bits) = (0, bits);
    while mask != 0 {
        let lowest = mask & mask.wrapping_neg();
        if bits & 1 == 1 {
            out |= lowest;
        }
        bits >>= 1;
        mask ^= lowest;
    }
    out
}

/// What `pext` does: the bits of `bits` in the places of `mask`, to the lowest.
fn extract(bits: u64, mut mask: u64) -> u64 {
    let (mut out, mut next) = (0, 0);
    while mask != 0 {
        let lowest = mask & mask.wrapping_neg();
        out |= u64::from(bits & lowest != 0) << next;
        next += 1;
        mask ^= lowest;
    }
    out
}

#[cfg(target_arch = "x86_64")]
mod bmi2 {
    use super::{BooleanBuffer, compress_words, expand_words};
    use std::arch::x86_64::{_pdep_u64, _pext_u64};

    #[target_feature(enable = "bmi2")]
    pub(super) fn expand(mask: &[u64], kept: &[u64], rows: usize) -> BooleanBuffer {
        expand_words(mask, kept, rows, |bits, mask| _pdep_u64(bits, mask))
    }

    #[target_feature(enable = "bmi2")]
    pub(super) fn compress(bits: &[u64], mask: &[u64]) -> BooleanBuffer {
        compress_words(bits, mask, |bits, mask| _pext_u64(bits, mask))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::rngs::StdRng;
    use rand::{RngExt, SeedableRng};

    #[test]
    fn bits_find_their_rows_and_come_back() {
        for seed in 0..200 {
            let mut random = StdRng::seed_from_u64(seed);
            let rows = random.random_range(0..300);
            let share = [0.0, 0.02, 0.5, 0.98, 1.0][seed as usize % 5];
            let mut bits = |rows: usize, share: f64| {
                let offset = random.random_range(0..70);
                let bits = BooleanBuffer::collect_bool(rows + offset, |_| random.random_bool(share));
                bits.slice(offset, rows)
            };
            let mask = bits(rows, share);
            let kept = bits(mask.count_set_bits(), 0.4);
            let expanded = expand(&mask, &kept);
            let mut next = kept.iter();
            let expected: Vec<bool> = mask.iter().map(|bit| bit && next.next() == Some(true)).collect();
            assert_eq!(expanded.iter().collect::<Vec<_>>(), expected, "seed {seed}");
            assert_eq!(compress(&expanded, &mask), kept, "seed {seed}");
            assert_eq!(expand_words(&words(&mask), &words(&kept), rows, deposit), expanded, "seed {seed}");
            assert_eq!(compress_words(&words(&expanded), &words(&mask), extract), kept, "seed {seed}");
        }
    }
}
