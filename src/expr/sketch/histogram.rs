//! How numbers are spread: a histogram of few bins that lie where the numbers are.
//!
//! A number that is no bin's becomes a bin of its own. When there are too many, the two nearest ones
//! become one at their weighted mean.
//!
//! ```text
//!   (1, 1) (2, 1) (9, 3) + 10, three bins:  (1, 1) (2, 1) (9, 3) (10, 1)  ─>  (1.5, 2) (9, 3) (10, 1)
//! ```
//!
//! Cost: 16 bytes a bin and a step over all bins for a number that is none of them. The first of
//! equally near pairs is joined, so that the result depends on nothing but the order of the numbers.
//!
//! Y. Ben-Haim, E. Tom-Tov, A streaming parallel decision tree algorithm (2010).

use super::Reader;
use crate::error::Result;

/// One histogram.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Histogram {
    most: usize,
    bins: Vec<(f64, f64)>,
}

impl Histogram {
    /// Of nothing, with at most `most` bins.
    pub(crate) fn new(most: usize) -> Self {
        Self { most: most.max(2), bins: Vec::new() }
    }

    /// Adds a number.
    pub(crate) fn add(&mut self, number: f64) {
        self.weigh(number + 0.0, 1.0);
    }

    fn weigh(&mut self, number: f64, weight: f64) {
        match self.bins.binary_search_by(|(center, _)| center.total_cmp(&number)) {
            Ok(place) => self.bins[place].1 += weight,
            Err(place) => {
                self.bins.insert(place, (number, weight));
                if self.bins.len() > self.most {
                    self.join();
                }
            }
        }
    }

    /// Makes one bin of the two nearest ones.
    fn join(&mut self) {
        let gaps = self.bins.windows(2).map(|pair| pair[1].0 - pair[0].0).enumerate();
        let Some((place, _)) = gaps.reduce(|best, next| if next.1 < best.1 { next } else { best }) else { return };
        let ((left, few), (right, more)) = (self.bins[place], self.bins.remove(place + 1));
        self.bins[place] = ((left * few + right * more) / (few + more), few + more);
    }

    /// Adds all that the other one has seen.
    pub(crate) fn merge(&mut self, other: &Self) {
        other.bins.iter().for_each(|(center, weight)| self.weigh(*center, *weight));
    }

    /// The bins: centers, and how many numbers each stands for.
    pub(crate) fn bins(&self) -> &[(f64, f64)] {
        &self.bins
    }

    /// The histogram as bytes.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        self.bins.iter().flat_map(|(center, weight)| [center.to_bits(), weight.to_bits()]).flat_map(u64::to_le_bytes).collect()
    }

    /// The histogram of bytes.
    ///
    /// # Errors
    /// If they are none.
    pub(crate) fn from_bytes(most: usize, bytes: &[u8]) -> Result<Self> {
        let words = Reader::new(bytes, "histogram").words()?;
        let bins = words.as_chunks::<2>().0.iter().map(|[center, weight]| (f64::from_bits(*center), f64::from_bits(*weight)));
        Ok(Self { most: most.max(2), bins: bins.collect() })
    }

    /// Bytes held.
    pub(crate) fn bytes(&self) -> usize {
        size_of::<Self>() + self.bins.capacity() * 16
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_bins_are_joined() {
        let mut histogram = Histogram::new(3);
        [1.0, 2.0, 9.0, 9.0, 9.0, 10.0].iter().for_each(|number| histogram.add(*number));
        assert_eq!(histogram.bins(), [(1.5, 2.0), (9.0, 3.0), (10.0, 1.0)]);
        let mut merged = Histogram::from_bytes(3, &histogram.to_bytes()).unwrap();
        assert_eq!(merged, histogram);
        merged.merge(&histogram);
        assert_eq!(merged.bins(), [(1.5, 4.0), (9.0, 6.0), (10.0, 2.0)]);
        assert!(Histogram::from_bytes(3, &[1]).is_err());
    }
}
